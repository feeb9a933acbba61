"""A market maker: a bid and an ask around the index price, leaning against what it holds, gone when it is cut off.

    python examples/market_maker.py URL [SECONDS]        the URL that `bulkhead up` prints; 60 seconds unless told
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from contextlib import suppress
from decimal import Decimal

from rich.console import Console

from bulkhead.client import AccountFeed, ClientError, Exchange, NewOrder, Owner, Refused, Trader, Update, whole

MARKET = "ETH-USD"
QUANTITY = Decimal("0.5")
HALF_SPREAD = Decimal("0.0008")  # of the price
LEAN = Decimal("0.0004")  # by which both quotes move for each QUANTITY that is held
MOST = 6  # of QUANTITY; beyond it only the side that reduces is quoted
STEP = Decimal("0.0003")  # quotes follow when the fair price has moved so much
DEAD_MAN_S = 30  # everything is cancelled when nothing is heard from us for so long


class Maker:
    """Two orders at a time. A quote that moves replaces its predecessor in one step."""

    def __init__(self, trader: Trader, account: AccountFeed, tick: Decimal) -> None:
        self.trader = trader
        self.account = account
        self.tick = tick
        self.quoted: dict[str, tuple[str, Decimal]] = {}  # by side: external id, price
        self.count = 0

    def fair(self, index: Decimal) -> Decimal:
        """Lower when we hold much, so that others sell to us less and buy from us more."""
        return index * (1 - LEAN * self.account.size(MARKET) / QUANTITY)

    async def quote(self, index: Decimal) -> None:
        """Bring both sides to where they belong."""
        fair, held = self.fair(index), self.account.size(MARKET) / QUANTITY
        for side, sign in (("BUY", -1), ("SELL", 1)):
            if held * sign <= -MOST:
                continue
            price = whole(fair * (1 + sign * HALF_SPREAD), self.tick, up=side == "SELL")
            await self._place(side, price)

    async def _place(self, side: str, price: Decimal) -> None:
        old_id, old_price = self.quoted.get(side, ("", Decimal(0)))
        is_open = any(order.external_id == old_id for order in self.account.orders.values())
        if is_open and abs(price - old_price) < STEP * price:
            return
        order = NewOrder(
            market=MARKET, side="BUY" if side == "BUY" else "SELL", quantity=QUANTITY, price=price, post_only=True,
            replaces=old_id if is_open else "",
        )  # fmt: skip
        with suppress(Refused):  # it would have traded, or its predecessor has just done so: the next price decides
            placed = await self.trader.place(order)
            self.quoted[side] = (placed.external_id, price)
            self.count += 1


async def main(url: str, seconds: float = 60) -> None:
    """Quote for a while, and leave no order behind."""
    console = Console(highlight=False)
    async with Exchange(url) as exchange:
        trader = await Owner(exchange, "0x" + secrets.token_hex(32)).trader()
        await trader.claim_test_money()
        feeds = await exchange.feeds()
        account, prices = await feeds.account(trader), await feeds.prices("index", MARKET)
        market = await exchange.market(MARKET)
        maker = Maker(trader, account, market.trading_config.min_price_change)
        following = asyncio.create_task(follow(console, account))
        ends = time.monotonic() + seconds
        alive = 0.0
        try:
            while time.monotonic() < ends:
                if time.monotonic() > alive:
                    await trader.dead_man(DEAD_MAN_S)
                    alive = time.monotonic() + DEAD_MAN_S / 3
                with suppress(TimeoutError):
                    price = await asyncio.wait_for(prices.next(), 1.0)
                    await maker.quote(price.price)
        finally:
            following.cancel()
            await trader.cancel_all()
            await trader.dead_man(0)
        balance = await trader.balance()
        console.print(f"{maker.count} quotes; holds {account.size(MARKET)} {MARKET}; worth {balance.equity:,} USD")


async def follow(console: Console, account: AccountFeed) -> None:
    """Tell of fills and margin calls."""
    async for update in account:
        tell(console, update)


def tell(console: Console, update: Update) -> None:
    """One update."""
    for fill in update.trades:
        verb = "bought" if fill.side == "BUY" else "sold"
        console.print(f"{verb} {fill.quantity} at {fill.price:,} for a fee of {fill.fee}")
    for call in update.margin_calls:
        console.print(f"margin call: {call.level} % of {call.value:,} USD are in use")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1], *map(float, sys.argv[2:])))
    except KeyboardInterrupt:
        sys.exit("interrupted; no order is left")
    except (ClientError, ValueError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
