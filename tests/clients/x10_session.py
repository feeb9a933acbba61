"""A trader with the official Python SDK, unmodified: onboards, is given money, trades, protects, moves money out.

Runs in the environment of the SDK. What it saw is printed as JSON in the last line.
"""

import asyncio
import json
import sys
from datetime import timedelta
from decimal import Decimal

from eth_account import Account
from x10.clients.onboarding import OnboardingClient
from x10.clients.rest import RestApiClient
from x10.config import MAINNET_CONFIG
from x10.core.client_config import ClientConfig, EndpointsConfig, SigningConfig, StarknetDomain
from x10.core.stark_account import StarkPerpetualAccount
from x10.errors import ApiError
from x10.models.asset import AssetOperationStatus, AssetOperationType
from x10.models.order import (
    OrderPriceType,
    OrderSide,
    OrderSortBy,
    OrderTpslType,
    OrderTriggerDirection,
    OrderTriggerPriceType,
    OrderType,
    TimeInForce,
)
from x10.models.position import PositionSide
from x10.models.trade import TradeType
from x10.signing.order_object import OrderConditionalTriggerParam, OrderTpslTriggerParam, create_order_object
from x10.utils.date import utc_now

GIVEN = json.loads(sys.argv[1])
URL = GIVEN["url"]
MARKET = "BTC-USD"


def config_for(url: str) -> ClientConfig:
    """Only URLs, the signing domain and the chain id differ from the SDK's own."""
    streams = url.replace("http", "ws", 1)
    return ClientConfig(
        defaults=MAINNET_CONFIG.defaults,
        signing=SigningConfig(
            signing_domain="ours.example",
            starknet_domain=StarknetDomain(
                name="Perpetuals", version="v0", chain_id=GIVEN["chain_id"], revision="1"
            ),
        ),
        endpoints=EndpointsConfig(
            api_base_url=f"{url}/api/v1",
            api_base_order_management_url=f"{url}/api/v1",
            onboarding_url=url,
            stream_url=f"{streams}/stream.extended.exchange/v1",
            stream_rpc_url=f"{streams}/stream.extended.exchange/v2/rpc",
            vault_asset_name="XVS",
        ),
    )


async def onboard(config: ClientConfig, found: dict) -> list[StarkPerpetualAccount]:
    """A main account and a sub-account, each with a key of its own."""
    owner = Account.from_key(bytes([7]) * 32)

    def sign(message):
        return owner.sign_message(message).signature.hex()

    accounts = []
    async with OnboardingClient(config, account_address=owner.address, sign_message=sign) as client:
        made = [await client.auth.onboard_client()]
        made.append(await client.auth.onboard_subaccount(account_index=1, description="second"))
        try:
            await client.auth.onboard_subaccount(account_index=1, description="again")
        except Exception as error:
            found["second_onboarding"] = str(error)
        for one in made:
            key = await client.account.create_api_key(account_id=one.account.id, description="test")
            pair = one.l2_key_pair
            accounts.append(StarkPerpetualAccount(one.account.l2_vault, pair.private_hex, pair.public_hex, key))
    return accounts


async def look(client: RestApiClient, found: dict) -> None:
    """Every call that only reads."""
    info, account = client.info, client.account
    markets = await info.get_markets_dict()
    found["markets"] = sorted(markets)
    found["leverage_of_tier"] = str(markets[MARKET].trading_config.max_leverage_for_position_value(Decimal(1000)))
    await info.get_settings()
    found["assets"] = sorted(await info.get_assets_dict())
    await info.get_market_statistics(market_name=MARKET)
    await info.get_orderbook_snapshot(market_name=MARKET)
    candles = await info.get_candles_history(
        market_name=MARKET, candle_type="index-prices", interval="PT1M", limit=10
    )
    found["candles"] = len(candles.data)
    now = utc_now()
    await info.get_funding_rates_history(market_name=MARKET, start_time=now - timedelta(hours=2), end_time=now)
    await account.get_client()
    found["accounts"] = len((await account.get_accounts()).data)
    await account.get_account()
    await account.get_spot_balances()
    await account.get_fees(market_names=[MARKET])
    await account.get_bridge_config()
    await client.builder.get_trades()


