"""What the tables below the chart show: a row each for positions, orders, fills, funding and what is past."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from bulkhead.client import Market, Order, Position, Trade
from bulkhead.terminal import numbers, words
from bulkhead.terminal.table import Cell, Column, Row

Markets = dict[str, Market]

POSITIONS = (
    Column("Market"), Column("Side"), Column("Size", True), Column("Entry", True), Column("Mark", True),
    Column("Unrealised, USD", True), Column("Realised, USD", True), Column("Margin, USD", True), Column("Mode"),
    Column("Leverage", True), Column("Liquidation", True), Column(""),
)  # fmt: skip
ORDERS = (
    Column("Placed, UTC"), Column("Market"), Column("Type"), Column("Side"), Column("Size", True),
    Column("Filled", True), Column("Price", True), Column("Waits for"), Column("Status"), Column("Flags"), Column(""),
    Column(""),
)  # fmt: skip
FILLS = (
    Column("Time, UTC"), Column("Market"), Column("Side"), Column("Price", True), Column("Size", True),
    Column("Value, USD", True), Column("Fee, USD", True), Column("Role"), Column("Kind"),
)  # fmt: skip
FUNDING = (
    Column("Time, UTC"), Column("Market"), Column("Side"), Column("Size", True), Column("Rate", True),
    Column("Received, USD", True),
)  # fmt: skip
PAST_ORDERS = (
    Column("Placed, UTC"), Column("Market"), Column("Type"), Column("Side"), Column("Size", True),
    Column("Filled", True), Column("Price", True), Column("Average", True), Column("Status"), Column("Why"),
)  # fmt: skip
PAST_POSITIONS = (
    Column("Opened, UTC"), Column("Closed, UTC"), Column("Market"), Column("Side"), Column("Largest", True),
    Column("Entry", True), Column("Exit", True), Column("Realised, USD", True), Column("Ended by"),
)  # fmt: skip


def at(time_ms: int) -> str:
    """A time; with its day where that is another one."""
    return numbers.dated(time_ms, "%d.%m. %H:%M", today="%H:%M:%S") if time_ms else numbers.NONE


def tone(value: Decimal) -> str:
    """Gains and losses by colour; the sign says it, too."""
    return "bh-up" if value > 0 else "bh-down" if value < 0 else ""


def type_of(one: Order) -> str:
    """What kind of order it is."""
    return "TP/SL" if one.type == "TPSL" else one.type.title()


def side_of(side: str) -> Cell:
    """Buy and long, sell and short."""
    return Cell(side.title(), "bh-up" if side in ("BUY", "LONG") else "bh-down")


def position_row(markets: Markets, one: Position) -> Row:
    """An open position, with a button that closes it."""
    terms = markets[one.market]
    cells = (
        Cell(one.market), side_of(one.side), Cell(numbers.size(terms, one.size)),
        Cell(numbers.price(terms, one.open_price)), Cell(numbers.price(terms, one.mark_price)),
        Cell(numbers.dollars(one.unrealised_pnl, sign=True), tone(one.unrealised_pnl)),
        Cell(numbers.dollars(one.realised_pnl, sign=True), tone(one.realised_pnl)),
        Cell(numbers.dollars(one.margin)), Cell(one.margin_mode.title()), Cell(f"{one.leverage.normalize():f}x"),
        _liquidation(terms, one),
        Cell("Close", action="close", title=f"Close the position in {one.market} at market"),
    )  # fmt: skip
    return Row(one.market, cells)


def _size(terms: Market, one: Order) -> str:
    """In all. Exits of a position have none of their own: they close the whole of it, as large as it is then. Those of
    an order close what it has filled: nothing, while that position is gone."""
    is_whole = not one.quantity and one.tp_sl_type == "POSITION"
    return "whole" if is_whole else numbers.size(terms, one.quantity)


def _liquidation(terms: Market, one: Position) -> Cell:
    """The exchange's price, or that no price of this market alone liquidates it, which is not the same as unknown."""
    if not one.liquidation_price:
        return Cell("none", "bh-muted")
    return Cell(numbers.price(terms, one.liquidation_price), "bh-danger")


def order_row(markets: Markets, one: Order) -> Row:
    """An open order, with buttons that edit and cancel it."""
    terms = markets[one.market]
    flags = [name for name, is_so in (("post-only", one.post_only), ("reduce-only", one.reduce_only)) if is_so]
    if one.take_profit is not None and one.type != "TPSL":
        flags.append(f"TP {numbers.price(terms, one.take_profit.trigger_price)}")
    if one.stop_loss is not None and one.type != "TPSL":
        flags.append(f"SL {numbers.price(terms, one.stop_loss.trigger_price)}")
    cells = (
        Cell(at(one.created_time), "bh-muted"), Cell(one.market), Cell(type_of(one)),
        side_of(one.side), Cell(_size(terms, one)), Cell(numbers.size(terms, one.filled)),
        Cell(numbers.price(terms, one.price)),
        Cell(waits_for(terms, one)), Cell("asleep" if one.is_asleep else STATUSES.get(one.status, one.status.lower())),
        Cell(", ".join(flags), "bh-muted"),
        Cell("Edit", action="edit", title=f"Edit the order {one.id}") if can_be_edited(one) else Cell(""),
        Cell("Cancel", action="cancel", title=f"Cancel the order {one.id}"),
    )  # fmt: skip
    return Row(str(one.id), cells)


