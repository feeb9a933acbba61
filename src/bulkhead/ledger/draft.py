"""A draft of the next state: handlers read through it and write into it; commit is the only write to State.

A transaction that is rejected simply drops its draft, so nothing is ever undone. A preview is a draft that
nobody commits.
"""

from __future__ import annotations

from bulkhead.fixed import div_floor, seconds_floor
from bulkhead.ledger.state import Account, Counters, Funds, Market, Oracle, State, put_account, put_market
from bulkhead.reject import Reject
from bulkhead.rules.terms import Risk, risk_of
from bulkhead.units import FundingIndex, Quote, TimeMs, Worth

HOUR_MS = 3_600_000


class Draft:
    """Copy-on-write view of a State."""

    __slots__ = (
        "accounts",
        "config",
        "counters",
        "custody",
        "filled",
        "funds",
        "groups",
        "indices",
        "markets",
        "oracle",
        "risks",
        "state",
        "terms",
        "time_ms",
    )

    def __init__(self, state: State) -> None:
        self.state = state
        self.config = state.config
        self.terms = state.terms
        self.groups = state.groups
        self.risks: dict[int, Risk] = state.risks
        self.indices: dict[int, FundingIndex] = state.indices
        self.accounts: dict[int, Account] = {}
        self.markets: dict[int, Market] = {}
        self.funds: dict[int, Funds] = {}
        self.custody: dict[int, int] = {}
        self.filled: dict[int, tuple[int, int]] = {}
        self.oracle: Oracle = state.oracle
        self.counters: Counters = state.counters
        self.time_ms: TimeMs = state.time_ms

    def fork(self) -> Draft:
        """The same draft once more, to go on from and drop: what is written to either is not seen by the other."""
        copy = Draft(self.state)
        copy.risks, copy.indices = self.risks, self.indices
        copy.accounts, copy.markets = dict(self.accounts), dict(self.markets)
        copy.funds, copy.custody, copy.filled = dict(self.funds), dict(self.custody), dict(self.filled)
        copy.oracle, copy.counters, copy.time_ms = self.oracle, self.counters, self.time_ms
        return copy

    def adopt(self, fork: Draft) -> None:
        """Take over everything a fork of this draft has written since."""
        self.risks, self.indices = fork.risks, fork.indices
        self.accounts, self.markets = fork.accounts, fork.markets
        self.funds, self.custody, self.filled = fork.funds, fork.custody, fork.filled
        self.oracle, self.counters, self.time_ms = fork.oracle, fork.counters, fork.time_ms

    def account(self, account_id: int) -> Account | None:
        """An account as this draft sees it."""
        found = self.accounts.get(account_id)
        return self.state.accounts.get(account_id) if found is None else found

    def market(self, market_id: int) -> Market:
        """A configured market as this draft sees it."""
        found = self.markets.get(market_id)
        return self.state.markets[market_id] if found is None else found

    def put(self, account: Account) -> None:
        """Write an account."""
        self.accounts[account.account_id] = account

    def put_market(self, market: Market) -> None:
        """Write a market; its funding index and its risk at a new price follow at once.

        Open-interest scaling follows when the draft is committed: both sides of a fill, and every fill of one
        transaction, are judged by the open interest before it, so that their order does not matter.
        """
        before = self.market(market.market_id)
        self.markets[market.market_id] = market
        if before.price != market.price:
            self.risks = dict(self.risks)  # it may be the state's, or shared with a fork
            self.risks[market.market_id] = risk_of(self.terms[market.market_id], market.price, market.scale)
        if before.funding_index != market.funding_index:
            self.indices = dict(self.indices)
            self.indices[market.market_id] = market.funding_index

    def fund(self, asset_id: int) -> Funds:
        """The venue's funds in one asset."""
        found = self.funds.get(asset_id)
        return self.state.funds[asset_id] if found is None else found

    def pay_fund(
        self, asset_id: int, *, fees: int = 0, l1: int = 0, insurance: int = 0, dust: Worth | None = None
    ) -> None:
        """Add to (or take from) the venue's funds."""
        now = self.fund(asset_id)
        self.funds[asset_id] = Funds(
            now.fees + Quote(fees),
            now.l1 + Quote(l1),
            now.insurance + Quote(insurance),
            now.dust if dust is None else now.dust + dust,
        )

    def held(self, asset_id: int) -> int:
        """What L1's custody holds of an asset."""
        found = self.custody.get(asset_id)
        return self.state.custody[asset_id] if found is None else found

    def order_filled(self, key: int) -> int:
        """Lots an order has traded, or the amount a message has moved."""
        found = self.filled.get(key)
        return self.state.filled.filled(key) if found is None else found[0]

    def lack(self, key: int) -> Reject | None:
        """Why filled orders cannot take this one, if they cannot."""
        return self.state.filled.lack(key, self.filled, self.time_ms, self.config.filled_orders_max)

    def commit(self) -> None:
        """Write everything to the state. The only place where State changes."""
        state = self.state
        for market in self.markets.values():
            put_market(state, market)
        for account in self.accounts.values():
            put_account(state, account)
        if self.funds:
            state.funds.update(self.funds)
        if self.custody:
            state.custody.update(self.custody)
        for key, (filled, expiry_s) in self.filled.items():
            state.filled.put(key, filled, expiry_s)
        if self.oracle is not state.oracle:
            hour = div_floor(self.oracle.time_ms, HOUR_MS)
            if hour != div_floor(state.oracle.time_ms, HOUR_MS):
                # Without this a venue that seals no batch would fill its lists of orders for good.
                state.filled.forget(seconds_floor(self.time_ms))
        state.oracle = self.oracle
        state.counters = self.counters
        state.time_ms = self.time_ms


View = State | Draft
"""Where rules about an account may be asked: the state itself or a draft of the next one."""
