"""What an account has and did: balances, positions, orders, trades, funding, fees, leverage."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, Table, and_, or_, select
from sqlalchemy.sql import ColumnElement

from bulkhead.api import errors, shapes
from bulkhead.api.bodies import LeverageBody
from bulkhead.api.call import Call, Endpoint, Page, whole
from bulkhead.api.errors import ApiError, bad, rejected
from bulkhead.api.numbers import decimal, money, share
from bulkhead.api.settlement import final
from bulkhead.engine.command import SetLeverageCap
from bulkhead.engine.event import Rejected
from bulkhead.node.directory import TRADE
from bulkhead.node.store import tables
from bulkhead.node.store.staging import Row
from bulkhead.node.store.wording import OPEN
from bulkhead.reject import Reject
from bulkhead.units import MarketId

PAGE, LONG_PAGE = 100, 10_000
SORTS = {"ID": "", "UPDATED_AT": "updated_ms"}
SIDES, POSITION_SIDES = ("BUY", "SELL"), ("LONG", "SHORT")
ORDER_TYPES, TRADE_TYPES = ("LIMIT", "CONDITIONAL", "MARKET", "TPSL", "TWAP"), ("TRADE", "LIQUIDATION", "DELEVERAGE")
_BY_KIND = {"type": ORDER_TYPES, "side": SIDES}


async def client_info(call: Call) -> dict[str, Any]:
    """The owner. Both wallets are the Ethereum address: withdrawals go there, and client libraries sign what they find
    under the other name."""
    named = call.api.node.directory.account(call.account_id)
    wallet = f"0x{call.account.l1_owner:040x}"
    if named is not None:
        wallet = call.api.node.directory.wallet(named.user_id)
    return {
        "id": 0 if named is None else named.user_id,
        "evmWalletAddress": wallet,
        "starknetWalletAddress": wallet.lower(),
        "referralLinkCode": None,
    }


async def account_info(call: Call) -> dict[str, Any]:
    """The account of the key."""
    assert call.account is not None
    return shapes.account_shape(call.api, call.account_id)


async def accounts(call: Call) -> list[dict[str, Any]]:
    """Every account of the owner."""
    directory = call.api.node.directory
    named = directory.account(call.account_id)
    ids = [call.account_id] if named is None else [one.account_id for one in directory.accounts_of(named.user_id)]
    return [shapes.account_shape(call.api, one) for one in ids if one in call.api.state.accounts]


async def balance(call: Call) -> dict[str, Any]:
    """The account's balance."""
    return shapes.balance_shape(call.api, call.account.account_id)


async def spot_balances(call: Call) -> list[dict[str, Any]]:
    """The same as a list of assets."""
    return shapes.spot_balances(call.api, call.account.account_id)


async def positions(call: Call) -> list[dict[str, Any]]:
    """Open positions."""
    chosen = call.chosen_markets()
    names = None if chosen is None else {wire.terms.market_id for wire in chosen}
    side = call.word("side", POSITION_SIDES)
    found, exits = [], shapes.exits_of(call.api, call.account_id)
    for one in shapes.lying(call.api, call.account.account_id):
        market_id = one.position.market_id
        if names is not None and market_id not in names:
            continue
        ranks = call.api.node.exchange.machine.venue.deleveraging_ranks(market_id)
        shape = shapes.position_shape(call.api, call.account_id, one, {int(key): rank for key, rank in ranks.items()})
        if not side or shape["side"] == side:
            found.append(shape | exits.get(shape["market"], {}))
    return found


async def positions_history(call: Call) -> Page:
    """Positions from their first lot to their last, newest first."""
    wheres = [tables.positions.c.account_id == call.account_id]
    side = call.word("side", POSITION_SIDES)
    if side:
        wheres.append(tables.positions.c.side == side)
    rows, cursor = await page(call, tables.positions, "position_id", wheres, LONG_PAGE)
    return Page([shapes.history_shape(call.api, row) for row in rows], cursor)


async def orders(call: Call) -> list[dict[str, Any]]:
    """Open orders, those that wait for a trigger included. They are in memory: no database is waited for."""
    chosen = call.chosen_markets()
    names = None if chosen is None else {wire.terms.name for wire in chosen}
    kind, side = call.word("type", ORDER_TYPES), call.word("side", SIDES)
    found = [
        order
        for order in shapes.orders_of(call.api, call.account_id)
        if (names is None or order["market"] in names)
        and (not kind or order["type"] == kind)
        and (not side or order["side"] == side)
    ]
    return await final(call.api, found)


