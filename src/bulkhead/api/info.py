"""What everybody may see: markets, statistics, books, candles, funding, assets, and the domain in which orders sign."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

from sqlalchemy import select

from bulkhead.api import errors, shapes
from bulkhead.api.account import page
from bulkhead.api.call import Api, Call, Endpoint, Page
from bulkhead.api.errors import ApiError, bad
from bulkhead.api.numbers import Wire, money, share
from bulkhead.engine.book import BUY, SELL
from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.commitment import VERSION
from bulkhead.ledger.state import Status
from bulkhead.ledger.ticks import FUNDING_PERIOD_MS
from bulkhead.limits import ORDERS_PER_ACCOUNT_MAX
from bulkhead.node.store import tables
from bulkhead.node.store.candles import INDICES, MARKS, TRADES
from bulkhead.rules.funding import hourly_rate

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
INTERVALS = {
    "PT1M": MINUTE_MS, "PT5M": 5 * MINUTE_MS, "PT15M": 15 * MINUTE_MS, "PT30M": 30 * MINUTE_MS, "PT1H": HOUR_MS,
    "PT2H": 2 * HOUR_MS, "PT4H": 4 * HOUR_MS, "PT8H": 8 * HOUR_MS, "PT12H": 12 * HOUR_MS, "PT24H": DAY_MS,
    "P1D": DAY_MS, "P7D": 7 * DAY_MS, "P30D": 30 * DAY_MS,
}  # fmt: skip
CANDLES_MAX = 1_000
MINUTES_READ_MAX = 200_000  # of one-minute candles put together for one answer
OPEN_INTERESTS_MAX = 10_000  # funding ticks read for one answer
BOOK_LEVELS = 100
STATS_AGE_S = 2.0
LEVELS_AGE_S = 5.0
STATUSES = {Status.ACTIVE: "ACTIVE", Status.REDUCE_ONLY: "REDUCE_ONLY", Status.OFF: "DISABLED"}
USD_NAME = "USD"
ASSET_TYPES = ("SPOT", "PERPETUAL")


async def markets(call: Call) -> list[dict[str, Any]]:
    """Every market, or those that are named."""
    chosen = call.chosen_markets()
    return [await market_shape(call.api, wire) for wire in (call.api.markets.all if chosen is None else chosen)]


async def market_stats(call: Call) -> dict[str, Any]:
    """A market's last day."""
    return await stats_shape(call.api, call.api.market(call.path("market")))


async def orderbook(call: Call) -> dict[str, Any]:
    """The book, best prices first."""
    wire = call.api.market(call.path("market"))
    book = call.api.sequencer.book(wire.terms.market_id)
    sides = {
        name: [{"qty": wire.size(int(lots)), "price": wire.price(int(price))} for price, lots in found]
        for name, found in (("bid", book.depth(BUY, BOOK_LEVELS)), ("ask", book.depth(SELL, BOOK_LEVELS)))
    }
    return {"market": wire.terms.name, **sides}


async def market_trades(call: Call) -> list[dict[str, Any]]:
    """The last trades of everybody."""
    wire = call.api.market(call.path("market"))
    table = tables.fills
    query = (
        select(table)
        .where(table.c.market_id == int(wire.terms.market_id), table.c.is_taker)
        .order_by(table.c.fill_id.desc())
        .limit(call.limit(1_000))
    )
    return [shapes.public_trade(call.api, row) for row in await call.api.node.store.rows(query)]