async def trade(client: RestApiClient, found: dict) -> None:
    """Rest, replace, cancel, take, and close."""
    orders, account = client.orders, client.account
    rest = await client.place_order(
        MARKET, Decimal("0.01"), Decimal("59500"), OrderSide.BUY, Decimal("0.0005"), post_only=True
    )
    replaced = await client.place_order(
        MARKET, Decimal("0.02"), Decimal("59600"), OrderSide.BUY, Decimal("0.0005"),
        previous_order_id=rest.data.external_id,
    )  # fmt: skip
    opened = (await account.get_open_orders(market_names=[MARKET])).data
    found["open"] = [(str(order.price), str(order.qty), str(order.status)) for order in opened]
    history = (await account.get_orders_history()).data
    found["replaced"] = [str(order.status_reason) for order in history]
    found["by_name"] = len((await account.get_order_by_external_id(replaced.data.external_id)).data)
    await orders.cancel_order(replaced.data.id)
    third = await client.place_order(MARKET, Decimal("0.01"), Decimal("59500"), OrderSide.BUY, Decimal("0.0005"))
    await orders.cancel_order_by_external_id(third.data.external_id)
    for _ in range(3):
        await client.place_order(MARKET, Decimal("0.01"), Decimal("59500"), OrderSide.BUY, Decimal("0.0005"))
    await orders.mass_cancel(markets=[MARKET])
    found["after_cancels"] = len((await account.get_open_orders()).data)
    market = (await client.info.get_markets_dict())[MARKET]
    taking = create_order_object(
        account=client.stark_account, market=market, amount_of_synthetic=Decimal("0.1"), price=Decimal("60400"),
        side=OrderSide.BUY, starknet_domain=client.config.signing.starknet_domain, order_type=OrderType.MARKET,
        time_in_force=TimeInForce.IOC,
    )  # fmt: skip
    placed = await orders.place_order(taking)
    done = (await account.get_order_by_id(placed.data.id)).data
    found["taken"] = (str(done.status), str(done.filled_qty), str(done.average_price))
    position = (await account.get_positions()).data[0]
    found["position"] = (str(position.side), str(position.size), str(position.open_price))
    found["trades"] = [(str(trade.side), str(trade.qty), trade.is_taker) for trade in (await account.get_trades()).data]


async def protect(client: RestApiClient, found: dict) -> None:
    """A conditional order, an order with attached protection, and protection of the whole position."""
    orders, market = client.orders, (await client.info.get_markets_dict())[MARKET]
    common = {
        "account": client.stark_account, "market": market,
        "starknet_domain": client.config.signing.starknet_domain,
    }  # fmt: skip

    def leg(trigger: str, price: str) -> OrderTpslTriggerParam:
        return OrderTpslTriggerParam(
            trigger_price=Decimal(trigger), trigger_price_type=OrderTriggerPriceType.INDEX, price=Decimal(price),
            price_type=OrderPriceType.MARKET,
        )  # fmt: skip

    trigger = OrderConditionalTriggerParam(
        trigger_price=Decimal("62000"), trigger_price_type=OrderTriggerPriceType.INDEX,
        direction=OrderTriggerDirection.UP, execution_price_type=OrderPriceType.LIMIT,
    )  # fmt: skip
    await orders.place_order(
        create_order_object(
            amount_of_synthetic=Decimal("0.01"), price=Decimal("62000"), side=OrderSide.BUY,
            order_type=OrderType.CONDITIONAL, trigger=trigger, **common,
        )
    )  # fmt: skip
    await client.place_order(
        MARKET, Decimal("0.01"), Decimal("59500"), OrderSide.BUY, Decimal("0.0005"), tp_sl_type=OrderTpslType.ORDER,
        take_profit=leg("63000", "62500"), stop_loss=leg("58000", "57500"),
    )  # fmt: skip
    exits = {
        "amount_of_synthetic": Decimal("0"), "price": Decimal("0"), "side": OrderSide.SELL,
        "order_type": OrderType.TPSL, "tp_sl_type": OrderTpslType.POSITION, "reduce_only": True,
        "take_profit": leg("64000", "63500"),
    }  # fmt: skip
    first = await orders.place_order(create_order_object(**exits, stop_loss=leg("55000", "54500"), **common))
    await orders.place_order(
        create_order_object(
            **exits, stop_loss=leg("57000", "56500"), previous_order_external_id=first.data.external_id, **common
        )
    )
    gone = (await client.account.get_order_by_id(first.data.id)).data
    found["exits_replaced"] = [str(gone.status), str(gone.status_reason)]
    opened = (await client.account.get_open_orders()).data
    found["waiting"] = sorted((str(order.type), str(order.status)) for order in opened)
    found["stops"] = sorted(str(order.stop_loss.trigger_price) for order in opened if order.stop_loss)
    found["protecting"] = sorted((str(order.tp_sl_type), str(order.qty)) for order in opened if order.tp_sl_type)
    await orders.mass_cancel(cancel_all=True)


