"""A hedged pair in a strategy of its own: long one coin, short as many dollars of another, isolated from all else.

    python examples/hedged_pair.py URL        the URL that `bulkhead up` prints, such as http://127.0.0.1:8080
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from bulkhead.client import AssetLeg, ClientError, Exchange, Order, Owner, Trader, whole
from bulkhead.client.orders import Side

LONG, SHORT = "BTC-USD", "ETH-USD"
DOLLARS = Decimal(3_000)  # on each side
STAKE = Decimal(1_000)  # what the strategy gets, and the most that it can lose


async def leg(trader: Trader, market: str, side: Side) -> Order:
    """DOLLARS of a market at its best price, in whole steps."""
    terms = await trader.exchange.market(market)
    price = await trader.exchange.mid(market)
    quantity = whole(DOLLARS / price, terms.trading_config.min_order_size_change)
    return await trader.take(market, side, quantity)


async def main(url: str) -> None:
    """Fund a strategy, open both legs, look at what is at stake, close, and take the money back."""
    console = Console(highlight=False)
    async with Exchange(url) as exchange:
        owner = await Owner(exchange, "0x" + secrets.token_hex(32)).trader()
        await owner.claim_test_money()
        strategy = await owner.add_strategy("hedged pair")
        await owner.move([AssetLeg(owner.account_id, strategy.account_id, STAKE)])
        console.print(f"strategy {strategy.account_id} has {(await strategy.balance()).equity:,} USD of its own")

        bought = await leg(strategy, LONG, "BUY")
        if not bought.filled:
            sys.exit(f"nobody sells {LONG} just now")
        sold = await leg(strategy, SHORT, "SELL")
        if not sold.filled:
            await strategy.take(LONG, "SELL", bought.filled, reduce_only=True)
            sys.exit(f"nobody buys {SHORT} just now: the first leg was closed again")
        table = Table("position", "size", "opened at", "liquidated at")
        for position in await strategy.positions():
            table.add_row(
                f"{position.side} {position.market}", str(position.size), f"{position.open_price:,}",
                f"{position.liquidation_price:,.2f}",
            )  # fmt: skip
        console.print(table)
        balance = await strategy.balance()
        console.print(
            f"maintenance {balance.maintenance_margin:,.2f} of {balance.equity:,.2f} USD; the owner's other "
            f"{(await owner.balance()).equity:,.2f} USD cannot be touched by it"
        )

        await strategy.take(LONG, "SELL", bought.filled, reduce_only=True)
        await strategy.take(SHORT, "BUY", sold.filled, reduce_only=True)
        left = (await strategy.balance()).available_for_withdrawal
        await strategy.move([AssetLeg(strategy.account_id, owner.account_id, left)])
        console.print(f"closed: {left - STAKE:+,.2f} USD came of it, fees paid")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1]))
    except ClientError as error:
        sys.exit(f"{type(error).__name__}: {error}")
