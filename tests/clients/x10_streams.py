"""The official SDK's streams, unmodified: every path, its own order book, the RPC socket, the blocking client.

Runs in the environment of the SDK. What it saw is printed as JSON in the last line.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from decimal import Decimal

from x10.clients.blocking import BlockingTradingClient
from x10.clients.rest import RestApiClient
from x10.clients.stream import StreamClient
from x10.clients.streamrpc.streamrpc_client import StreamRpcClient
from x10.clients.streamrpc.subscription_params import (
    AccountParams,
    CandlesParams,
    FundingRatesParams,
    OrderbooksParams,
    PricesParams,
    TradesParams,
)
from x10.config import MAINNET_CONFIG
from x10.core.client_config import ClientConfig, EndpointsConfig, SigningConfig, StarknetDomain
from x10.core.stark_account import StarkPerpetualAccount
from x10.models.order import OrderSide
from x10.tools.orderbook import OrderBook

GIVEN = json.loads(sys.argv[1])
URL = GIVEN["url"]
MARKET = "BTC-USD"
FEE = Decimal("0.0005")
ACCOUNT_KINDS = 5


def config_for(url: str) -> ClientConfig:
    """Only URLs, the signing domain and the chain id differ from the SDK's own."""
    streams = url.replace("http", "ws", 1)
    domain = StarknetDomain(name="Perpetuals", version="v0", chain_id=GIVEN["chain_id"], revision="1")
    return ClientConfig(
        defaults=MAINNET_CONFIG.defaults,
        signing=SigningConfig(signing_domain="ours.example", starknet_domain=domain),
        endpoints=EndpointsConfig(
            api_base_url=f"{url}/api/v1",
            api_base_order_management_url=f"{url}/api/v1",
            onboarding_url=url,
            stream_url=f"{streams}/stream.extended.exchange/v1",
            stream_rpc_url=f"{streams}/stream.extended.exchange/v2/rpc",
            vault_asset_name="XVS",
        ),
    )


async def until(holds: Callable[[], bool]) -> bool:
    """Wait for what frames on their way make true; whether they did within ten seconds."""
    for _ in range(1_000):
        if holds():
            return True
        await asyncio.sleep(0.01)
    return False


async def paths(client: RestApiClient, found: dict) -> None:
    """Each path, and one frame of it after an order of our own."""
    streams = StreamClient(api_url=client.config.endpoints.stream_url)
    async with (
        streams.subscribe_to_orderbooks(MARKET) as books,
        streams.subscribe_to_orderbooks(MARKET, depth=1) as best,
        streams.subscribe_to_orderbooks() as every,
        streams.subscribe_to_public_trades(MARKET) as trades,
        streams.subscribe_to_funding_rates(MARKET) as funding,
        streams.subscribe_to_candles(MARKET, "index-prices", "PT1M") as candles,
        streams.subscribe_to_account_updates(client.stark_account.api_key) as account,
    ):
        found["first"] = [str((await one.recv()).type) for one in (books, best, every)]
        found["account"] = [str((await account.recv()).type) for _ in range(4)]
        await client.place_order(MARKET, Decimal("0.1"), Decimal("60100"), OrderSide.BUY, FEE)
        trade = (await trades.recv()).data[0]
        found["trade"] = [str(trade.side), str(trade.qty), str(trade.price)]
        delta = await books.recv()
        found["delta"] = [str(delta.type), str(delta.data.ask[0].qty), delta.seq]
        found["rate"] = str((await funding.recv()).data.market)
        found["candle"] = (await candles.recv()).data[0].close > 0
        kinds = set()
        while kinds < {"ORDER", "TRADE", "POSITION", "BALANCE", "SPOT_BALANCE"}:
            kinds.add(str((await asyncio.wait_for(account.recv(), 10)).type))
        found["after"] = sorted(kinds)


async def own_book(client: RestApiClient, found: dict) -> None:
    """The SDK's own order book, which adds what a delta says."""
    book = await OrderBook.create(client.config, market_name=MARKET, start=True)
    while book.best_ask() is None:
        await asyncio.sleep(0.05)
    for _ in range(3):
        await client.place_order(MARKET, Decimal("0.05"), Decimal("59500"), OrderSide.BUY, FEE)
    await client.place_order(MARKET, Decimal("0.1"), Decimal("60100"), OrderSide.BUY, FEE)
    await client.orders.mass_cancel(markets=[MARKET])
    await client.place_order(MARKET, Decimal("0.02"), Decimal("59400"), OrderSide.BUY, FEE)
    real = (await client.info.get_orderbook_snapshot(market_name=MARKET)).data
    told = [{str(one.price): str(one.qty) for one in side} for side in (real.bid, real.ask)]

    def kept() -> list[dict[str, str]]:
        sides = (book._bid_prices, book._ask_prices)
        return [{str(price): str(entry.amount) for price, entry in side.items()} for side in sides]

    found["book"] = await until(lambda: kept() == told)
    await client.orders.mass_cancel(markets=[MARKET])
    book.stop_orderbook()


async def rpc(client: RestApiClient, found: dict) -> None:
    """Every scope on one socket."""
    breaks: list = []

    async def broken(topic: str, last: int, now: int) -> None:
        breaks.append((topic, last, now))

    socket = StreamRpcClient(api_url=client.config.endpoints.stream_rpc_url, on_sequence_break=broken)
    await socket.connect()
    heard: dict = {}

    def handler(message) -> None:
        heard.setdefault(message.subscription, []).append(message)

    account = client.stark_account
    asked = [
        OrderbooksParams(market=MARKET), OrderbooksParams(market=MARKET, depth="1"), TradesParams(market=MARKET),
        FundingRatesParams(), PricesParams(price_type="mark", market=MARKET),
        CandlesParams(candle_type="index", market=MARKET, interval="PT1M"),
        AccountParams(account=str(account.vault), api_key=account.api_key),
    ]  # fmt: skip
    for params in asked:
        await socket.subscribe(params=params, handler=handler)
    await socket.ping()
    await client.place_order(MARKET, Decimal("0.1"), Decimal("60100"), OrderSide.BUY, FEE)
    topic = f"account.{account.vault}"
    await until(lambda: len(heard) == len(asked) and len({str(one.type) for one in heard[topic]}) == ACCOUNT_KINDS)
    found["scopes"] = sorted(heard)
    found["subscriptions"] = sorted(await socket.list_subscriptions())
    found["account_kinds"] = sorted({str(one.type) for one in heard[topic]})
    await socket.unsubscribe(topic_id=asked[2].topic_id)
    found["left"] = len(await socket.list_subscriptions())
    found["breaks"] = breaks
    await socket.close()


async def blocking(client: RestApiClient, found: dict) -> None:
    """The client that waits for the account stream after each order."""
    trader = await BlockingTradingClient.create(client.config, client.stark_account)
    placed = await trader.create_and_place_order(MARKET, Decimal("0.01"), Decimal("59000"), OrderSide.BUY, FEE)
    found["blocking"] = str(placed.status)
    await trader.cancel_order(placed.external_id)
    await trader.close()


async def main() -> None:
    found: dict = {}
    account = StarkPerpetualAccount(GIVEN["vault"], GIVEN["private"], GIVEN["public"], GIVEN["api_key"])
    async with RestApiClient(config_for(URL), account) as client:
        await paths(client, found)
        await own_book(client, found)
        await rpc(client, found)
        await blocking(client, found)
    print(json.dumps(found), flush=True)
    os._exit(0)  # the blocking client has left a socket open, for which the loop would wait ten seconds


asyncio.run(main())
