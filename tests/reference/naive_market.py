"""The naive twin's market: the list of orders, what may be asked of it, and whether an order may enter."""

from __future__ import annotations

from dataclasses import dataclass

from bulkhead.engine import command as ask
from bulkhead.engine.order import Execution, Leg, OrderType, SelfTrade, Terms, TimeInForce
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import Status
from bulkhead.ledger.tx import Order
from bulkhead.limits import EXPIRY_GRACE_S, NOTIONAL_LIMIT
from bulkhead.reject import Reject
from bulkhead.rules import prices

Event = tuple[object, ...]
BUY, SELL = 0, 1
RESTING, WAITING, DORMANT = "resting", "waiting", "dormant"


@dataclass
class Entry:
    """An open order."""

    order_id: int
    signed: Order
    terms: Terms
    left: int
    stage: str
    reduce_only: bool
    filled: int = 0
    arrived: int = 0  # when it came to rest
    shown: int = 0  # lots the book shows of it
    parent: int = 0
    twin: int = 0
    whole: bool = False
    has_legs: bool = False

    @property
    def account(self) -> int:
        return self.signed.account_id

    @property
    def market(self) -> int:
        return self.signed.market_id

    @property
    def side(self) -> int:
        return BUY if self.signed.base_amount > 0 else SELL

    @property
    def price(self) -> int:
        return abs(self.signed.quote_amount) // abs(self.signed.base_amount)

    @property
    def expiry_s(self) -> int:
        return self.signed.expiration_s - EXPIRY_GRACE_S

    @property
    def is_market(self) -> bool:
        if self.terms.kind is OrderType.MARKET:
            return True
        return self.terms.trigger is not None and self.terms.trigger.execution is Execution.MARKET