async def orders_history(call: Call) -> Page:
    """Orders that have left, newest first: by `sort` ID as they were placed, UPDATED_AT as they left. `finality` is how
    far the command that placed it has come: ACCEPTED, SEALED in a batch, PROVEN, FINAL on L1."""
    table = tables.orders
    wheres = [table.c.account_id == call.account_id, table.c.status.not_in(sorted(OPEN))]
    kind, side = call.word("type", ORDER_TYPES), call.word("side", SIDES)
    if kind:
        wheres.append(table.c.kind == kind)
    if side:
        wheres.append(table.c.side == side)
    sort = call.word("sort", SORTS) or "ID"
    rows, cursor = await page(call, table, "order_id", wheres, PAGE, SORTS[sort])
    return Page(await final(call.api, [shapes.order_shape(call.api, row) for row in rows]), cursor)


async def order(call: Call) -> dict[str, Any]:
    """One order, open or not."""
    table = tables.orders
    query = select(table).where(table.c.order_id == call.path_id("id"), table.c.account_id == call.account_id)
    rows = await call.api.node.store.rows(query)
    if not rows:
        raise ApiError(404, errors.EDIT_NOT_FOUND, "there is no such order")
    return (await final(call.api, [shapes.order_shape(call.api, rows[0])]))[0]


async def orders_by_name(call: Call) -> list[dict[str, Any]]:
    """Every order that had this name, newest first."""
    table = tables.orders
    query = (
        select(table)
        .where(table.c.account_id == call.account_id, table.c.external_id == call.path("external_id"))
        .order_by(table.c.order_id.desc())
        .limit(PAGE)
    )
    rows = await call.api.node.store.rows(query)
    return await final(call.api, [shapes.order_shape(call.api, row) for row in rows])


async def trades(call: Call) -> Page:
    """The account's fills, newest first, with their `finality`."""
    table = tables.fills
    wheres = [table.c.account_id == call.account_id]
    kind, side = call.word("type", TRADE_TYPES), call.word("side", SIDES)
    if side:
        wheres.append(table.c.side == side)
    if kind:
        wheres.append(table.c.trade_type == kind)
    rows, cursor = await page(call, table, "fill_id", wheres, PAGE)
    return Page(await final(call.api, [shapes.trade_shape(call.api, row) for row in rows]), cursor)


async def funding_history(call: Call) -> Page:
    """Funding that was paid (negative) and received, newest first."""
    table = tables.funding_payments
    wheres = [table.c.account_id == call.account_id]
    if call.text("startTime"):
        wheres.append(table.c.time_ms >= call.number("startTime", 0))
    rows, cursor = await page(call, table, "payment_id", wheres, PAGE)
    found = []
    for row in rows:
        wire = call.api.markets.by_id[row["market_id"]]
        lots = abs(row["size"])
        mark = row["index_price"]
        found.append(
            {
                "id": row["payment_id"],
                "accountId": row["account_id"],
                "market": wire.terms.name,
                "positionId": row["position_id"],
                "side": "LONG" if row["size"] > 0 else "SHORT",
                "size": wire.size(lots),
                "value": _value(wire.size(lots), mark),
                "markPrice": mark,
                "fundingFee": money(row["amount"]),
                "fundingRate": row["rate"],
                "paidTime": row["time_ms"],
            }
        )
    return Page(found, cursor)


