"""Volume of each account over thirty days, and the fee tier it earns."""

from __future__ import annotations

from bulkhead.fixed import div_floor
from bulkhead.rules.fees import FeeTier, tier_of
from bulkhead.units import Quote, TimeMs

DAYS = 30
DAY_MS = 86_400_000


class Volumes:
    """Traded value by account and day; a day counts until it is thirty days old."""

    __slots__ = ("_schedule", "days", "today", "totals")

    def __init__(self, schedule: tuple[FeeTier, ...]) -> None:
        self._schedule = schedule
        self.today = 0
        self.days: dict[int, dict[int, int]] = {}
        self.totals: dict[int, int] = {}

    def add(self, account_id: int, value: Quote) -> None:
        """Count a fill for today."""
        days = self.days.setdefault(account_id, {})
        days[self.today] = days.get(self.today, 0) + int(value)
        self.totals[account_id] = self.totals.get(account_id, 0) + int(value)

    def tier(self, account_id: int) -> FeeTier:
        """The rates of an account now."""
        return tier_of(self._schedule, Quote(self.totals.get(account_id, 0)))

    def roll(self, now: TimeMs) -> None:
        """Begin a new day when there is one, and forget days that are too old."""
        today = div_floor(now, DAY_MS)
        if today == self.today:
            return
        self.today = today
        for account_id in list(self.days):
            days = self.days[account_id]
            for day in [day for day in days if day <= today - DAYS]:
                self.totals[account_id] -= days.pop(day)
            if not days:
                del self.days[account_id], self.totals[account_id]
