"""An order that is not sent, at prices that have not come: in each margin mode, what its owner would have left."""

from __future__ import annotations

import asyncio
from typing import Any

from bulkhead.api.bodies import WhatIfBody
from bulkhead.api.call import Call, Endpoint
from bulkhead.api.errors import ApiError, bad, rejected
from bulkhead.api.numbers import decimal, money
from bulkhead.api.previews import MODES, name_of, terms_of, unsigned_order
from bulkhead.engine.what_if import Held, ModeWhatIf, Point, Prices, Rehearsal, problem, rehearsed
from bulkhead.units import Price

RISE_MAX = 9  # tenfold
COST = 5.0  # requests: at 201 moves it takes the exchange up to ten times as long as a preview
TURN = 8  # points looked at before others of the event loop have their turn


async def what_if(call: Call) -> dict[str, Any]:
    """An order in each margin mode along joint moves of prices: equity, what is liquidated, what the owner has left.

    `moves` are shares of each market's index, "-0.23" for a fall by 23 %; markets that are not named stand still. Each
    point is what the exchange would find if prices jumped there now: after top-ups, before any liquidation step.
    `equity` and `maintenance` are those of the account that holds the position, `ownerEquity` adds up all accounts of
    the key, `ownerLeft` is what remains of it if every account in `down` loses all it has. `closed` are those below
    close-out. A refused mode is shown as if the order had been taken. It counts for five requests in the rate limit.
    """
    body = await call.body(WhatIfBody)
    wire = call.api.market(body.market)
    prices = [_prices(call, place, move) for place, move in enumerate(body.moves)]
    refused = problem(call.api.sequencer, prices)
    if refused is not None:
        raise rejected(refused)
    order = unsigned_order(call, wire, body)
    terms, replaces = terms_of(wire, body), body.cancel_id or ""
    found = rehearsed(call.api.sequencer, order, terms, leverage=body.leverage, replaces=replaces)
    wanted = {MODES[name] for name in body.modes} or set(MODES.values())
    names = {market_id: one.terms.name for market_id, one in call.api.markets.by_id.items()}
    by_id = call.api.markets.by_id
    return {
        "market": wire.terms.name,
        "reject": name_of(found.reject),
        "prices": [
            {names[market_id]: by_id[market_id].index_price(int(price)) for market_id, price in at.items()}
            for at in prices
        ],
        "modes": [_mode(await _along(one, prices), names) for one in found.modes if one.mode in wanted],
    }


def _prices(call: Call, place: int, move: dict[str, str]) -> Prices:
    """Where a joint move leads, toward minus infinity, at least the least price there is."""
    found: Prices = {}
    for name, text in move.items():
        field = f"moves[{place}]: {name[:40]}"
        try:
            market_id = call.api.market(name).terms.market_id
        except ApiError as error:
            raise ApiError(error.status, error.code, f"moves[{place}]: {error.message}") from error
        is_fall = text.startswith("-")
        share = decimal(text[1:] if is_fall else text, field)
        change = -share.numerator if is_fall else share.numerator
        if not -share.denominator < change <= RISE_MAX * share.denominator:
            raise bad(f"{field}: a price falls by less than 1 and rises by at most {RISE_MAX}, not by {text[:40]}")
        index = int(call.api.state.markets[market_id].price)
        found[market_id] = Price(max(1, index * (share.denominator + change) // share.denominator))
    return found


async def _along(mode: Rehearsal, prices: list[Prices]) -> ModeWhatIf:
    """One mode at every point. The exchange goes on in between; the rehearsal does not see it."""
    points: list[Point] = []
    for at in ({}, *prices):
        points.append(mode.at(at))
        if not len(points) % TURN:
            await asyncio.sleep(0)
    return mode.along(points)


def _mode(one: ModeWhatIf, names: dict[int, str]) -> dict[str, Any]:
    return {
        "marginMode": one.mode.name.lower(),
        "isCurrent": one.is_current,
        "reject": name_of(one.reject),
        "containerId": int(one.container_id),
        "accounts": [_held(held, names) for held in one.accounts],
        "now": _point(one.now),
        "points": [_point(point) for point in one.points],
    }


def _held(held: Held, names: dict[int, str]) -> dict[str, Any]:
    return {
        "accountId": int(held.account_id),
        "kind": held.kind.name,
        "isContainer": held.is_container,
        "markets": [names[market_id] for market_id in held.markets],
    }


def _point(point: Point) -> dict[str, Any]:
    return {
        "equity": money(int(point.equity)),
        "maintenance": money(int(point.maintenance)),
        "ownerEquity": money(int(point.owner_equity)),
        "ownerLeft": money(int(point.owner_left)),
        "down": [int(account_id) for account_id in point.down],
        "closed": [int(account_id) for account_id in point.closed],
    }


ENDPOINTS = [Endpoint("POST", "/api/v1/user/order/whatIf", what_if, body=WhatIfBody, cost=COST)]
