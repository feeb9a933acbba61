"""An open order in the ticket: what it is, what it would become, and one that takes its place in the same step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, cast

from msgspec.structs import replace
from nicegui import ui

from bulkhead.client import ClientError, Exit, Market, NewOrder, Order
from bulkhead.client.models import Waits
from bulkhead.terminal import numbers, parts
from bulkhead.terminal.actions import Action, Stage
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.trade import lists, order_form
from bulkhead.terminal.trade.order_form import LIMIT, PROTECT, STOP, Entries, Made
from bulkhead.terminal.words import Words

if TYPE_CHECKING:
    from bulkhead.terminal.trade.ticket import Ticket


def twins_of(order: Order, orders: Iterable[Order]) -> list[Order]:
    """The exits of a position that were entered with this one, itself among them: they share a place in the journal."""
    return [one for one in orders if one.type == "TPSL" and one.sequence == order.sequence]


def followed_by(order: Order, orders: Iterable[Order]) -> Order | None:
    """The open order whose fills its exits follow; None where `order` is none of them, or that one has left."""
    if order.type != "TPSL" or order.tp_sl_type != "ORDER":
        return None
    return next((one for one in orders if one.type != "TPSL" and one.sequence == order.sequence), None)


def whole(order: Order, orders: Iterable[Order]) -> Order:
    """An order as it is edited: take-profit and stop-loss of a position are two on the wire, and one here."""
    for one in twins_of(order, orders) if order.type == "TPSL" else ():
        order = replace(
            order, take_profit=order.take_profit or one.take_profit, stop_loss=order.stop_loss or one.stop_loss
        )
    return order


def entries_of(order: Order) -> Entries:
    """The ticket's entries for an open order; the size is what is still to trade."""
    trigger, profit, loss = order.trigger, order.take_profit, order.stop_loss
    if order.type == "TPSL":
        entries = Entries(kind=PROTECT, side=order.side)
    else:
        entries = Entries(
            kind=STOP if trigger is not None else LIMIT, side=order.side, price=f"{order.price:f}",
            size=f"{order.quantity - order.filled:f}", force=order.time_in_force, post_only=order.post_only,
            reduce_only=order.reduce_only,
        )  # fmt: skip
    watched = [one.trigger_price_type for one in (trigger, profit, loss) if one is not None]
    entries.source = watched[0] if watched else entries.source
    if trigger is not None:
        entries.trigger = f"{trigger.trigger_price:f}"
        entries.direction = trigger.direction or ("UP" if order.side == "BUY" else "DOWN")
    entries.take_profit = "" if profit is None else f"{profit.trigger_price:f}"
    entries.stop_loss = "" if loss is None else f"{loss.trigger_price:f}"
    return entries


def replacement(made: Made, entries: Entries, order: Order, now_ms: int) -> Made:
    """The order that takes the place of an open one. What was not changed stays as it was: its expiry, its time in
    force, how its trigger executes, and exits whose trigger is the same."""
    before = entries_of(order)
    for name in ("take_profit", "stop_loss"):
        is_same = getattr(entries, name) == getattr(before, name) and entries.source == before.source
        setattr(made, name, _exit(getattr(made, name), getattr(order, name), is_same=is_same))
    if order.type == "TPSL":
        return made
    left_s = (order.expiry_time - now_ms) // 1000
    if left_s <= 0:
        made.problems.setdefault("kind", "its time is over: place a new one")
    if made.order is None or made.problems:
        made.order = None
        return made
    trigger = made.order.trigger
    if trigger is not None and order.trigger is not None:
        execution = cast(Literal["MARKET", "LIMIT"], order.trigger.execution_price_type)
        trigger = dataclasses.replace(trigger, execution=execution)
    made.order = dataclasses.replace(
        made.order, replaces=order.external_id, lifetime_s=left_s, trigger=trigger,
        time_in_force=cast(Literal["GTT", "IOC", "FOK"], order.time_in_force),
        post_only=entries.post_only, protects="POSITION" if order.tp_sl_type == "POSITION" else "ORDER",
        take_profit=made.take_profit, stop_loss=made.stop_loss,
    )  # fmt: skip
    return made


def _exit(made: Exit | None, waits: Waits | None, *, is_same: bool) -> Exit | None:
    """An exit executes as the one before it did; an untouched one has the price that was signed for it, too."""
    if waits is None or waits.price is None:
        return made
    execution = cast(Literal["MARKET", "LIMIT"], waits.price_type)
    if not is_same:
        return None if made is None else dataclasses.replace(made, execution=execution)
    source = cast(Literal["MARK", "INDEX", "LAST"], waits.trigger_price_type)
    return Exit(trigger=waits.trigger_price, price=waits.price, source=source, execution=execution)


def words(order: Order, made: NewOrder, market: Market) -> str:
    """A replacement in a line, as it stands beside what became of it."""
    return f"Replace order {order.id} by: {order_form.words(made, market)}"


