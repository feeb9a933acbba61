"""Compartments and positions as lines of a grid: numbers from the exchange, in the owner's order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from bulkhead.client import Compartment, Compartments
from bulkhead.client.checklist import name_of
from bulkhead.client.compartments import Held
from bulkhead.terminal import numbers
from bulkhead.terminal.grid import Bar, Cell, Column, Line
from bulkhead.terminal.session import Session

CALLS = ((0.66, "margin call"), (0.80, "second margin call"), (1.0, "liquidation"))
COMPARTMENTS = (
    Column("Account"),
    Column("Health", hint="maintenance over value; marks at the margin calls (66%, 80%) and at liquidation"),
    Column("Used", True, "maintenance over value: margin is called at 66% and 80%, liquidated at 100%"),
    Column("Value", True, "balance and positions at index prices"),
    Column("Initial", True, "what new risk needs"),
    Column("Maintenance", True, "below it, it is liquidated step by step"),
    Column("Close-out", True, "below it, it is closed as a whole"),
    Column("To liquidation", True, "the least joint move of all its markets that liquidates it"),
    Column("Profit and loss", True, "realised and unrealised, since it began"),
    Column(
        "Worst stress", True,
        "the largest loss over the venue's grid: of an account, correlations broken too; of everything, in joint moves",
    ),
)
JOINT = "in joint moves, where what lies in one account may make up for another: the checklist has it broken too"
POSITIONS = (
    Column("Position"),
    Column("Lies in"),
    Column("Size", True),
    Column("Value", True),
    Column("Entry", True),
    Column("Index", True),
    Column("Liquidation", True, "index price at which its whole compartment is liquidated, the others standing still"),
    Column("Unrealised", True),
)
BARS = {"": "", "bh-warning": "bh-bar-warning", "bh-danger": "bh-bar-danger"}
CONDITIONS = {
    "HEALTHY": "healthy",
    "BELOW_INITIAL": "below initial margin: may only reduce risk",
    "BELOW_MAINTENANCE": "below maintenance: is being liquidated",
    "BELOW_CLOSE_OUT": "below close-out: is being closed",
    "BANKRUPT": "bankrupt",
}


def names_of(held: Compartments) -> dict[int, str]:
    """Every compartment by its account: in words, and with its number where another is called the same."""
    counted = Counter(map(name_of, held.compartments))
    return {
        one.account_id: name_of(one) + (f" · {one.account_id}" if counted[name_of(one)] > 1 else "")
        for one in held.compartments
    }


def compartment_lines(held: Compartments | None, profit: Sequence[dict[str, Any]] | None) -> list[Line]:
    """One line for everything, then one for each compartment below what it belongs to."""
    if held is None:
        return []
    earned = {
        int(row["accountId"]): Decimal(row["realisedPnl"]) + Decimal(row["unrealisedPnl"]) for row in profit or ()
    }
    total = sum(earned.values(), Decimal(0)) if profit is not None else None
    worst = held.together[0].loss if held.together else Decimal(0)
    first = Line(
        "owner",
        (
            Cell("Everything"), Cell(), Cell(), _dollars(held.value, "total-value"), *(Cell(),) * 4,
            _signed(total, "total-profit"), _dollars(worst, "total-worst")._replace(title=JOINT),
        ),
        style="bh-total",
    )  # fmt: skip
    names = names_of(held)
    return [
        first, *(_compartment(one, names[one.account_id], earned.get(one.account_id)) for one in held.compartments),
    ]  # fmt: skip


def _compartment(one: Compartment, name: str, earned: Decimal | None) -> Line:
    used = "–" if one.used is None else numbers.percent(one.used)
    words = f"{used} of value used: {CONDITIONS.get(one.condition, one.condition)}"
    style = "bh-danger" if one.call >= 80 else "bh-warning" if one.call else ""
    share = 0.0 if one.used is None and not one.maintenance else 1.0 if one.used is None else float(one.used)
    distance = one.distance(100) if one.positions else None
    note = "" if one.condition == "HEALTHY" else CONDITIONS.get(one.condition, one.condition).capitalize()
    if not one.has_fresh_prices:
        note = (note + ". " if note else "") + "A price of what it holds is stale: nothing is judged by it now"
    return Line(
        str(one.account_id),
        (
            Cell(name, "bh-name", title=f"{name}, account {one.account_id}", mark="name"),
            Cell(bar=Bar(share, words, BARS[style], CALLS)),
            Cell(used, style, mark="used"),
            _dollars(one.value, "value"),
            _dollars(one.initial, "initial"),
            _dollars(one.maintenance, "maintenance"),
            _dollars(one.close_out, "close-out"),
            Cell(_move(distance), mark="distance"),
            Cell() if one.kind == "CHILD" else _signed(earned, "profit"),
            _dollars(one.worst_loss if one.positions else Decimal(0), "worst"),
        ),
        depth=1 if one.kind != "CHILD" else 2,
        note=note,
        note_style="bh-warning",
    )


def _move(distance: Any) -> str:
    if distance is None:
        return numbers.NONE
    if distance.nearest is None:
        return "out of reach"
    if distance.nearest == 0:
        return "now"
    if distance.fall is not None and distance.fall == distance.nearest:
        return numbers.percent(-distance.fall)
    return numbers.percent(distance.rise, sign=True)


def position_lines(session: Session, held: Compartments | None) -> list[Line]:
    """Every position with where it lies."""
    if held is None:
        return []
    names = names_of(held)
    return [
        _position(session, one, names[one.account_id], each) for one in held.compartments for each in one.positions
    ]


def _position(session: Session, one: Compartment, name: str, held: Held) -> Line:
    market = session.markets[held.market]
    side = "long" if held.size > 0 else "short"
    liquidation = numbers.price(market, held.liquidation_price) if held.liquidation_price else "none"
    return Line(
        f"{one.account_id}-{held.market}",
        (
            Cell(f"{held.market} {side}", "bh-up" if held.size > 0 else "bh-down"),
            Cell(name, "bh-name", title=name),
            Cell(numbers.size(market, abs(held.size)), mark="size"),
            _dollars(held.value, "value"),
            Cell(numbers.price(market, held.open_price)),
            Cell(numbers.price(market, held.index_price)),
            Cell(liquidation, mark="liquidation"),
            _signed(held.unrealised_pnl, "unrealised"),
        ),
    )


def _dollars(value: Decimal, mark: str) -> Cell:
    return Cell(numbers.dollars(value), mark=mark)


def _signed(value: Decimal | None, mark: str) -> Cell:
    if value is None:
        return Cell(numbers.NONE, mark=mark)
    return Cell(numbers.dollars(value, sign=True), "bh-up" if value > 0 else "bh-down" if value < 0 else "", mark=mark)
