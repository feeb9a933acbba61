"""ccxt.pro, unmodified: every watch call that it has for this wire.

Runs in the environment of ccxt. What it saw is printed as JSON in the last line.
"""

import asyncio
import json
import sys
from collections.abc import Callable

import ccxt.pro

GIVEN = json.loads(sys.argv[1])
SYMBOL = "BTC/USDC:USDC"
SOCKETS = 3  # book, trades, account


async def until(holds: Callable[[], bool]) -> None:
    """Wait for what frames on their way make true; ten seconds at most."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


async def main() -> None:
    found: dict = {}
    url = GIVEN["url"]
    exchange = ccxt.pro.extended(
        {
            "apiKey": GIVEN["api_key"],
            "privateKey": GIVEN["private_key"],
            "options": {"chainId": GIVEN["chain_id"], "builderFee": False},
            "urls": {"api": {"rest": url, "ws": url.replace("http", "ws", 1) + "/stream.extended.exchange/v1"}},
        }
    )
    exchange.enableRateLimit = False
    try:
        await exchange.load_markets()
        book = await exchange.watch_order_book(SYMBOL)
        found["ask"] = list(book["asks"][0])
        watched = asyncio.gather(
            exchange.watch_trades(SYMBOL), exchange.watch_orders(SYMBOL), exchange.watch_my_trades(SYMBOL)
        )
        # An order before its streams are open is not told on them.
        await until(lambda: sum(one.connected.done() for one in exchange.clients.values()) >= SOCKETS)
        await exchange.create_order(SYMBOL, "market", "buy", 0.1, 60_400)
        trades, orders, mine = await asyncio.wait_for(watched, 10)
        found["trade"] = [trades[-1]["side"], trades[-1]["amount"], trades[-1]["price"]]
        found["order"] = [orders[-1]["status"], orders[-1]["filled"]]
        found["mine"] = [mine[-1]["side"], mine[-1]["amount"]]
        for price in (59_500, 59_510):
            await exchange.create_order(SYMBOL, "limit", "buy", 0.02, price)
        # Not by watching: what has come before one watches is in the book, and would be waited for in vain.
        book = exchange.orderbooks[SYMBOL]
        await until(lambda: any(price == 59_510 for price, _ in book["bids"]))
        real = await exchange.fetch_order_book(SYMBOL)
        found["book"] = [list(one) for one in book["bids"]] == [list(one) for one in real["bids"]] and [
            list(one) for one in book["asks"]
        ] == [list(one) for one in real["asks"]]
        await exchange.cancel_all_orders(SYMBOL)
        found["positions"] = [one["side"] for one in await asyncio.wait_for(exchange.watch_positions([SYMBOL]), 10)]
        balance = await asyncio.wait_for(exchange.watch_balance(), 10)
        found["balance"] = balance["USDC"]["total"] > 99_000
        found["funding"] = (await asyncio.wait_for(exchange.watch_funding_rate(SYMBOL), 10))["symbol"]
        found["mark"] = (await asyncio.wait_for(exchange.watch_mark_price(SYMBOL), 10))["markPrice"] > 50_000
        found["candle"] = len(await asyncio.wait_for(exchange.watch_ohlcv(SYMBOL, "1m"), 10))
    finally:
        await exchange.close()
    print(json.dumps(found))


asyncio.run(main())
