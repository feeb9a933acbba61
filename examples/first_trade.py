"""A first trade, from nothing: an account, test money, a look at every margin mode, a position, and out again.

    python examples/first_trade.py URL        the URL that `bulkhead up` prints, such as http://127.0.0.1:8080
"""

from __future__ import annotations

import asyncio
import secrets
import sys

from rich.console import Console
from rich.table import Table

from bulkhead.client import ClientError, Exchange, NewOrder, Owner, whole

MARKET, QUANTITY = "BTC-USD", "0.01"


async def main(url: str) -> None:
    """Onboard, preview, trade in a compartment of its own, close."""
    console = Console(highlight=False)
    async with Exchange(url) as exchange:
        # A wallet's key in real life; the exchange never sees it, nor the Stark key that is derived from it.
        owner = Owner(exchange, "0x" + secrets.token_hex(32))
        trader = await owner.trader()
        await trader.claim_test_money()
        console.print(f"account {trader.account_id} with {(await trader.balance()).equity:,} USD")

        market, ask = await exchange.market(MARKET), (await exchange.statistics(MARKET)).ask_price
        if not ask:
            sys.exit(f"nobody sells {MARKET} just now")
        price = whole(ask, market.trading_config.min_price_change, up=True)
        order = NewOrder(market=MARKET, side="BUY", quantity=QUANTITY, price=price)
        table = Table("mode", "margin", "liquidated at", "one bad position sinks", "fee")
        for mode in (await trader.preview(order)).modes:
            closed_at = "never" if mode.liquidation_price is None else f"{mode.liquidation_price:,.2f}"
            table.add_row(mode.margin_mode, f"{mode.margin:,.2f}", closed_at, f"{mode.at_stake:,.2f}", str(mode.fee))
        console.print(table)

        await trader.choose_mode(MARKET, "isolated", leverage=10)
        bought = await trader.take(MARKET, "BUY", QUANTITY)
        console.print(f"bought {bought.filled} at {bought.average_price:,}, fee {bought.fee_paid}")
        for position in await trader.positions():
            console.print(
                f"{position.side} {position.size} {position.market}, {position.margin_mode.lower()}: "
                f"margin {position.margin:,.2f}, liquidated at {position.liquidation_price:,.2f}"
            )
        await trader.add_margin(MARKET, 10)
        sold = await trader.take(MARKET, "SELL", QUANTITY, reduce_only=True)
        console.print(f"sold {sold.filled} at {sold.average_price:,}; {(await trader.balance()).equity:,} USD are left")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1]))
    except ClientError as error:
        sys.exit(f"{type(error).__name__}: {error}")
