"""The obvious twin of `bulkhead.engine.sequencer.Sequencer`: one list of orders, scanned from end to end every time.

No margin and no ledger: every account can always pay. Positions are a dict. Events come out as plain tuples, without
the numbers only a ledger knows (fees, profits, receipts), in the form that `plain` gives the real ones.
"""

from __future__ import annotations

from bulkhead.engine import command as ask
from bulkhead.engine import event as said
from bulkhead.engine.order import Cause, Direction, OrderType, PriceSource, Protects, Terms, TimeInForce
from bulkhead.ledger.state import Status
from bulkhead.reject import Reject
from bulkhead.rules import prices
from tests.reference.naive_market import BUY, DORMANT, RESTING, SELL, WAITING, Entry, Event, NaiveMarket


def plain(event: said.Event) -> Event:
    """An event of the real engine without what the twin cannot know."""
    kind = type(event).__name__
    if isinstance(event, said.Traded):
        return (kind, *event[:10])
    if isinstance(event, said.PricesAccepted):
        return (kind, *event[:2])
    return (kind, *event)


class NaiveEngine(NaiveMarket):
    """Commands and their consequences."""

    def gone(self, entry: Entry) -> None:
        self.orders.remove(entry)
        if entry.has_legs:
            for leg in [leg for leg in self.orders if leg.parent == entry.order_id and leg.stage == DORMANT]:
                self.orders.remove(leg)
                self.cancelled(leg, Cause.PARENT_GONE)

    def cancelled(self, entry: Entry, cause: Cause, reject: Reject | None = None) -> None:
        self.say(
            "Cancelled", entry.order_id, entry.account, entry.market, entry.terms.external_id, entry.left, cause, reject
        )

    def drop(self, entry: Entry, cause: Cause, reject: Reject | None = None) -> None:
        self.cancelled(entry, cause, reject)
        self.gone(entry)

    # -- commands --------------------------------------------------------------------------------------------------

    def handle(self, command: ask.Command) -> list[Event]:
        self.out = []
        if command.time_ms < self.time_ms:
            account = getattr(command, "account_id", 0)
            self.say("Rejected", Reject.CLOCK_WENT_BACK, account, "", type(command).__name__)
            return self.out
        self.time_ms = command.time_ms
        due = [entry for entry in self.orders if entry.expiry_s <= self.time_ms // 1000]
        for entry in sorted(due, key=lambda entry: (entry.expiry_s, entry.order_id)):
            if entry in self.orders:
                self.say("Expired", entry.order_id, entry.account, entry.market, entry.terms.external_id, entry.left)
                self.gone(entry)
        getattr(self, f"on_{type(command).__name__}")(command)
        self.settle_down()
        return self.out

    def on_PlaceOrder(self, command: ask.PlaceOrder) -> None:
        signed, terms = command.order, command.terms
        reason = self.problem(command)
        if reason is not None:
            self.say("Rejected", reason, signed.account_id, terms.external_id, "")
            return
        entry = self.entry(signed, terms)
        replaced = self.by_name(signed.account_id, command.cancel_external_id)
        if replaced is not None:
            self.take_over(entry, replaced)
        if self.status[entry.market] is Status.REDUCE_ONLY:
            entry.reduce_only = True
        self.enter(entry)
        legs = []
        for leg in (command.take_profit, command.stop_loss):
            if leg is not None:
                child = self.entry(leg.order, Terms(kind=OrderType.TPSL, trigger=leg.trigger))
                child.stage, child.reduce_only, child.parent = DORMANT, True, entry.order_id
                child.whole = command.protects is Protects.POSITION
                entry.has_legs = True
                self.enter(child)
                legs.append(child)
        self.pair(legs)
        self.move(entry.market)
        if entry.stage == RESTING:
            self.start(entry)

    def take_over(self, entry: Entry, replaced: Entry) -> None:
        place = (replaced.account, replaced.market)
        self.say(
            "Replaced", entry.order_id, replaced.order_id, *place, replaced.terms.external_id, replaced.left
        )  # fmt: skip
        self.gone(replaced)

    def on_PlaceProtection(self, command: ask.PlaceProtection) -> None:
        reason = self.protection_problem(command)
        if reason is not None:
            self.say("Rejected", reason, command.account_id, command.external_id, "")
            return
        leaving, legs = self.leaving(command), []
        parent = self.find(leaving[0].parent) if leaving and leaving[0].parent else None
        for leg in (command.take_profit, command.stop_loss):
            if leg is not None:
                external_id = "" if legs else command.external_id
                entry = self.entry(leg.order, Terms(external_id, OrderType.TPSL, trigger=leg.trigger))
                entry.reduce_only, entry.whole = True, command.size == 0
                entry.left = command.size or abs(leg.order.base_amount)
                entry.parent = 0 if parent is None else parent.order_id
                self.enter(entry)
                legs.append(entry)
        self.move(command.market_id)
        self.pair(legs)
        for old, new in zip(leaving, [*legs, legs[-1]], strict=False):
            self.take_over(new, old)

    def pair(self, legs: list[Entry]) -> None:
        if len(legs) == 2:
            legs[0].twin, legs[1].twin = legs[1].order_id, legs[0].order_id

    def on_CancelOrder(self, command: ask.CancelOrder) -> None:
        self.cancel_one(command.account_id, command.order_id, command.external_id)

    def cancel_one(self, account: int, order_id: int, external_id: str, *, is_mass: bool = False) -> None:
        if order_id:
            entry = self.find(order_id)
            entry = entry if entry is not None and entry.account == account else None
        else:
            entry = self.by_name(account, external_id)
        if entry is None:
            self.say("Rejected", Reject.UNKNOWN_ORDER, account, external_id, str(order_id or ""))
            return
        twin = self.find(entry.twin) if entry.twin else None
        self.drop(entry, Cause.REQUESTED)
        if twin is not None and entry.terms.kind is OrderType.TPSL and entry.terms.external_id:
            self.drop(twin, Cause.REQUESTED)

    def on_CancelAll(self, command: ask.CancelAll) -> None:
        self.drop_each([entry for entry in self.orders if entry.account == command.account_id], Cause.REQUESTED)

    def on_MassCancel(self, command: ask.MassCancel) -> None:
        for order_id in command.order_ids:
            self.cancel_one(command.account_id, order_id, "")
        for external_id in command.external_ids:
            self.cancel_one(command.account_id, 0, external_id)
        mine = [entry for entry in self.orders if entry.account == command.account_id]
        chosen = [entry for entry in mine if command.is_everything or entry.market in command.market_ids]
        self.drop_each(chosen, Cause.REQUESTED)

    def drop_each(self, entries: list[Entry], cause: Cause) -> None:
        for entry in entries:
            if entry in self.orders:
                self.drop(entry, cause)

    def on_SetDeadMan(self, command: ask.SetDeadMan) -> None:
        deadline = self.time_ms + command.countdown_ms if command.countdown_ms else 0
        self.dead_men.pop(command.account_id, None)
        if deadline:
            self.dead_men[command.account_id] = deadline
        self.say("DeadManSet", command.account_id, deadline)

    def on_Clock(self, command: ask.Clock) -> None:
        for account, deadline in sorted(self.dead_men.items()):
            if deadline <= self.time_ms:
                del self.dead_men[account]
                mine = [entry for entry in self.orders if entry.account == account]
                self.drop_each(
                    [entry for entry in mine if not (entry.reduce_only and entry.stage != RESTING)], Cause.DEAD_MAN
                )
        self.update_marks(is_new_index=False)

    def on_Prices(self, command: ask.Prices) -> None:
        self.index = {feed: int(price) for feed, price in command.reports[0].prices}
        self.say("PricesAccepted")
        self.update_marks(is_new_index=True)

    def update_marks(self, *, is_new_index: bool) -> None:
        for market, index in sorted(self.index.items()):
            resting = [entry for entry in self.orders if entry.market == market and entry.stage == RESTING]
            buys = [entry.price for entry in resting if entry.side == BUY]
            sells = [entry.price for entry in resting if entry.side == SELL]
            sample = prices.basis(max(buys), min(sells), index) if buys and sells else 0
            elapsed = self.time_ms - self.marked_ms[market]
            if elapsed:
                self.basis[market] = prices.basis_average(self.basis[market], sample, elapsed, 30_000)
            self.marked_ms[market] = self.time_ms
            mark = prices.mark(index, self.basis[market])
            if mark != self.marks[market]:
                self.marks[market] = mark
                self.say("MarkChanged", market, index, mark)
                self.move(market)
            elif is_new_index:
                self.move(market)

    def on_SetStatus(self, command: ask.SetStatus) -> None:
        market = command.market_id
        self.status[market] = command.status
        self.say("StatusChanged", market, command.status)
        self.move(market)
        for entry in [entry for entry in self.orders if entry.market == market]:
            if command.status is Status.OFF and entry in self.orders:
                self.drop(entry, Cause.MARKET_CLOSED)
            elif command.status is Status.REDUCE_ONLY and entry.stage == RESTING and not entry.reduce_only:
                entry.reduce_only = True
                self.touch(entry)

    def on_SealBatch(self, command: ask.SealBatch) -> None:
        self.batches += 1
        self.say("BatchSealed", self.batches)

    # -- trading ---------------------------------------------------------------------------------------------------

    def start(self, taker: Entry) -> None:
        for maker in self.makers(taker):
            if not taker.left:
                break
            if maker not in self.orders:
                continue
            if self.is_self(taker, maker):
                self.drop(maker, Cause.SELF_TRADE)
                continue
            if self.is_claimed(taker, maker):
                self.drop(taker, Cause.REFUSED, Reject.SELF_TRADE)
                return
            if maker.left and maker.reduce_only:
                closable = self.closable(maker.account, maker.market, maker.side)
                if not closable:
                    self.drop(maker, Cause.NOTHING_TO_REDUCE)
                    continue
                if closable < maker.left:
                    maker.left = closable
                    self.spend(maker)
            if not maker.left:
                self.drop(maker, Cause.OTHER_SIDE_FILLED)
                continue
            self.trade(maker, taker, min(maker.left, taker.left))
        if not taker.left:
            return
        if taker.is_market or taker.terms.time_in_force is not TimeInForce.GTT:
            self.drop(taker, Cause.NOTHING_TO_TAKE)
            return
        self.arrivals += 1
        taker.arrived, taker.shown = self.arrivals, taker.left
        self.say("Rested", taker.order_id, taker.account, taker.market, taker.side, taker.price, taker.left)

    def trade(self, maker: Entry, taker: Entry, lots: int) -> None:
        self.last[maker.market] = maker.price
        self.move(maker.market)
        self.say(
            "Traded",
            maker.market,
            maker.price,
            lots,
            taker.side,
            maker.order_id,
            taker.order_id,
            maker.account,
        )
        self.out[-1] = (*self.out[-1], taker.account)
        for entry in (maker, taker):
            place = (entry.account, entry.market)
            self.positions[place] = self.positions.get(place, 0) + (lots if entry.side == BUY else -lots)
            self.touch(entry)
            self.fill(entry, lots)

    def fill(self, entry: Entry, lots: int) -> None:
        entry.left -= lots
        entry.shown = max(0, entry.shown - lots)
        entry.filled += lots
        for leg in [leg for leg in self.orders if leg.parent == entry.order_id]:
            if leg.stage == DORMANT:
                leg.stage = WAITING
                self.move(leg.market)
                if not leg.whole:
                    leg.left = 0
            if not leg.whole:
                leg.left = min(leg.left + lots, abs(leg.signed.base_amount))
                if leg.stage == RESTING:
                    self.spend(leg)
        twin = self.find(entry.twin) if entry.twin else None
        if twin is not None:
            if not entry.whole:
                twin.left = max(0, twin.left - lots)
                self.spend(twin)
            if not entry.left:
                twin.left = 0
                self.spend(twin)
        if not entry.left:
            self.gone(entry)

    # -- consequences ----------------------------------------------------------------------------------------------

    def touch(self, entry: Entry) -> None:
        place = (entry.account, entry.market)
        if place not in self.touched:
            self.touched.append(place)

    def spend(self, entry: Entry) -> None:
        if entry.order_id not in self.spent:
            self.spent.append(entry.order_id)

    def move(self, market: int) -> None:
        if market not in self.moved:
            self.moved.append(market)

    def settle_down(self) -> None:
        while True:
            if self.spent:
                self.cut_twins()
            elif self.touched:
                self.follow()
            elif not self.fire_next():
                return

    def cut_twins(self) -> None:
        spent, self.spent = self.spent, []
        for order_id in spent:
            entry = self.find(order_id)
            if entry is not None and not entry.left:
                self.drop(entry, Cause.OTHER_SIDE_FILLED)
            elif entry is not None and entry.stage == RESTING and entry.left > entry.shown:
                self.arrivals += 1
                entry.arrived, entry.shown = self.arrivals, entry.left
                self.say("Rested", entry.order_id, entry.account, entry.market, entry.side, entry.price, entry.left)
            elif entry is not None and entry.stage == RESTING and entry.left < entry.shown:
                entry.shown = entry.left
                self.say("Reduced", entry.order_id, entry.account, entry.market, entry.left)

    def follow(self) -> None:
        touched, self.touched = self.touched, []
        for account, market in touched:
            mine = [entry for entry in self.orders if (entry.account, entry.market) == (account, market)]
            for entry in [entry for entry in mine if entry.reduce_only and entry.stage != DORMANT]:
                if entry not in self.orders:
                    continue
                closable = self.closable(account, market, entry.side)
                if closable and entry.stage == RESTING and entry.left > closable:
                    entry.left = entry.shown = closable
                    self.say("Reduced", entry.order_id, account, market, closable)
                elif not closable:
                    if entry.stage == WAITING and self.find(entry.parent) is not None:
                        entry.stage = DORMANT
                    else:
                        self.drop(entry, Cause.NOTHING_TO_REDUCE)

    def fire_next(self) -> bool:
        for market in list(self.moved):
            if self.status[market] in (Status.ACTIVE, Status.REDUCE_ONLY):
                for source in PriceSource:
                    for direction in Direction:
                        entry = self.next_due(market, source, direction)
                        if entry is not None:
                            self.fire(entry, source)
                            return True
            self.moved.remove(market)
        return False

    def price_of(self, market: int, source: PriceSource) -> int:
        if source is PriceSource.INDEX:
            return self.index[market]
        return self.marks[market] if source is PriceSource.MARK else self.last[market] << 32

    def next_due(self, market: int, source: PriceSource, direction: Direction) -> Entry | None:
        sign = 1 if direction is Direction.UP else -1
        price = self.price_of(market, source)
        due = [
            entry
            for entry in self.orders
            if price
            and entry.stage == WAITING
            and entry.market == market
            and (entry.terms.trigger.source, entry.terms.trigger.direction) == (source, direction)
            and price * sign >= (entry.terms.trigger.price << 32) * sign
        ]
        return min(due, key=lambda entry: (entry.terms.trigger.price * sign, entry.order_id), default=None)

    def fire(self, entry: Entry, source: PriceSource) -> None:
        entry.stage = RESTING
        price = self.price_of(entry.market, source)
        self.say("Triggered", entry.order_id, entry.account, entry.market, source, price)
        if entry.reduce_only:
            closable = self.closable(entry.account, entry.market, entry.side)
            if not closable:
                self.drop(entry, Cause.NOTHING_TO_REDUCE)
                return
            entry.left = min(entry.left, closable)
        reason = self.entry_problem(entry, None)
        if reason is not None:
            self.drop(entry, Cause.REFUSED, reason)
            return
        if self.status[entry.market] is Status.REDUCE_ONLY:
            entry.reduce_only = True
        self.start(entry)
