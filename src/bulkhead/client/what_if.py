"""What an order that is not sent would leave its owner at prices that have not come, as the exchange answers it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from bulkhead.client.models import Model
from bulkhead.client.orders import NewOrder, Number, trigger_body
from bulkhead.client.signer import decimal_text

Move = Mapping[str, Number]
"""By market, a share of its index: -0.23 for a fall by 23 %."""


class Held(Model, frozen=True):
    """An account of the owner after the fill. The order's position lies in the container."""

    account_id: int
    kind: str
    is_container: bool
    markets: list[str]


class Point(Model, frozen=True):
    """One joint move: after top-ups, before any step of a liquidation.

    `equity` and `maintenance` are the container's; `owner_equity` adds up all accounts, `owner_left` is what remains
    if every account in `down` loses all it has. `closed`: those of them that are below close-out.
    """

    equity: Decimal
    maintenance: Decimal
    owner_equity: Decimal
    owner_left: Decimal
    down: list[int]
    closed: list[int]


class ModeWhatIf(Model, frozen=True):
    """An order in one margin mode. `now` is after the fill and before any move; `points` one for each move."""

    margin_mode: str
    is_current: bool
    reject: str | None
    container_id: int
    accounts: list[Held]
    now: Point
    points: list[Point]


class WhatIf(Model, frozen=True):
    """An order in each mode. `prices`: the index at each move. Refused for anything but margin, it has no modes."""

    market: str
    reject: str | None
    prices: list[dict[str, Decimal]]
    modes: list[ModeWhatIf]


def looked_at(order: NewOrder, leverage: int) -> dict[str, Any]:
    """The body of an order that is only looked at, in the place of the one that it would replace."""
    body: dict[str, Any] = {
        "market": order.market,
        "side": order.side,
        "qty": decimal_text(Decimal(order.quantity)),
        "price": decimal_text(Decimal(order.price)),
        "type": order.kind,
        "reduceOnly": order.reduce_only,
        "postOnly": order.post_only,
        "leverage": leverage,
    }
    if order.replaces:
        body["cancelId"] = order.replaces
    if order.trigger is not None:
        body["trigger"] = trigger_body(order.trigger, order.side == "BUY")
    return body


def moved(moves: Sequence[Move]) -> list[dict[str, str]]:
    """Moves as the wire has them."""
    return [{market: decimal_text(Decimal(share)) for market, share in move.items()} for move in moves]
