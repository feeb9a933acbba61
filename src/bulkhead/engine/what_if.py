"""An order that is not sent, and prices that have not moved: what every account of its owner would be worth then.

Nothing is estimated. The fill is rehearsed as in `preview`, prices are written into the draft, and the ledger is asked
what it would do at them: top-ups that are due, which accounts may be liquidated, what each is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkhead.engine.arrange import MarginMode, mode_of
from bulkhead.engine.desk import Desk
from bulkhead.engine.order import Terms
from bulkhead.engine.rehearse import Whose, container_of, expected, fill_in, released, unsigned
from bulkhead.engine.sequencer import Sequencer
from bulkhead.fixed import quote_floor, requirement_quote_ceil
from bulkhead.ledger.accounts import health_of, settled_in
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.liquidate import open_case
from bulkhead.ledger.move import top_up
from bulkhead.ledger.state import Account, Kind, rescaled
from bulkhead.ledger.tx import Order, TopUp
from bulkhead.limits import PRICE_LIMIT
from bulkhead.reject import Reject
from bulkhead.units import AccountId, MarketId, Price, Quote

MOVES_MAX = 201
Prices = dict[MarketId, Price]
"""Index prices after a joint move, by market; those that are not named stay where they are."""


class Held(NamedTuple):
    """An account of the owner that holds something after the fill."""

    account_id: AccountId
    kind: Kind
    markets: tuple[MarketId, ...]
    is_container: bool  # the order's position lies here


class Point(NamedTuple):
    """The owner's accounts at one joint move, if prices jumped there now: before any liquidation step, after top-ups.

    `equity` and `maintenance` are the container's, rounded against it. `owner_equity` adds up all accounts; one that
    is worth less than nothing counts as nothing, for its debt is not its owner's. `owner_left` is what remains if
    everything that may be liquidated there loses all it has.
    """

    equity: Quote
    maintenance: Quote
    owner_equity: Quote
    owner_left: Quote
    down: tuple[AccountId, ...]  # accounts that may be liquidated, by rising id
    closed: tuple[AccountId, ...]  # those of them that are below close-out: nothing of them is kept


class ModeWhatIf(NamedTuple):
    """An order in one margin mode, filled as expected, along the moves."""

    mode: MarginMode
    is_current: bool
    reject: Reject | None  # why the mode refuses the order; its numbers are shown as if it had been taken
    container_id: AccountId
    accounts: tuple[Held, ...]
    now: Point
    points: tuple[Point, ...]  # one for each move


class WhatIf(NamedTuple):
    """An order four ways along joint moves."""

    reject: Reject | None
    modes: tuple[ModeWhatIf, ...]


class Rehearsal(NamedTuple):
    """An order filled in one margin mode, to be asked about prices.

    It holds all it needs, so that a long list of moves can be gone through in parts while the exchange goes on.
    """

    mode: MarginMode
    is_current: bool
    reject: Reject | None
    container_id: AccountId
    accounts: tuple[Held, ...]
    draft: Draft

    def at(self, prices: Prices) -> Point:
        """The owner's accounts at these prices; markets that are not named stay where they are."""
        return _point(self.draft, self.accounts, self.container_id, prices)

    def along(self, points: Sequence[Point]) -> ModeWhatIf:
        """The answer for one mode, from its point of now and those of the moves."""
        shown = (self.mode, self.is_current, self.reject, self.container_id, self.accounts)
        return ModeWhatIf(*shown, points[0], tuple(points[1:]))


class Rehearsed(NamedTuple):
    """`reject`: why the order would be refused now; if for anything but margin, there are no modes."""

    reject: Reject | None
    modes: tuple[Rehearsal, ...]


def what_if(
    sequencer: Sequencer, order: Order, prices: Sequence[Prices], terms: Terms | None = None, *, leverage: int = 0
) -> WhatIf | Reject:
    """Every mode for one order at every joint move, given by the prices it leads to. The reject is one of `problem`.

    All prices are taken as fresh, and open interest as the order leaves it.
    """
    refused = problem(sequencer, prices)
    if refused is not None:
        return refused
    found = rehearsed(sequencer, order, terms, leverage=leverage)
    modes = tuple(one.along([one.at(at) for at in ({}, *prices)]) for one in found.modes)
    return WhatIf(found.reject, modes)