def can_be_edited(order: Order) -> bool:
    """It rests or waits under a name, by which another can take its place; or it closes a position, or some of it."""
    is_whole = order.type == "TPSL" and order.tp_sl_type == "POSITION"
    waits = order.type == "TPSL" and order.status == "UNTRIGGERED"
    is_priced = order.type in ("LIMIT", "CONDITIONAL") and order.price is not None
    return order.is_open and (is_whole or waits or is_priced)


STATUSES = {
    "NEW": "resting", "PARTIALLY_FILLED": "partly filled", "UNTRIGGERED": "waiting", "FILLED": "filled",
    "CANCELLED": "cancelled", "REJECTED": "rejected", "EXPIRED": "expired", "TRIGGERED": "triggered",
}  # fmt: skip


def waits_for(terms: Market, one: Order) -> str:
    """The trigger of an order; a dash where it has none."""
    waits = one.trigger or one.take_profit or one.stop_loss
    if waits is None or (one.type != "TPSL" and one.trigger is None):
        return numbers.NONE
    kind = "" if one.trigger is not None else "profit: " if one.take_profit is not None else "loss: "
    return f"{kind}{waits.trigger_price_type.lower()} {numbers.price(terms, waits.trigger_price)}"


def fill_row(markets: Markets, one: Trade) -> Row:
    """A fill of the account."""
    terms = markets[one.market]
    cells = (
        Cell(at(one.created_time), "bh-muted"), Cell(one.market), side_of(one.side),
        Cell(numbers.price(terms, one.price)), Cell(numbers.size(terms, one.quantity)),
        Cell(numbers.dollars(one.value)), Cell(numbers.dollars(one.fee, places=4)),
        Cell("taker" if one.is_taker else "maker"),
        Cell(one.trade_type.lower(), "" if one.trade_type == "TRADE" else "bh-danger"),
    )  # fmt: skip
    return Row(f"{one.id}-{one.order_id}", cells)


def funding_row(markets: Markets, one: dict[str, Any]) -> Row:
    """Funding of one hour: above zero it was received."""
    terms, paid = markets[one["market"]], Decimal(one["fundingFee"])
    cells = (
        Cell(at(int(one["paidTime"])), "bh-muted"), Cell(one["market"]), side_of(one["side"]),
        Cell(numbers.size(terms, Decimal(one["size"]))),
        Cell(numbers.percent(Decimal(one["fundingRate"]), places=4, sign=True)),
        Cell(numbers.dollars(paid, places=4, sign=True), tone(paid)),
    )  # fmt: skip
    return Row(str(one["id"]), cells)


def past_order_row(markets: Markets, one: Order) -> Row:
    """An order that has left, and why."""
    terms, why = markets[one.market], words.of_reason(one.status_reason)
    cells = (
        Cell(at(one.created_time), "bh-muted"), Cell(one.market), Cell(type_of(one)),
        side_of(one.side), Cell(_size(terms, one)), Cell(numbers.size(terms, one.filled)),
        Cell(numbers.price(terms, one.price)), Cell(numbers.price(terms, one.average_price)),
        Cell(STATUSES.get(one.status, one.status.lower())), Cell("" if why is None else why.what, "bh-muted"),
    )  # fmt: skip
    return Row(str(one.id), cells)


def past_position_row(markets: Markets, one: dict[str, Any]) -> Row:
    """A position from its first lot to its last."""
    terms, realised = markets[one["market"]], Decimal(one["realisedPnl"])
    is_over = bool(one.get("closedTime"))
    cells = (
        Cell(at(int(one["createdTime"])), "bh-muted"), Cell(at(int(one.get("closedTime", 0))), "bh-muted"),
        Cell(one["market"]), side_of(one["side"]), Cell(numbers.size(terms, Decimal(one["maxPositionSize"]))),
        Cell(numbers.price(terms, Decimal(one["openPrice"]))),
        Cell(numbers.price(terms, Decimal(one.get("exitPrice", "0")))),
        Cell(numbers.dollars(realised, sign=True), tone(realised)),
        Cell(str(one.get("exitType", "")).lower() if is_over else "still open"),
    )  # fmt: skip
    return Row(str(one["id"]), cells)