async def candles(call: Call) -> list[dict[str, Any]]:
    """The last `limit` candles that there are, newest first, up to `endTime`. A span without a price has none."""
    wire, kind = call.api.market(call.path("market")), call.path("type")
    if kind not in (TRADES, MARKS, INDICES):
        raise bad(f"candles are of {TRADES}, {MARKS} or {INDICES}")
    span_ms = INTERVALS.get(call.text("interval"))
    if span_ms is None:
        raise ApiError(400, errors.INTERVAL_UNSUPPORTED, f"interval must be one of {', '.join(INTERVALS)}")
    end_ms = call.number("endTime", int(call.api.sequencer.time_ms))
    limit = min(call.limit(CANDLES_MAX), max(1, MINUTES_READ_MAX * MINUTE_MS // span_ms))
    return await candle_shapes(call.api, wire, kind, span_ms, end_ms, limit)


async def candle_shapes(
    api: Api, wire: Wire, kind: str, span_ms: int, end_ms: int, limit: int, *, first_ms: int = 0
) -> list[dict[str, Any]]:
    """Candles of a span put together from those of one minute, newest first, none from before `first_ms`."""
    table = tables.candles
    query = (
        select(table)
        .where(
            table.c.market_id == int(wire.terms.market_id),
            table.c.kind == kind,
            table.c.minute_ms >= first_ms,
            table.c.minute_ms <= end_ms,
        )
        .order_by(table.c.minute_ms.desc())
        .limit(limit * span_ms // MINUTE_MS)  # so many minutes hold at least so many spans
    )
    found: dict[int, dict[str, Any]] = {}
    lots: dict[int, int] = {}
    for row in reversed(await api.node.store.rows(query)):
        start = row["minute_ms"] - row["minute_ms"] % span_ms
        candle = found.get(start)
        lots[start] = lots.get(start, 0) + row["lots"]
        if candle is None:
            found[start] = {"o": row["open"], "h": row["high"], "l": row["low"], "c": row["close"], "T": start}
            continue
        candle["h"] = max(candle["h"], row["high"], key=Decimal)
        candle["l"] = min(candle["l"], row["low"], key=Decimal)
        candle["c"] = row["close"]
    for start, candle in found.items():
        if kind == TRADES:
            candle["v"] = wire.size(lots[start])
    return [found[start] for start in sorted(found, reverse=True)[:limit]]


async def funding(call: Call) -> Page:
    """Funding rates of a market, newest first."""
    wire = call.api.market(call.path("market"))
    table = tables.funding_rates
    wheres = [table.c.market_id == int(wire.terms.market_id)]
    if call.text("startTime"):
        wheres.append(table.c.time_ms >= call.number("startTime", 0))
    if call.text("endTime"):
        wheres.append(table.c.time_ms <= call.number("endTime", 0))
    rows, cursor = await page(call, table, "rate_id", wheres, 10_000)
    return Page([{"m": wire.terms.name, "f": row["rate"], "T": row["time_ms"]} for row in rows], cursor)


async def open_interests(call: Call) -> list[dict[str, Any]]:
    """The last `limit` open interests, newest first: at each funding tick, or the last one of each day for P1D."""
    wire = call.api.market(call.path("market"))
    table = tables.funding_rates
    span_ms = {"PT1H": HOUR_MS, "P1H": HOUR_MS, "P1D": DAY_MS}.get(call.text("interval") or "PT1H")
    if span_ms is None:
        raise ApiError(400, errors.INTERVAL_UNSUPPORTED, "interval must be PT1H or P1D")
    ticks = span_ms // FUNDING_PERIOD_MS  # at most so many in a span
    limit = call.limit(OPEN_INTERESTS_MAX // ticks)
    query = (
        select(table)
        .where(
            table.c.market_id == int(wire.terms.market_id),
            table.c.time_ms >= call.number("startTime", 0),
            table.c.time_ms <= call.number("endTime", int(call.api.sequencer.time_ms)),
        )
        .order_by(table.c.rate_id.desc())
        .limit(limit * ticks)
    )
    found: dict[int, dict[str, Any]] = {}
    for row in await call.api.node.store.rows(query):
        size = wire.size(row["open_lots"])
        value = format(Decimal(size) * Decimal(row["index_price"]), "f")
        found.setdefault(row["time_ms"] // span_ms, {"i": value, "I": size, "t": row["time_ms"]})
    return list(found.values())[:limit]


async def assets(call: Call) -> list[dict[str, Any]]:
    """Collateral, and what the markets are of."""
    kind = call.word("type", ASSET_TYPES)
    found = []
    for asset in call.api.state.config.assets:
        places = len(str(asset.resolution)) - 1
        found.append(_asset(int(asset.asset_id), asset.name, places, int(asset.collateral_id), asset.resolution, True))
    for wire in call.api.markets.all:
        number = 1_000 + int(wire.terms.market_id)
        name = wire.terms.name.split("-")[0]
        found.append(
            _asset(number, name, wire.size_places, int(wire.terms.synthetic_id), wire.terms.resolution, False)
        )
    return [asset for asset in found if not kind or asset["type"] == kind]


def _asset(number: int, name: str, places: int, identity: int, resolution: int, is_collateral: bool) -> dict[str, Any]:
    return {
        "id": number,
        "name": name,
        "symbol": name,
        "precision": places,
        "isActive": True,
        "isCollateral": is_collateral,
        "starkexId": hex(identity),
        "starkexResolution": resolution,
        "l1Id": hex(identity),
        "l1Resolution": resolution,
        "version": 1,
        "type": "SPOT" if is_collateral else "PERPETUAL",
        "canBeUsedAsCollateral": is_collateral,
    }


async def asset_price(call: Call) -> str:
    """The price of collateral in dollars."""
    if call.path("name") != USD_NAME:
        raise ApiError(404, errors.ASSET_NOT_FOUND, "there is no such asset with a price")
    return "1"


async def settings(call: Call) -> dict[str, Any]:
    """The contract that settles, zero where there is none."""
    settles = call.api.node.settles
    return {"starkExContractAddress": "0x" + "0" * 40 if settles is None else settles.deployment.rollup.address}


async def starknet(call: Call) -> dict[str, Any]:
    """The domain in which everything is signed here, and the version of the state."""
    domain = call.api.node.exchange.machine.authority.domain
    return {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "revision": domain.revision,
        "signingDomain": call.api.node.settings.http.signing_domain,
        "stateVersion": VERSION,
    }


# -- shapes ----------------------------------------------------------------------------------------------------------


async def market_shape(api: Api, wire: Wire) -> dict[str, Any]:
    """A market with its terms."""
    terms = wire.terms
    asset = api.state.config.asset(terms.asset_id)
    assert asset is not None, "the configuration was checked"
    status = api.state.markets[terms.market_id].status
    return {
        "name": terms.name,
        "uiName": terms.name,
        "marketId": int(terms.market_id),  # in signed configurations and moves
        "type": "PERPETUAL",
        "assetName": terms.name.split("-")[0],
        "assetPrecision": wire.size_places,
        "collateralAssetName": asset.name,
        "collateralAssetPrecision": len(str(asset.resolution)) - 1,
        "active": status is Status.ACTIVE,
        "status": STATUSES.get(status, "PRELISTED"),
        "isRfq": False,
        "isOffHours": False,
        "tradingHours": "CONTINUOUS",
        "createdAt": int(api.node.began_ms),
        "marketStats": await stats_shape(api, wire),
        "tradingConfig": trading_config(api, wire),
        "l2Config": {
            "type": "STARKX",
            "collateralId": hex(asset.collateral_id),
            "collateralResolution": asset.resolution,
            "syntheticId": hex(terms.synthetic_id),
            "syntheticResolution": terms.resolution,
        },
    }


def trading_config(api: Api, wire: Wire) -> dict[str, Any]:
    """What orders must keep to."""
    terms = wire.terms
    most = money(int(terms.order_value_max))
    return {
        "minOrderSize": wire.size(int(terms.size_min)),
        "minOrderSizeChange": wire.size(1),
        "minPriceChange": wire.price(int(terms.tick)),
        "maxMarketOrderValue": most,
        "maxLimitOrderValue": most,
        "maxPositionValue": money(int(terms.tiers[-1].bound)),
        "maxLeverage": str(shapes.most_leverage(wire)),
        "maxNumOrders": ORDERS_PER_ACCOUNT_MAX,
        "limitPriceCap": share(int(terms.band)),
        "limitPriceFloor": share(int(terms.band)),
        "hourlyFundingRateCap": share(int(terms.funding_cap)),
        "riskFactorConfig": [
            {"upperBound": money(int(tier.bound)), "riskFactor": share(int(tier.initial))} for tier in terms.tiers
        ],
    }


async def _day(api: Api, wire: Wire) -> dict[str, str]:
    """The last 24 hours of trades; looked up again when it is two seconds old."""
    known = api.days.get(int(wire.terms.market_id))
    if known is not None and time.monotonic() - known[0] < STATS_AGE_S:
        return known[1]
    now = int(api.sequencer.time_ms)
    first_ms = now - now % HOUR_MS - DAY_MS + HOUR_MS
    rows = (await candle_shapes(api, wire, TRADES, HOUR_MS, now, 24, first_ms=first_ms))[::-1]
    last = wire.price(int(api.sequencer.last(wire.terms.market_id)))
    first = rows[0]["o"] if rows else last
    base = sum((Decimal(row["v"]) for row in rows), Decimal(0))
    value = sum((Decimal(row["v"]) * Decimal(row["c"]) for row in rows), Decimal(0))
    change = Decimal(last) - Decimal(first)
    day = {
        "dailyVolume": format(value, "f"),
        "dailyVolumeBase": format(base, "f"),
        "dailyPriceChange": format(change, "f"),
        "dailyPriceChangePercentage": format((change / Decimal(first)).quantize(Decimal("1e-8")), "f")
        if Decimal(first)
        else "0",
        "dailyLow": min((row["l"] for row in rows), key=Decimal, default=last),
        "dailyHigh": max((row["h"] for row in rows), key=Decimal, default=last),
    }
    api.days[int(wire.terms.market_id)] = (time.monotonic(), day)
    return day


def _levels(api: Api, wire: Wire) -> dict[str, list[dict[str, Any]]]:
    """Deciles in which either side would give up lots, 10 first, with the least profit in dollars for an unhedged coin
    in each; looked up again when it is some seconds old, for every holder is looked at."""
    market_id = int(wire.terms.market_id)
    known = api.levels.get(market_id)
    if known is not None and time.monotonic() - known[0] < LEVELS_AGE_S:
        return known[1]
    sides = api.node.exchange.machine.venue.deleveraging_levels(wire.terms.market_id)
    found = {
        name: [{"level": level, "rankingLowerBound": wire.index_price(int(least))} for level, least in sides[side]]
        for name, side in (("shortPositions", -1), ("longPositions", 1))
    }
    api.levels[market_id] = (time.monotonic(), found)
    return found


async def stats_shape(api: Api, wire: Wire) -> dict[str, Any]:
    """A market's numbers of now and of its last day."""
    terms, engine = wire.terms, api.sequencer
    market = api.state.markets[terms.market_id]
    bid, ask = engine.best_bid_ask(terms.market_id)
    last = int(engine.last(terms.market_id))
    samples = engine.samples(terms.market_id)
    rate = hourly_rate(samples, terms.funding_interest, terms.funding_cap) if samples else 0
    open_lots = int(market.open_interest)
    return {
        **await _day(api, wire),
        "lastPrice": wire.price(last),
        "bidPrice": wire.price(0 if bid is None else int(bid)),
        "askPrice": wire.price(0 if ask is None else int(ask)),
        "markPrice": wire.index_price(int(engine.mark(terms.market_id))),
        "indexPrice": wire.index_price(int(market.price)),
        "fundingRate": share(int(rate)),
        "nextFundingRate": int(market.funding_ms) + FUNDING_PERIOD_MS,
        "openInterest": money(open_lots * int(market.price) >> FRACTION_BITS),
        "openInterestBase": wire.size(open_lots),
        "deleverageLevels": _levels(api, wire),
    }


ENDPOINTS = [
    Endpoint("GET", "/api/v1/info/markets", markets, "", query=("market",)),
    Endpoint("GET", "/api/v1/info/markets/{market}/stats", market_stats, ""),
    Endpoint("GET", "/api/v1/info/markets/{market}/orderbook", orderbook, ""),
    Endpoint("GET", "/api/v1/info/markets/{market}/trades", market_trades, "", query=("limit",)),
    Endpoint("GET", "/api/v1/info/candles/{market}/{type}", candles, "", query=("interval", "limit", "endTime")),
    Endpoint("GET", "/api/v1/info/assets", assets, "", query=("type",), words={"type": ASSET_TYPES}),
    Endpoint("GET", "/api/v1/info/assets/{name}/price", asset_price, ""),
    Endpoint("GET", "/api/v1/info/settings", settings, ""),
    Endpoint("GET", "/api/v1/info/starknet", starknet, ""),
    Endpoint(
        "GET", "/api/v1/info/{market}/funding", funding, "", query=("startTime", "endTime", "cursor", "limit")
    ),
    Endpoint(
        "GET", "/api/v1/info/{market}/open-interests", open_interests, "",
        query=("interval", "startTime", "endTime", "limit"),
    ),
]  # fmt: skip