class Editing:
    """Of one ticket. `order` is the one that is edited, None while a new order is entered; `gone` is what became of it
    where it has left: the ticket then sends nothing until the trader turns to a new order himself, for a button that
    becomes another one under his finger would buy what he did not mean to."""

    def __init__(self, ticket: Ticket, show: Callable[[], None]) -> None:
        self.order: Order | None = None
        self.gone = ""
        self._ticket = ticket
        self._show = show
        self._kept = Entries()  # what stood in the ticket before
        with ui.element("div").classes("bh-editing").props('role="status" data-mark="editing"') as self.banner:
            self.text = parts.Text("", "p")
            made = parts.button("Leave as it is", self.leave, mark="editing-leave", title="Esc")
            self._leave_text = parts.text_of(made)
        self.banner.set_visibility(False)
        ticket.page.on_account(lambda account: (account.orders_changed,), self.look)

    @property
    def closes(self) -> Decimal:
        """What exits that are edited close; 0: the whole position, or nothing is edited."""
        order = self.order
        return Decimal(0) if order is None or order.tp_sl_type == "POSITION" else order.quantity

    # -- coming and going --------------------------------------------------------------------------------------------

    def begin(self, order: Order) -> None:
        """Have an open order in the ticket. Not while something is being sent from it."""
        if self._ticket.is_sending:
            return
        account = self._ticket.page.session.active
        parent = None if account is None else followed_by(order, account.orders.values())
        if parent is not None:
            said = f"These exits follow what order {parent.id} fills: edit that, or cancel the rest of it first."
            self._ticket.outcome.show(said, "bh-warning")
            return
        if self.order is None:
            self._kept = dataclasses.replace(self._ticket.entries)
        self.order, self.gone = order if account is None else whole(order, account.orders.values()), ""
        self._ticket.take_entries(entries_of(self.order))
        self._tell()
        self.banner.set_visibility(True)
        self._show()

    def begin_next(self) -> None:
        """The newest open order of this market; the one before it when that is edited already."""
        account = self._ticket.page.session.active
        name = self._ticket.market.name
        found = [] if account is None else [
            one for one in account.orders.values()
            if one.market == name and lists.can_be_edited(one) and followed_by(one, account.orders.values()) is None
        ]  # fmt: skip
        found = sorted({one.sequence: one for one in found}.values(), key=lambda one: one.id, reverse=True)
        ids = [one.id for one in found]
        if not found:
            self._ticket.outcome.show(f"There is no open order in {name} that can be edited.", "bh-warning")
            return
        place = (ids.index(self.order.id) + 1) % len(ids) if self.order is not None and self.order.id in ids else 0
        self.begin(found[place])

    def leave(self) -> None:
        """The ticket is for a new order again, with what stood there before."""
        if self.order is None:
            return
        self.order, self.gone = None, ""
        self.banner.set_visibility(False)
        self._ticket.take_entries(self._kept)
        self._show()

    # -- following ---------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """The order as it is now: it may fill or leave while it is edited."""
        order, account = self.order, self._ticket.page.session.active
        if order is None or self.gone or self._ticket.is_sending:
            return
        now = None if account is None else account.orders.get(order.id)
        if now is not None and account is not None:
            now = whole(now, account.orders.values())
        if now is None:
            self.gone = f"{name_of(order)} {'have' if order.type == 'TPSL' else 'has'} left: {_fate(account, order)}"
            self._tell()
            self._show()
        elif now != order:
            is_untouched = self._ticket.entries.size == entries_of(order).size
            self.order = now
            if is_untouched:
                self._ticket.fields["size"].set_value(entries_of(now).size)
            self._tell()

    def _tell(self) -> None:
        order, terms = self.order, self._ticket.market.terms
        assert order is not None, "it is told of one"
        self._leave_text.show("Enter a new order" if self.gone else "Leave as it is")
        if self.gone:
            self.text.show(f"{self.gone}. What stands here replaces nothing any more, and is not sent.", "bh-warning")
            return
        self.text.show(self._told(order, terms), "")

    def _told(self, order: Order, terms: Market) -> str:
        """What is edited, and what becomes of it."""
        if order.type == "TPSL":
            what = f"{numbers.size(terms, self.closes)} of the position" if self.closes else "the position"
            return (
                f"Exits of {what} in {order.market}. The new ones take their place in one step, or these stay as "
                "they are: it is protected all the while."
            )
        waits = lists.waits_for(terms, order)
        return (
            f"Order {order.id}: {order.side.lower()} {numbers.size(terms, order.quantity)} at "
            f"{numbers.price(terms, order.price)}" + ("" if waits == numbers.NONE else f" once {waits}")
            + (f"; {numbers.size(terms, order.filled)} have filled, the size is what is still to trade"
               if order.filled else "")
            + ". The new one takes its place at once, or it stays as it is. What fills of the old one until then "
            "comes on top of the new one's size."
        )  # fmt: skip

    # -- sending -----------------------------------------------------------------------------------------------------

    async def done(self, order: Order, account: LiveAccount, action: Action) -> None:
        """What was sent has an answer: of a refusal the order stands as it was; else the ticket is free again, and
        what filled on the way is told, for it comes on top."""
        if action.stage is Stage.REFUSED:
            if action.words is not None and order.id in account.orders:
                stands = f"{name_of(order)} {'stand' if order.type == 'TPSL' else 'stands'} as "
                stands += "they were" if order.type == "TPSL" else "it was"
                action.words = Words(action.words.what, f"{action.words.todo}. {stands}")
            return
        self.leave()
        if action.stage is not Stage.DONE or order.type == "TPSL":
            return
        try:
            old = await account.trader.order(order.id)
        except ClientError:
            more = Words("Whether more of the old order filled on the way is not known", "Look at the fills")
        else:
            if old.filled == order.filled:
                return
            size = numbers.size(self._ticket.market.terms, old.filled - order.filled)
            more = Words(f"Another {size} of the old order filled on the way", "The new one comes on top of that")
        if action.words is None:
            action.words = more
        self._ticket.page.session.actions.tell_of(action)


def name_of(order: Order) -> str:
    """What is edited, in words."""
    return f"The exits in {order.market}" if order.type == "TPSL" else f"Order {order.id}"


def _fate(account: LiveAccount | None, order: Order) -> str:
    if account is None or account.account_id != order.account_id:
        return "its account is not the chosen one any more"
    ended = next((one for one in account.left if one.id == order.id), None)
    return "open no more" if ended is None else lists.STATUSES.get(ended.status, ended.status.lower())
