"""Which accounts a tick can have moved: a bound on how far prices may travel before an account must be looked at.

Looking at an account costs microseconds, and most are far from any level. So each look at a quiet account also says
how far prices may move before anything can change: its *reach*. `due` then compares two integers per position. Tests
look at every account at every tick and find exactly the same events.
"""

from __future__ import annotations

from bulkhead.fixed import FRACTION_BITS, ONE, div_ceil, div_floor
from bulkhead.keepers.condition import CALLS, GOOD, Standing
from bulkhead.ledger.accounts import floors_of
from bulkhead.ledger.state import Account, Kind, MarginRule, State
from bulkhead.rules.terms import Health
from bulkhead.units import Fraction, FundingIndex, Price

REACH_MAX = int(ONE) >> 1
ALWAYS = -1  # a limit that every path exceeds


class Watch:
    """Standings of accounts that are not well, and the limits of those that are.

    The *path* of a market is Σ |move| / min(old price, new price) over its ticks, rounded up: no less than the
    absolute logarithm of how far the price has come. An account that was looked at when the path was p, with a
    reach d, cannot have changed its standing while the path is at most p + d / (1 + d), for exp(x) ≤ 1 / (1 − x).
    Funding and the scale of open interest are not prices: when they move, everybody in the market is looked at.
    """

    __slots__ = ("_limits", "_looked", "_paths", "_seen", "_state", "standings")

    def __init__(self, state: State) -> None:
        self._state = state
        self.standings: dict[int, Standing] = {}
        self._paths: dict[int, int] = dict.fromkeys(state.markets, 0)
        self._limits: dict[int, dict[int, int]] = {market_id: {} for market_id in state.markets}
        self._seen: dict[int, tuple[Price, Fraction, FundingIndex]] = {}
        self._looked: dict[int, tuple[Account, Account | None]] = {}

    def standing(self, account_id: int) -> Standing:
        """What is remembered of an account."""
        return self.standings.get(account_id, GOOD)

    def due(self) -> list[int]:
        """Accounts whose standing can have changed since they were looked at, by rising id."""
        self._follow_prices()
        found: dict[int, None] = dict.fromkeys(self.standings)
        for market_id, holders in self._state.holders.items():
            path, limits = self._paths[market_id], self._limits[market_id]
            for account_id in holders:
                if limits.get(account_id, ALWAYS) < path:
                    found[account_id] = None
        accounts = self._state.accounts
        for account_id, (account, parent) in self._looked.items():
            if accounts.get(account_id) is not account:
                found[account_id] = None
            elif parent is not None and accounts.get(parent.account_id) is not parent:
                found[account_id] = None
        return sorted(found)

    def everybody(self) -> list[int]:
        """Every account, by rising id: what `due` is tested against."""
        self._follow_prices()
        return sorted(self._state.accounts.keys() | self.standings.keys())

    def looked(self, account_id: int, account: Account | None, health: Health, standing: Standing) -> None:
        """Remember a look at an account in the state (not one with its funding settled)."""
        if standing == GOOD:
            self.standings.pop(account_id, None)
        else:
            self.standings[account_id] = standing
        before = self._looked.pop(account_id, None)
        if before is not None:
            for position in before[0].positions:
                self._limits[position.market_id].pop(account_id, None)
        if account is None or not account.positions or account.collateral or standing != GOOD:
            return
        if account.rule is not MarginRule.LINEAR:
            return  # its requirement also depends on what others hold: it is looked at every time
        distance = self._reach(account, health)
        if distance <= 0:
            return
        # d / (1 + d), rounded down
        step = div_floor(distance << FRACTION_BITS, (1 << FRACTION_BITS) + distance)
        parent = self._state.accounts.get(account.parent_id) if account.kind is Kind.CHILD else None
        self._looked[account_id] = (account, parent)
        for position in account.positions:
            self._limits[position.market_id][account_id] = self._paths[position.market_id] + step

    def _reach(self, account: Account, health: Health) -> int:
        """A share by which every price may move, up or down, while the account stays healthy, uncalled, topped up.

        Value falls by at most gross · d; a requirement rises by at most Σ notional · (highest marginal fraction)
        · d, for it is convex. So each of these keeps its sign, exactly:

            value − initial ≥ (gross + rise of initial) · d
            66 · value − 100 · maintenance > (66 · gross + 100 · rise of maintenance) · d
            value − target · maintenance ≥ (gross + target · rise of maintenance) · d
        """
        floors = floors_of(self._state, account)
        gross = rise_initial = rise_maintenance = 0
        for market_id, size, _, _ in account.positions:
            price, rows, _ = self._state.risks[market_id]
            notional = abs(int(size * price))
            last = rows[-1]
            gross += notional
            rise_initial += notional * max(int(last.initial), int(floors.get(market_id, Fraction(0))))
            rise_maintenance += notional * int(last.maintenance)
        value, gross = int(health.value) << FRACTION_BITS, gross << FRACTION_BITS
        maintenance, level = int(health.maintenance), CALLS[0].level
        one, target = int(ONE), int(self._state.config.top_up_target)
        return min(
            div_floor((value - int(health.initial)) << FRACTION_BITS, gross + rise_initial),
            div_floor((level * value - 100 * maintenance - 1) << FRACTION_BITS, level * gross + 100 * rise_maintenance),
            div_floor((one * value - target * maintenance) << FRACTION_BITS, one * gross + target * rise_maintenance),
            REACH_MAX,
        )

    def _follow_prices(self) -> None:
        """Lengthen each market's path by its move since the last look."""
        for market_id, market in self._state.markets.items():
            now = (market.price, market.scale, market.funding_index)
            before = self._seen.get(market_id)
            if now == before:
                continue
            self._seen[market_id] = now
            if before is None or before[1:] != now[1:] or not int(before[0]):
                self._paths[market_id] += int(ONE)  # farther than any limit
            else:
                old, new = int(before[0]), int(market.price)
                self._paths[market_id] += div_ceil(abs(new - old) << FRACTION_BITS, min(old, new))
