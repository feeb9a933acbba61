"""The exchange's clock as it tells it, and until when it may take what is sent.

Each answer of an exchange carries its time (X-Time, in milliseconds). Whatever changes something goes out with
X-Valid-Until: an exchange that tells its time refuses what arrives later, so nothing that the network kept for a while
surprises anybody.
"""

from __future__ import annotations

import time

TIME_HEADER, UNTIL_HEADER = "X-Time", "X-Valid-Until"
TOO_LATE = 1160  # the code of that refusal
WINDOW_MS = 10_000
SLACK_MS = 2_000  # what arrived in time is handled by then
KEPT_S = 30.0  # a reading that took longer to come counts from then on: clocks drift, and are set
DIGITS_MAX = 15
FOLLOWED_MS = 2 * 3_600_000  # a signature's expiry follows the exchange's clock no further: it could be a lie


class ExchangeClock:
    """`told_ms` is what the last answer said; 0 where none ever did. `ahead_ms`: by how much it is ahead of this
    machine's clock, to within half of the way of the quickest answer of late."""

    def __init__(self) -> None:
        self.told_ms = 0
        self.ahead_ms = 0
        self._way_s = 0.0
        self._read_s = 0.0

    def heard(self, told: str, begun_s: float) -> None:
        """An answer's X-Time, to a question that was sent at `begun_s`. What is no time is passed over."""
        if not told.isascii() or not told.isdigit() or len(told) > DIGITS_MAX:
            return
        now_s = time.time()
        self.told_ms = int(told)
        way_s, age_s = max(0.0, now_s - begun_s), now_s - self._read_s
        ahead_ms = self.told_ms - round(1000 * (now_s - way_s / 2))
        was_set = abs(ahead_ms - self.ahead_ms) > 500 * (way_s + self._way_s) + 1  # no way is long enough to explain it
        if way_s <= self._way_s or was_set or not 0 <= age_s < KEPT_S:
            self.ahead_ms, self._way_s, self._read_s = ahead_ms, way_s, now_s

    @property
    def now_ms(self) -> int:
        """The exchange's time; this machine's where the exchange tells none."""
        return round(1000 * time.time()) + self.ahead_ms

    def signing_s(self) -> float:
        """The time that what is signed counts from: the exchange's, within two hours of this machine's; else this
        machine's, and the exchange refuses what has expired by its own."""
        ahead_ms = self.ahead_ms if abs(self.ahead_ms) <= FOLLOWED_MS else 0
        return time.time() + ahead_ms / 1000

    def until_ms(self) -> int:
        """When what is sent now shall count no more; 0 for an exchange that tells no time: it refuses nothing late."""
        return self.now_ms + WINDOW_MS if self.told_ms else 0

    def is_past(self, until_ms: int) -> bool:
        """The exchange has told a time at which it takes that no more. Never of 0, which bounds nothing."""
        return 0 < until_ms and until_ms + SLACK_MS < self.told_ms