def _value(size: str, price: str) -> str:
    left, right = decimal(size, "size"), decimal(price, "price")
    return money(left.numerator * right.numerator * 1_000_000 // (left.denominator * right.denominator))


async def fees(call: Call) -> list[dict[str, Any]]:
    """Rates of the account by market; they depend on what it traded in thirty days."""
    tier = call.api.sequencer.desk.volumes.tier(call.account_id)
    chosen = call.chosen_markets()
    return [
        {
            "market": wire.terms.name,
            "makerFeeRate": share(int(tier.maker)),
            "takerFeeRate": share(int(tier.taker)),
            "builderFeeRate": "0",
        }
        for wire in (call.api.markets.all if chosen is None else chosen)
    ]


async def leverage(call: Call) -> list[dict[str, Any]]:
    """Leverage and margin mode in force by market."""
    chosen = call.chosen_markets()
    found = []
    for wire in call.api.markets.all if chosen is None else chosen:
        market_id = int(wire.terms.market_id)
        choice = call.account.choice(market_id)
        found.append(
            {
                "market": wire.terms.name,
                "leverage": shapes.leverage_of(call.api, call.account_id, market_id),
                "marginMode": shapes.margin_mode(call.api, call.account_id, market_id),
                "signedLeverage": 0 if choice is None else choice.leverage,
                "topUpCap": money(0 if choice is None else int(choice.top_up_cap)),
            }
        )
    return found


async def set_leverage(call: Call) -> dict[str, Any]:
    """Lower the leverage of new orders. Raising it beyond what was signed, and other modes, take a signature."""
    body = await call.body(LeverageBody)
    wire = call.api.market(body.market)
    market_id, account_id = MarketId(wire.terms.market_id), call.account_id
    mode = shapes.margin_mode(call.api, account_id, market_id)
    if body.margin_mode is not None and body.margin_mode.upper() != mode:
        raise ApiError(422, errors.NOT_ALLOWED, "marginMode needs a signature: POST /api/v1/user/configuration")
    asked = decimal(str(body.leverage), "leverage")
    if asked.numerator % asked.denominator:
        raise ApiError(400, errors.LEVERAGE_PRECISION, "leverage must be a whole number")
    number = asked.numerator // asked.denominator
    if number < 1:
        raise ApiError(400, errors.LEVERAGE_LOW, "leverage must be at least 1")
    most = shapes.most_leverage(wire)
    if number > most:
        raise ApiError(400, errors.LEVERAGE_HIGH, f"leverage must be at most {most}")
    answer = await call.send(lambda now: SetLeverageCap(now, account_id, market_id, number))
    for event in answer.events:
        if isinstance(event, Rejected):
            if event.reason is Reject.MODE_NOT_AVAILABLE:
                text = "an isolated market's leverage needs a signature: POST /api/v1/user/configuration"
                raise ApiError(422, errors.NOT_ALLOWED, text, reject=event.reason.name)
            raise rejected(event.reason)
    return {"market": wire.terms.name, "leverage": str(number), "marginMode": mode}


async def page(
    call: Call, table: Table, key: str, wheres: list[ColumnElement[bool]], most: int, sort: str = "",
    *, base: Select[Any] | None = None,
) -> tuple[list[Row], int | None]:  # fmt: skip
    """A part of a table, newest first: below the cursor where there is one. Markets are asked of every table alike.

    `sort` is a column that goes before the key; the cursor is a key all the same, of a row that was given before.
    `base` is a query of the table's rows with more columns.
    """
    column = table.c[key]
    chosen = call.chosen_markets()
    if chosen is not None and "market_id" in table.c:
        wheres.append(table.c.market_id.in_([int(wire.terms.market_id) for wire in chosen]))
    cursor = call.text("cursor")
    if cursor:
        wheres.append(await _below(call, table, key, whole(cursor, "cursor"), sort))
    limit = call.limit(most)
    order_by = [table.c[sort].desc()] if sort else []
    chosen_from = select(table) if base is None else base
    query = chosen_from.where(*wheres).order_by(*order_by, column.desc()).limit(limit + 1)
    rows = await call.api.node.store.rows(query)
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], rows[limit - 1][key]


async def _below(call: Call, table: Table, key: str, cursor: int, sort: str) -> ColumnElement[bool]:
    """Rows that come after the one that the cursor names."""
    if not sort:
        return table.c[key] < cursor
    query = select(table.c[sort]).where(table.c[key] == cursor, table.c.account_id == call.account_id)
    found = await call.api.node.store.rows(query)
    if not found:
        raise bad("cursor: it names none of these rows; use the one that the last page gave")
    place = found[0][sort]
    return or_(table.c[sort] < place, and_(table.c[sort] == place, table.c[key] < cursor))


ENDPOINTS = [
    Endpoint("GET", "/api/v1/user/client/info", client_info),
    Endpoint("GET", "/api/v1/user/account/info", account_info),
    Endpoint("GET", "/api/v1/user/accounts", accounts),
    Endpoint("GET", "/api/v1/user/balance", balance),
    Endpoint("GET", "/api/v1/user/spot/balances", spot_balances),
    Endpoint(
        "GET", "/api/v1/user/positions", positions, query=("market", "side"), words={"side": POSITION_SIDES},
    ),
    Endpoint(
        "GET", "/api/v1/user/positions/history", positions_history, query=("market", "side", "cursor", "limit"),
        words={"side": POSITION_SIDES},
    ),
    Endpoint("GET", "/api/v1/user/orders", orders, query=("market", "type", "side"), words=_BY_KIND),
    Endpoint(
        "GET", "/api/v1/user/orders/history", orders_history,
        query=("market", "type", "side", "cursor", "limit", "sort"), words={**_BY_KIND, "sort": SORTS},
    ),
    Endpoint("GET", "/api/v1/user/orders/external/{external_id:path}", orders_by_name),
    Endpoint("GET", "/api/v1/user/orders/{id}", order),
    Endpoint(
        "GET", "/api/v1/user/trades", trades, query=("market", "side", "type", "cursor", "limit"),
        words={"side": SIDES, "type": TRADE_TYPES},
    ),
    Endpoint("GET", "/api/v1/user/funding/history", funding_history, query=("market", "startTime", "cursor", "limit")),
    Endpoint("GET", "/api/v1/user/fees", fees, query=("market", "builderId")),
    Endpoint("GET", "/api/v1/user/leverage", leverage, query=("market",)),
    Endpoint("PATCH", "/api/v1/user/leverage", set_leverage, TRADE, LeverageBody),
]  # fmt: skip
