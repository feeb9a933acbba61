"""The desk: every open order with its indexes, and the few steps by which orders enter, shrink and leave.

The other modules of the engine decide; this one keeps all views of an order in step: book, reserve, triggers,
parents and twins, expiry. Read `sequencer.py` first.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from bulkhead.engine.book import BUY, Book
from bulkhead.engine.event import Accepted, Cancelled, Event, Expired, Rejected
from bulkhead.engine.mark import Marks
from bulkhead.engine.order import Cause, OpenOrder, OrderType, PriceSource, Stage
from bulkhead.engine.reserve import Claims, Reserve
from bulkhead.engine.triggers import Triggers
from bulkhead.engine.volume import Volumes
from bulkhead.fixed import index_price, seconds_floor
from bulkhead.ledger.accounts import account_for
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.orders import key_of
from bulkhead.ledger.state import State
from bulkhead.reject import Reject
from bulkhead.units import AccountId, MarketId, Price, Size, TimeMs

NUMBER_DIGITS_MAX = 19  # of an order's number: below 2^63


class Desk:
    """What the engine knows beside the ledger's state."""

    __slots__ = (
        "accounts",
        "authority",
        "books",
        "caps",
        "claims",
        "dead_men",
        "events",
        "expiries",
        "external",
        "last_order_id",
        "marks",
        "moved",
        "now_s",
        "number",
        "orders",
        "reducing",
        "reserve",
        "seen",
        "spent",
        "state",
        "time_ms",
        "touched",
        "triggers",
        "volumes",
    )

    def __init__(self, state: State, authority: Authority) -> None:
        self.state = state
        self.authority = authority
        self.books: dict[int, Book] = {terms.market_id: Book() for terms in state.config.markets}
        self.orders: dict[int, OpenOrder] = {}
        self.accounts: dict[int, dict[int, OpenOrder]] = {}  # account → its orders, oldest first
        self.external: dict[tuple[int, str], int] = {}
        self.reducing: dict[tuple[int, int], dict[int, OpenOrder]] = {}  # (account, market) → reduce-only orders
        self.seen: dict[int, int] = {}  # key of every accepted order until the book forgets it → order id
        self.expiries: list[tuple[int, int, int]] = []  # heap of (book expiry, order id, key)
        self.reserve = Reserve()
        self.caps: dict[tuple[int, int], int] = {}  # (account, market) → leverage
        self.claims = Claims(state, self.reserve, self.caps)
        self.triggers = Triggers()
        self.marks = Marks(state)
        self.volumes = Volumes(state.config.fees)
        self.volumes.roll(state.time_ms)
        self.dead_men: dict[int, int] = {}  # account → deadline
        self.touched: dict[tuple[int, int], None] = {}  # positions that changed: their reduce-only orders must follow
        self.spent: dict[int, None] = {}  # orders whose size changed while a match was running
        self.moved: dict[int, None] = {}  # markets whose prices triggers must see
        self.events: list[Event] = []
        self.number = 0
        self.last_order_id = 0
        self.time_ms: TimeMs = state.time_ms
        self.now_s = seconds_floor(state.time_ms)

    # -- saying what happened --------------------------------------------------------------------------------------

    def emit(self, kind: Callable[..., Event], *fields: object) -> None:
        """Publish an event under the next number."""
        self.number += 1
        self.events.append(kind(self.number, self.time_ms, *fields))

    def reject(self, reason: Reject, account_id: int, external_id: str = "", detail: str = "") -> None:
        """Publish that a command was refused."""
        self.emit(Rejected, reason, account_id, external_id, detail)

    # -- orders ----------------------------------------------------------------------------------------------------

    def enter(self, order: OpenOrder) -> None:
        """Accept an order: from now on it is known by id, external id and hash."""
        order_id, signed = order.order_id, order.signed
        account_id = signed.account_id
        self.orders[order_id] = order
        mine = self.accounts.get(account_id)
        if mine is None:
            mine = self.accounts[account_id] = {}
        mine[order_id] = order
        external_id = order.terms.external_id
        if external_id:
            self.external[account_id, external_id] = order_id
        if order.reduce_only:
            self.follow_up(order)
        key = key_of(order.order_hash)
        self.seen[key] = order_id
        heappush(self.expiries, (order.expiry_s, order_id, key))
        self.emit(
            Accepted, order_id, account_id, signed.market_id, external_id, order.side, order.price, order.left
        )

    def follow_up(self, order: OpenOrder) -> None:
        """Let a reduce-only order follow its position from now on."""
        place = (order.signed.account_id, order.signed.market_id)
        self.reducing.setdefault(place, {})[order.order_id] = order

    def wait(self, order: OpenOrder) -> None:
        """Put an order to wait for its trigger."""
        assert order.terms.trigger is not None, "only an order with a trigger waits"
        order.stage = Stage.WAITING
        self.triggers.add(order.order_id, order.signed.market_id, order.terms.trigger)
        self.moved[order.signed.market_id] = None

    def leave(self, order: OpenOrder) -> None:
        """Forget an order. Its rest in the book is the caller's: the book may be in the middle of a match."""
        order_id, signed = order.order_id, order.signed
        account_id = signed.account_id
        del self.orders[order_id]
        mine = self.accounts[account_id]
        del mine[order_id]
        if not mine:
            del self.accounts[account_id]
        external_id = order.terms.external_id
        if external_id:
            del self.external[account_id, external_id]
        if order.reduce_only:
            following = self.reducing[account_id, signed.market_id]
            del following[order_id]
            if not following:
                del self.reducing[account_id, signed.market_id]
        if order.stage is Stage.WAITING and order.terms.trigger is not None:
            self.triggers.remove(order_id, signed.market_id, order.terms.trigger)
        if order.reserved:
            self.reserve.cut(order, Size(0))
        if order.legs:
            self._release_legs(order)

    def _release_legs(self, parent: OpenOrder) -> None:
        """A parent that leaves without a fill takes its take-profit and stop-loss along."""
        for leg_id in parent.legs:
            leg = self.orders.get(leg_id)
            if leg is not None and leg.stage is Stage.DORMANT:
                self.leave(leg)
                self._say_cancelled(leg, leg.left, Cause.PARENT_GONE, None)

    def drop(self, order: OpenOrder, cause: Cause, reject: Reject | None = None, *, in_book: bool = True) -> None:
        """Cancel an order. `in_book=False` when the book has let go of it already, or never had it."""
        left = order.left
        if in_book and order.stage is Stage.RESTING:
            self.books[order.signed.market_id].cancel(order.order_id)
        self._say_cancelled(order, left, cause, reject)
        self.leave(order)

    def _say_cancelled(self, order: OpenOrder, left: Size, cause: Cause, reject: Reject | None) -> None:
        signed = order.signed
        self.emit(
            Cancelled,
            order.order_id,
            signed.account_id,
            signed.market_id,
            order.terms.external_id,
            left,
            cause,
            reject,
        )

    def expire(self, order: OpenOrder) -> None:
        """An order's time is up."""
        signed = order.signed
        if order.stage is Stage.RESTING:
            self.books[signed.market_id].cancel(order.order_id)
        self.emit(
            Expired, order.order_id, signed.account_id, signed.market_id, order.terms.external_id, order.left
        )
        self.leave(order)

    def forget_expired(self) -> None:
        """Every order whose book expiry has come leaves, open or not; its hash could not be accepted again."""
        heap, now_s = self.expiries, self.now_s
        while heap and heap[0][0] <= now_s:
            _, order_id, key = heappop(heap)
            if self.seen.get(key) == order_id:
                del self.seen[key]
            order = self.orders.get(order_id)
            if order is not None:
                self.expire(order)

    # -- fills -----------------------------------------------------------------------------------------------------

    def fill(self, order: OpenOrder, size: Size) -> None:
        """Count a fill: of the order, of its protection, of its twin. An order that has traded it all leaves."""
        order.left = order.left - size
        order.filled = order.filled + size
        if order.reserved:
            self.reserve.cut(order, order.left)
        for leg_id in order.legs:
            leg = self.orders.get(leg_id)
            if leg is not None:
                self._feed_leg(leg, size)
        twin = self.orders.get(order.sibling_id)
        if twin is not None and not order.is_whole_position:
            twin.left = max(Size(0), twin.left - size)
            self.spent[twin.order_id] = None
        if not order.left:
            if twin is not None:
                twin.left = Size(0)
                self.spent[twin.order_id] = None
            self.leave(order)

    def _feed_leg(self, leg: OpenOrder, size: Size) -> None:
        """A parent's fill makes its protection active, or larger."""
        if leg.stage is Stage.DORMANT:
            self.wait(leg)
            if not leg.is_whole_position:
                leg.left = Size(0)
        if not leg.is_whole_position:
            leg.left = min(leg.left + size, abs(leg.signed.base_amount))
            if leg.stage is Stage.RESTING:
                self.spent[leg.order_id] = None  # it fired before its parent was done: the book must follow

    # -- questions -------------------------------------------------------------------------------------------------

    def held(self, account_id: int, market_id: int) -> Size:
        """Lots held in a market by the account that holds its positions there (itself, or its child)."""
        holder = account_for(self.state, account_id, MarketId(market_id))
        return Size(0) if holder is None else holder.size(market_id)

    def closable(self, account_id: AccountId, market_id: MarketId, side: int) -> Size:
        """Lots that an order on `side` can close: the whole position on the other side, or none."""
        held = self.held(account_id, market_id)
        if side == BUY:
            return -held if held < Size(0) else Size(0)
        return held if held > Size(0) else Size(0)

    def price_of(self, market_id: int, source: PriceSource) -> Price:
        """What a trigger watches; 0 when unknown."""
        if source is PriceSource.INDEX:
            return self.state.markets[market_id].price
        quoted = self.marks.by_market[market_id]
        return quoted.mark if source is PriceSource.MARK else index_price(quoted.last)

    def named(self, account_id: int, name: str) -> OpenOrder | None:
        """An open order of an account by its external id. One that was given none, as the second of a pair or what
        protects an order, answers to its number in decimals; a name that somebody chose goes before that."""
        chosen = self.external.get((account_id, name))
        if chosen is not None:
            return self.orders[chosen]
        if not (name.isascii() and name.isdigit()) or name[0] == "0" or len(name) > NUMBER_DIGITS_MAX:
            return None
        order = self.orders.get(int(name))
        is_meant = order is not None and order.signed.account_id == account_id and not order.terms.external_id
        return order if is_meant else None

    def of_account(self, account_id: int) -> list[OpenOrder]:
        """Open orders of a signable account, oldest first."""
        return list(self.accounts.get(account_id, {}).values())

    def has_orders(self, account_id: int, market_id: int) -> bool:
        """An account has open orders in a market, resting or waiting."""
        return any(order.signed.market_id == market_id for order in self.accounts.get(account_id, {}).values())


def takes_only(order: OpenOrder) -> bool:
    """An order that never rests: what does not trade at once is cancelled."""
    terms = order.terms
    return is_market(order) or terms.time_in_force != 1


def is_market(order: OpenOrder) -> bool:
    """Its signed price is only the worst acceptable one."""
    terms = order.terms
    if terms.kind is OrderType.MARKET:
        return True
    return terms.trigger is not None and terms.trigger.execution == 1