class NaiveMarket:
    """Orders in a list by id; everything else is asked of that list."""

    def __init__(self, config: VenueConfig, owners: dict[int, tuple[int, int]], time_ms: int, orders_max: int) -> None:
        self.config = config
        self.owners = owners  # account → its key, and the owner on L1 that it names
        self.orders: list[Entry] = []
        self.positions: dict[tuple[int, int], int] = {}
        self.accepted: set[tuple[object, ...]] = set()  # every order accepted, without its signature
        self.index: dict[int, int] = {}
        self.basis = {terms.market_id: 0 for terms in config.markets}
        self.marks = {terms.market_id: 0 for terms in config.markets}
        self.marked_ms = dict.fromkeys(self.marks, time_ms)
        self.last = dict.fromkeys(self.marks, 0)
        self.status = dict.fromkeys(self.marks, Status.ACTIVE)
        self.dead_men: dict[int, int] = {}
        self.time_ms = time_ms
        self.orders_max = orders_max
        self.number = self.last_id = self.arrivals = self.batches = 0
        self.out: list[Event] = []
        self.spent: list[int] = []
        self.touched: list[tuple[int, int]] = []
        self.moved: list[int] = []

    # -- helpers ---------------------------------------------------------------------------------------------------

    def say(self, kind: str, *fields: object) -> None:
        self.number += 1
        self.out.append((kind, self.number, self.time_ms, *fields))

    def find(self, order_id: int) -> Entry | None:
        return next((entry for entry in self.orders if entry.order_id == order_id), None)

    def by_external(self, account: int, external_id: str) -> Entry | None:
        named = [entry for entry in self.orders if entry.account == account and external_id]
        return next((entry for entry in named if entry.terms.external_id == external_id), None)

    def by_name(self, account: int, name: str) -> Entry | None:
        nameless = (entry for entry in self.orders if entry.account == account and not entry.terms.external_id)
        numbered = next((entry for entry in nameless if str(entry.order_id) == name), None)
        return self.by_external(account, name) or numbered

    def closable(self, account: int, market: int, side: int) -> int:
        held = self.positions.get((account, market), 0)
        return max(0, -held) if side == BUY else max(0, held)

    def band(self, market: int) -> tuple[int, int]:
        share = next(terms.band for terms in self.config.markets if terms.market_id == market)
        return prices.band(self.marks[market] or self.index[market], share)

    def limit(self, entry: Entry) -> int:
        if not entry.is_market:
            return entry.price
        low, high = self.band(entry.market)
        return min(entry.price, high) if entry.side == BUY else max(entry.price, low)

    def makers(self, entry: Entry) -> list[Entry]:
        """Resting orders the entry would meet, best price first, then first come."""
        limit = self.limit(entry)
        sign = 1 if entry.side == BUY else -1
        found = [
            other
            for other in self.orders
            if other.market == entry.market
            and other.side != entry.side
            and other.stage == RESTING
            and other.arrived
            and other.price * sign <= limit * sign
        ]
        return sorted(found, key=lambda other: (other.price * sign, other.arrived))

    def is_self(self, taker: Entry, maker: Entry) -> bool:
        if taker.account == maker.account:
            return True
        key, other = self.owners[taker.account][0], self.owners[maker.account][0]
        return taker.terms.self_trade is SelfTrade.CLIENT and key == other

    def is_claimed(self, taker: Entry, maker: Entry) -> bool:
        (key, owner), (other_key, other_owner) = self.owners[taker.account], self.owners[maker.account]
        return taker.terms.self_trade is SelfTrade.CLIENT and key != other_key and owner == other_owner

    # -- admission -------------------------------------------------------------------------------------------------

    def message_problem(self, order: Order, external_id: str = "", *, is_capped: bool = False) -> Reject | None:
        size, value = abs(order.base_amount), abs(order.quote_amount)
        if value >= NOTIONAL_LIMIT:
            return Reject.OUT_OF_RANGE
        if size == 0:
            return Reject.SIZE_IS_ZERO
        if value == 0:
            return Reject.PRICE_IS_ZERO
        if order.base_amount * order.quote_amount > 0:
            return Reject.WRONG_SIDE
        terms = next((terms for terms in self.config.markets if terms.market_id == order.market_id), None)
        if terms is None:
            return Reject.UNKNOWN_MARKET
        if order.account_id not in self.owners:
            return Reject.UNKNOWN_ACCOUNT
        content = tuple(order[:-1])
        is_open = any(tuple(entry.signed[:-1]) == content for entry in self.orders)
        if is_open or self.by_external(order.account_id, external_id) is not None:
            return Reject.DUPLICATE
        if order.public_key != self.owners[order.account_id][0]:
            return Reject.WRONG_KEY
        now_s = self.time_ms // 1000
        if order.expiration_s - EXPIRY_GRACE_S <= now_s:
            return Reject.EXPIRED
        if order.expiration_s > now_s + self.config.expiry_max_s:
            return Reject.EXPIRY_TOO_FAR
        if content in self.accepted:
            return Reject.REPLAYED
        if value % size or value // size % terms.tick:
            return Reject.PRICE_OFF_TICK
        if size < terms.size_min:
            return Reject.SIZE_BELOW_MINIMUM
        return Reject.VALUE_ABOVE_MAXIMUM if not is_capped and value > terms.order_value_max else None

    def problem(self, command: ask.PlaceOrder) -> Reject | None:
        signed, terms = command.order, command.terms
        reason = self.message_problem(signed, terms.external_id)
        replaced = None
        if command.cancel_external_id:
            replaced = self.by_name(signed.account_id, command.cancel_external_id)
            if replaced is None or replaced.market != signed.market_id:
                return reason if reason is not None and reason < Reject.UNKNOWN_ORDER else Reject.UNKNOWN_ORDER
            if replaced.terms.kind is OrderType.TPSL:
                return reason if reason is not None and reason < Reject.WRONG_KIND else Reject.WRONG_KIND
        if reason is not None:
            return reason
        legs = [leg for leg in (command.take_profit, command.stop_loss) if leg is not None]
        entry = self.entry(signed, terms)
        reason = self.legs_problem(legs, signed.account_id, signed.market_id)
        for leg in legs:
            is_same_side = (leg.order.base_amount > 0) == (signed.base_amount > 0)
            if reason is None and (is_same_side or terms.reduce_only or terms.kind is OrderType.CONDITIONAL):
                reason = Reject.TRIGGER_INVALID
        if reason is None:
            reason = self.attribute_problem(entry)
        if reason is None:
            reason = self.waiting_problem(entry) if entry.stage == WAITING else self.entry_problem(entry, replaced)
        count = sum(other.account == entry.account for other in self.orders) + 1 + len(legs) - (replaced is not None)
        if (reason is None or reason > Reject.TOO_MANY_ORDERS) and count > self.orders_max:
            return Reject.TOO_MANY_ORDERS
        return reason

    def legs_problem(self, legs: list[Leg], account: int, market: int) -> Reject | None:
        for leg in legs:
            reason = self.message_problem(leg.order, is_capped=True)
            if reason is not None:
                return reason
        if len(legs) == 2 and legs[0].order[:-1] == legs[1].order[:-1]:
            return Reject.DUPLICATE
        is_elsewhere = any((leg.order.account_id, leg.order.market_id) != (account, market) for leg in legs)
        return Reject.TRIGGER_INVALID if is_elsewhere or any(leg.trigger.price <= 0 for leg in legs) else None

    def attribute_problem(self, entry: Entry) -> Reject | None:
        terms = entry.terms
        if (terms.kind is OrderType.CONDITIONAL) != (terms.trigger is not None):
            return Reject.TRIGGER_INVALID
        if terms.trigger is not None and terms.trigger.price <= 0:
            return Reject.TRIGGER_INVALID
        is_taking = entry.is_market or terms.time_in_force is not TimeInForce.GTT
        return Reject.POST_ONLY_WOULD_TRADE if terms.post_only and is_taking else None

    def waiting_problem(self, entry: Entry) -> Reject | None:
        status = self.status[entry.market]
        if status is Status.OFF:
            return Reject.MARKET_OFF
        if status is Status.CANCEL_ONLY:
            return Reject.MARKET_CANCEL_ONLY
        if entry.reduce_only and not self.closable(entry.account, entry.market, entry.side):
            return Reject.REDUCE_ONLY_WOULD_GROW
        return None

    def protection_problem(self, command: ask.PlaceProtection) -> Reject | None:
        legs = [leg for leg in (command.take_profit, command.stop_loss) if leg is not None]
        reason = self.legs_problem(legs, command.account_id, command.market_id)
        worse = self.leaving_problem(command)
        if reason is not None or worse is not None:
            return min(one for one in (reason, worse) if one is not None)
        if self.by_external(command.account_id, command.external_id) is not None:
            return Reject.DUPLICATE
        if any(command.size > abs(leg.order.base_amount) for leg in legs):
            return Reject.ORDER_OVERFILLED
        for leg in legs:
            side = BUY if leg.order.base_amount > 0 else SELL
            if not self.closable(command.account_id, command.market_id, side):
                return Reject.REDUCE_ONLY_WOULD_GROW
        count = sum(other.account == command.account_id for other in self.orders) + len(legs)
        if count - len(self.leaving(command)) > self.orders_max:
            return Reject.TOO_MANY_ORDERS
        return None if legs else Reject.TRIGGER_INVALID

    def leaving(self, command: ask.PlaceProtection) -> list[Entry]:
        named = self.by_name(command.account_id, command.cancel_external_id)
        if named is None:
            return []
        return [entry for entry in self.orders if entry is named or (entry.twin and entry.twin == named.order_id)]

    def leaving_problem(self, command: ask.PlaceProtection) -> Reject | None:
        named = self.by_name(command.account_id, command.cancel_external_id)
        if not command.cancel_external_id:
            return None
        if named is None or named.market != command.market_id or named.stage == DORMANT:
            return Reject.UNKNOWN_ORDER
        if named.terms.kind is not OrderType.TPSL:
            return Reject.WRONG_KIND
        follows = named.parent and self.find(named.parent) is not None
        return Reject.ORDERS_OPEN if follows and (command.size or not named.whole) else None

    def entry_problem(self, entry: Entry, replaced: Entry | None) -> Reject | None:
        status = self.status[entry.market]
        closable = self.closable(entry.account, entry.market, entry.side)
        if status is Status.OFF:
            return Reject.MARKET_OFF
        if status is Status.CANCEL_ONLY:
            return Reject.MARKET_CANCEL_ONLY
        if status is Status.POST_ONLY and not entry.terms.post_only:
            return Reject.MARKET_POST_ONLY
        if status is Status.REDUCE_ONLY and not entry.reduce_only and entry.left > closable:
            return Reject.MARKET_REDUCE_ONLY
        low, high = self.band(entry.market)
        if not entry.is_market and not low <= entry.price <= high:
            return Reject.OUTSIDE_PRICE_BAND
        met = [maker for maker in self.makers(entry) if maker is not replaced]
        if entry.terms.post_only and met:
            return Reject.POST_ONLY_WOULD_TRADE
        if entry.reduce_only and entry.left > closable:
            return Reject.REDUCE_ONLY_WOULD_GROW
        if entry.terms.time_in_force is TimeInForce.FOK and self.tradable(entry, met) < entry.left:
            return Reject.FILL_OR_KILL_UNFILLED
        if entry.terms.kind is OrderType.MARKET and not met:
            return Reject.NO_LIQUIDITY
        return None

    def tradable(self, entry: Entry, met: list[Entry]) -> int:
        """Lots the entry would trade: positions and twins of reduce-only makers used up as they are met."""
        used: dict[tuple[int, int], int] = {}
        lefts = {maker.order_id: maker.left for maker in self.orders}
        total = 0
        for maker in met:
            if self.is_self(entry, maker):
                continue
            if total < entry.left and self.is_claimed(entry, maker):
                break
            lots = min(entry.left - total, lefts[maker.order_id])
            place = (maker.account, maker.side)
            if maker.reduce_only:
                held = self.closable(maker.account, maker.market, maker.side)
                lots = max(0, min(lots, held - used.get(place, 0)))
            used[place] = used.get(place, 0) + lots
            if maker.twin in lefts and not maker.whole:
                lefts[maker.twin] -= lots
            total += lots
        return total

    def entry(self, signed: Order, terms: Terms) -> Entry:
        size = abs(signed.base_amount)
        if terms.reduce_only:
            side = BUY if signed.base_amount > 0 else SELL
            size = min(size, self.closable(signed.account_id, signed.market_id, side)) or size
        stage = RESTING if terms.trigger is None else WAITING
        return Entry(self.last_id + 1, signed, terms, size, stage, terms.reduce_only)

    def enter(self, entry: Entry) -> None:
        self.last_id = entry.order_id
        self.orders.append(entry)
        self.accepted.add(tuple(entry.signed[:-1]))
        self.say(
            "Accepted",
            entry.order_id,
            entry.account,
            entry.market,
            entry.terms.external_id,
            entry.side,
            entry.price,
            entry.left,
        )