async def see_the_rest(client: RestApiClient, found: dict) -> None:
    """Lists with every parameter, several cancels at once, and what this venue does not offer."""
    info, account, orders = client.info, client.account, client.orders
    found["price"] = str((await info.get_asset_price(asset_name="USD")).data)
    spans = ("PT1M", "PT5M", "PT15M", "PT30M", "PT1H", "PT2H", "PT4H", "P1D")
    kinds = ("trades", "mark-prices", "index-prices")
    found["spans"] = [
        len((await info.get_candles_history(market_name=MARKET, candle_type=kind, interval=span, limit=1)).data)
        for span in spans for kind in kinds
    ]  # fmt: skip
    named = [one.name for one in (await info.get_markets(market_names=[MARKET, "ETH-USD"])).data]
    found["named"] = named
    buys = {"order_type": OrderType.LIMIT, "order_side": OrderSide.BUY}
    placed = [
        await client.place_order(
            MARKET, Decimal("0.01"), Decimal("59000"), OrderSide.BUY, Decimal("0.0005"), external_id=name,
            time_in_force=TimeInForce.GTT, builder_fee=Decimal("0.0001"), builder_id=7,
        )
        for name in ("first-of-two", "second-of-two")
    ]  # fmt: skip
    found["open_buys"] = len((await account.get_open_orders(market_names=[MARKET], **buys)).data)
    await orders.mass_cancel(order_ids=[placed[0].data.id], external_order_ids=["second-of-two"], markets=["ETH-USD"])
    found["left_open"] = len((await account.get_open_orders(market_names=[MARKET], **buys)).data)
    newest = await account.get_orders_history(market_names=[MARKET], limit=1, sort=OrderSortBy.UPDATED_AT, **buys)
    older = await account.get_orders_history(
        market_names=[MARKET], limit=1, sort=OrderSortBy.UPDATED_AT, cursor=newest.pagination.cursor, **buys
    )  # fmt: skip
    found["pages"] = sorted(page.data[0].external_id for page in (newest, older))
    side, kind = OrderSide.BUY, TradeType.TRADE
    trades = await account.get_trades(market_names=[MARKET], trade_side=side, trade_type=kind, limit=1)
    found["own_trades"] = len(trades.data)
    found["lived"] = [str(one.side) for one in (await account.get_positions_history(market_names=[MARKET])).data]
    found["longs"] = len((await account.get_positions(position_side=PositionSide.LONG)).data)
    done = await account.asset_operations(
        operations_type=[AssetOperationType.DEPOSIT], operations_status=[AssetOperationStatus.COMPLETED], limit=1
    )  # fmt: skip
    found["deposits"] = len(done.data)
    found["shares"] = str(await client.vault.get_vault_share_balance())
    market = (await info.get_markets_dict())[MARKET]
    quoted = create_order_object(
        account=client.stark_account, market=market, amount_of_synthetic=Decimal("0.01"), price=Decimal("59000"),
        side=OrderSide.BUY, starknet_domain=client.config.signing.starknet_domain,
    )  # fmt: skip
    asset = (await info.get_assets_dict())["USD"].to_settlement_asset()
    refused = (
        orders.place_rfq_order(quoted), account.get_bridge_quote("STRK", "SOL", Decimal(5)),
        account.commit_bridge_quote("1"), account.withdraw(Decimal(5), asset, chain_id="SOL", quote_id="1"),
        info.get_asset_price(asset_name="XVS"),
    )  # fmt: skip
    found["not_offered"] = []
    for asked in refused:
        try:
            await asked
        except ApiError as error:
            found["not_offered"].append(json.loads(str(error).split(" - ", 1)[1])["error"]["code"])


async def move_money(client: RestApiClient, other: StarkPerpetualAccount, found: dict) -> None:
    """Leverage, a transfer to the sub-account, and a withdrawal to L1."""
    account = client.account
    await account.update_leverage(MARKET, Decimal("10"))
    found["leverage"] = str((await account.get_leverage(market_names=[MARKET])).data[0].leverage)
    asset = (await client.info.get_assets_dict())["USD"].to_settlement_asset()
    moved = await account.transfer(
        to_vault=other.vault, to_l2_public_key=other.public_key, amount=Decimal("1000.5"), asset=asset
    )
    found["transfer"] = moved.data.valid_signature
    withdrawn = await account.withdraw(Decimal("25"), asset)
    found["withdrawal"] = isinstance(withdrawn.data, int)
    operations = (await account.asset_operations()).data
    found["operations"] = sorted((str(one.type), str(one.status), str(one.amount)) for one in operations)
    balance = (await account.get_balance()).data
    found["equity"] = str(balance.equity)
    try:
        await client.place_order(MARKET, Decimal("5"), Decimal("60100"), OrderSide.BUY, Decimal("0.00001"))
    except Exception as error:
        found["refused"] = f"{type(error).__name__}: {error}"


async def main() -> None:
    found: dict = {}
    config = config_for(URL)
    first, second = await onboard(config, found)
    async with RestApiClient(config, first) as client:
        await client.testnet.claim_testing_funds()
        found["claimed"] = str((await client.account.get_balance()).data.balance)
        await look(client, found)
        await trade(client, found)
        await protect(client, found)
        await see_the_rest(client, found)
        await move_money(client, second, found)
    async with RestApiClient(config, second) as client:
        found["second_balance"] = str((await client.account.get_balance()).data.balance)
    print(json.dumps(found))


asyncio.run(main())
