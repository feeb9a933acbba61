"""Rate limits: a bucket of requests for each API key, and for each address that shows none."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

BUCKETS_MAX = 50_000  # those not seen for longest are forgotten; a forgotten one is full again


class Verdict(NamedTuple):
    """Whether a request may pass, and what its headers say."""

    is_allowed: bool
    limit: int
    remaining: int
    wait_s: float  # until one more may pass


class Limiter:
    """Fills each bucket evenly over time. Not thread-safe: the event loop's alone."""

    def __init__(self, per_minute: int, burst: int) -> None:
        self._rate = per_minute / 60
        self._limit = per_minute
        self._burst = float(burst)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # left, when

    def ask(self, who: str, now_s: float, cost: float = 1.0) -> Verdict:
        """Take one request from a bucket."""
        left, then = self._buckets.pop(who, (self._burst, now_s))
        left = min(self._burst, left + (now_s - then) * self._rate)
        is_allowed = left >= cost
        if is_allowed:
            left -= cost
        self._buckets[who] = (left, now_s)
        if len(self._buckets) > BUCKETS_MAX:
            self._buckets.popitem(last=False)
        wait_s = 0.0 if is_allowed else (cost - left) / self._rate
        return Verdict(is_allowed, self._limit, int(left), wait_s)
