"""The official SDK, unmodified, on a market that its owner has isolated: position, protection, liquidation.

Runs in the environment of the SDK. What it saw is printed as JSON in the last line.
"""

import asyncio
import json
import sys
import urllib.request
from decimal import Decimal

from x10.clients.rest import RestApiClient
from x10.config import MAINNET_CONFIG
from x10.core.client_config import ClientConfig, EndpointsConfig, SigningConfig, StarknetDomain
from x10.core.stark_account import StarkPerpetualAccount
from x10.models.order import OrderPriceType, OrderSide, OrderTpslType, OrderTriggerPriceType, OrderType, TimeInForce
from x10.signing.order_object import OrderTpslTriggerParam, create_order_object

GIVEN = json.loads(sys.argv[1])
MARKET = "ETH-USD"


def client_for() -> RestApiClient:
    """A client by keys that exist."""
    url = GIVEN["url"]
    domain = StarknetDomain(name="Perpetuals", version="v0", chain_id=GIVEN["chain_id"], revision="1")
    config = ClientConfig(
        defaults=MAINNET_CONFIG.defaults,
        signing=SigningConfig(signing_domain="ours.example", starknet_domain=domain),
        endpoints=EndpointsConfig(
            api_base_url=f"{url}/api/v1", api_base_order_management_url=f"{url}/api/v1", onboarding_url=url,
            stream_url="ws://127.0.0.1:9", stream_rpc_url="ws://127.0.0.1:9", vault_asset_name="XVS",
        ),
    )  # fmt: skip
    account = StarkPerpetualAccount(GIVEN["vault"], GIVEN["private_key"], GIVEN["public_key"], GIVEN["api_key"])
    return RestApiClient(config, account)


async def main() -> None:
    found: dict = {}
    async with client_for() as client:
        market = (await client.info.get_markets_dict())[MARKET]
        common = {
            "account": client.stark_account, "market": market,
            "starknet_domain": client.config.signing.starknet_domain,
        }  # fmt: skip
        await client.place_order(MARKET, Decimal("2"), Decimal("3010"), OrderSide.BUY, Decimal("0.0005"))
        position = (await client.account.get_positions()).data[0]
        found["position"] = (str(position.side), str(position.size), str(position.leverage))

        def leg(trigger: str, price: str) -> OrderTpslTriggerParam:
            return OrderTpslTriggerParam(
                trigger_price=Decimal(trigger), trigger_price_type=OrderTriggerPriceType.INDEX, price=Decimal(price),
                price_type=OrderPriceType.MARKET,
            )  # fmt: skip

        await client.orders.place_order(
            create_order_object(
                amount_of_synthetic=Decimal("0"), price=Decimal("0"), side=OrderSide.SELL, order_type=OrderType.TPSL,
                tp_sl_type=OrderTpslType.POSITION, reduce_only=True, take_profit=leg("3300", "3250"),
                stop_loss=leg("2500", "2450"), **common,
            )
        )  # fmt: skip
        found["waiting"] = sorted(str(order.type) for order in (await client.account.get_open_orders()).data)
        await client.orders.place_order(
            create_order_object(
                amount_of_synthetic=Decimal("0.5"), price=Decimal("2960"), side=OrderSide.SELL,
                order_type=OrderType.MARKET, time_in_force=TimeInForce.IOC, reduce_only=True, **common,
            )
        )  # fmt: skip
        found["reduced"] = str((await client.account.get_positions()).data[0].size)
        try:
            await client.account.update_leverage(MARKET, Decimal("3"))
        except Exception as error:
            found["refused"] = str(error)
        await client.orders.mass_cancel(cancel_all=True)
        before = (await client.account.get_balance()).data.balance
        await asyncio.to_thread(urllib.request.urlopen, GIVEN["crash_url"])
        for _ in range(100):
            trades = (await client.account.get_trades()).data
            if any(str(trade.trade_type) == "LIQUIDATION" for trade in trades):
                break
            await asyncio.sleep(0.1)
        found["trades"] = [str(trade.trade_type) for trade in trades]
        history = (await client.account.get_positions_history()).data[0]
        found["exit"] = str(history.exit_type)
        after = (await client.account.get_balance()).data.balance
        found["lost_more_than_margin"] = before - after > Decimal(330)
    print(json.dumps(found))


asyncio.run(main())