def problem(sequencer: Sequencer, prices: Sequence[Prices]) -> Reject | None:
    """Why nothing can be asked at these prices.

    OUT_OF_RANGE for too many of them or one beyond what prices can be, UNKNOWN_MARKET, PRICE_UNKNOWN for a market that
    has no price to move from.
    """
    if len(prices) > MOVES_MAX:
        return Reject.OUT_OF_RANGE
    markets = sequencer.state.markets
    for at in prices:
        for market_id, price in at.items():
            if market_id not in markets:
                return Reject.UNKNOWN_MARKET
            if not int(markets[market_id].price):
                return Reject.PRICE_UNKNOWN
            if not 0 < int(price) < PRICE_LIMIT:
                return Reject.OUT_OF_RANGE
    return None


def rehearsed(
    sequencer: Sequencer, order: Order, terms: Terms | None = None, *, leverage: int = 0, replaces: str = ""
) -> Rehearsed:
    """The order filled as expected in every mode. `leverage` is as if it had been signed for the market; `replaces`
    the external id of the open order whose place it would take."""
    desk, terms = unsigned(sequencer.desk), Terms() if terms is None else terms
    reject, fills = expected(desk, order, terms, replaces)
    if fills is None:
        return Rehearsed(reject, ())
    desk = released(desk, order, replaces)
    whose = Whose(order.account_id, order.market_id, leverage, terms)
    signer = desk.state.accounts[order.account_id]
    family = _family(desk, signer)
    current = mode_of(desk.state, signer, order.market_id)
    found = []
    for mode in MarginMode:
        filled = fill_in(desk, whose, fills, mode)
        refused = filled.reject or filled.later
        if mode is MarginMode.SCENARIO and not desk.state.config.scenario_accounts:
            refused = Reject.MODE_NOT_AVAILABLE
        if mode is current and not leverage:
            refused = reject or refused
        draft, container = filled.place.draft, container_of(filled.place)
        held = _held(draft, [*family, *draft.accounts], container)
        found.append(Rehearsal(mode, mode is current, refused, container.account_id, held, draft))
    return Rehearsed(reject, tuple(found))


def _family(desk: Desk, signer: Account) -> list[int]:
    """Every account with the signer's key: his main account, its strategies, and isolated children of them all."""
    key = signer.owner_key
    return [account_id for account_id, account in desk.state.accounts.items() if account.owner_key == key]


def _held(draft: Draft, account_ids: list[int], container: Account) -> tuple[Held, ...]:
    """Accounts of one owner after the fill, funding paid and all prices young, by rising id.

    Everything that they will be judged by is written to the draft, so that it no longer looks at the state.
    """
    draft.risks, draft.indices = dict(draft.risks), dict(draft.indices)
    accounts = []
    for account_id in sorted(set(account_ids)):
        account = draft.account(account_id)
        if account is not None and account.owner_key == container.owner_key:
            accounts.append(settled_in(draft, account))
            draft.put(accounts[-1])
    for market_id in sorted(draft.terms):
        draft.put_market(draft.market(market_id)._replace(price_ms=draft.time_ms))
    others = tuple((asset_id, price, draft.time_ms) for asset_id, price, _ in draft.oracle.collateral)
    draft.oracle = draft.oracle._replace(collateral=others)
    return tuple(
        Held(
            account.account_id,
            account.kind,
            tuple(position.market_id for position in account.positions),
            account.account_id == container.account_id,
        )
        for account in accounts
    )


def _point(base: Draft, held: Sequence[Held], container_id: AccountId, prices: Prices) -> Point:
    """What the ledger would find at these prices."""
    draft = base.fork()
    for market_id, price in prices.items():
        draft.put_market(rescaled(draft.state, draft.market(market_id)._replace(price=price, price_ms=draft.time_ms)))
    for one in held:
        if one.markets and one.kind is not Kind.MAIN:
            top_up(draft, TopUp(draft.time_ms, one.account_id))  # a reject means that nothing is due
    total = left = equity = maintenance = 0
    down, closed = [], []
    for one in held:
        account = draft.account(one.account_id)
        assert account is not None, "it is held"
        health = health_of(draft, account)
        value = int(quote_floor(health.value))
        if one.account_id == container_id:
            equity, maintenance = value, int(requirement_quote_ceil(health.maintenance))
        total += max(0, value)
        if one.markets and not health.is_maintained and not isinstance(open_case(draft, one.account_id), Reject):
            down.append(one.account_id)
            if not health.is_above_close_out:
                closed.append(one.account_id)
        else:
            left += max(0, value)
    return Point(Quote(equity), Quote(maintenance), Quote(total), Quote(left), tuple(down), tuple(closed))
