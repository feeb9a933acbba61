"""From what stands in the ticket to an order, with every entry that cannot be one named. No screen in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, cast

from bulkhead.client import Exit, Market, NewOrder, Trigger, whole
from bulkhead.client.orders import Side
from bulkhead.terminal import numbers

LIMIT, MARKET, STOP, PROTECT = "limit", "market", "stop", "protect"
TYPES = ((LIMIT, "Limit"), (MARKET, "Market"), (STOP, "Stop / trigger"), (PROTECT, "TP/SL of position"))
FORCES = (("GTT", "Until filled"), ("IOC", "At once"), ("FOK", "All at once"))
SOURCES = (("MARK", "Mark price"), ("INDEX", "Index price"), ("LAST", "Last trade"))
LIFETIMES = (("3600", "1 hour"), ("86400", "1 day"), ("604800", "7 days"), ("2419200", "28 days"))
SLIPPAGE = "0.5"  # percent, unless another is entered


@dataclass(slots=True)
class Entries:
    """The ticket as it stands: texts as they were typed."""

    kind: str = LIMIT
    side: str = "BUY"
    price: str = ""
    size: str = ""
    force: str = "GTT"
    lifetime: str = "86400"
    post_only: bool = False
    reduce_only: bool = False
    trigger: str = ""
    source: str = "MARK"
    direction: str = "UP"
    take_profit: str = ""
    stop_loss: str = ""
    slippage: str = SLIPPAGE


@dataclass(slots=True)
class Made:
    """An order, or what hinders it, by the name of the entry."""

    order: NewOrder | None = None
    take_profit: Exit | None = None
    stop_loss: Exit | None = None
    problems: dict[str, str] = field(default_factory=dict)


def number(text: str) -> Decimal | None:
    """What was typed as a number; None for what is none."""
    return numbers.typed(text)


def make(entries: Entries, market: Market, best: Decimal | None, position: Decimal = Decimal(0)) -> Made:
    """What the ticket stands for. `best` is the price that a market order would begin at, None for an empty side;
    `position` the account's own size in this market, which exits protect."""
    made = Made()
    if entries.kind == PROTECT:
        _protect(entries, market, made, position)
        return made
    size = _step(made, "size", entries.size, market.trading_config.min_order_size_change)
    if size is not None and size < market.trading_config.min_order_size:
        least = numbers.size(market, market.trading_config.min_order_size)
        made.problems["size"] = f"at least {least}"
    trigger = _trigger(entries, market, made) if entries.kind == STOP else None
    price = _price(entries, market, made, best)
    is_buy = entries.side == "BUY"
    made.take_profit, made.stop_loss = _exits(entries, market, made, is_buy, price)
    if made.problems or size is None or price is None:
        return made
    is_market = entries.kind == MARKET
    force = entries.force if entries.kind != MARKET or entries.force != "GTT" else "IOC"
    made.order = NewOrder(
        market=market.name,
        side=cast(Side, entries.side),
        quantity=size,
        price=price,
        kind="MARKET" if is_market else "CONDITIONAL" if trigger is not None else "LIMIT",
        time_in_force=cast(Literal["GTT", "IOC", "FOK"], force),
        post_only=entries.post_only and entries.kind == LIMIT,
        reduce_only=entries.reduce_only,
        lifetime_s=int(entries.lifetime),
        trigger=trigger,
        take_profit=made.take_profit,
        stop_loss=made.stop_loss,
    )
    return made


def worst(price: Decimal, market: Market, slippage: Decimal, *, is_buy: bool) -> Decimal:
    """The worst price that is accepted: so many percent beyond, on the market's step."""
    away = 1 + slippage / 100 if is_buy else 1 - slippage / 100
    return whole(price * away, market.trading_config.min_price_change, up=not is_buy)


def _step(made: Made, name: str, text: str, step: Decimal) -> Decimal | None:
    value = number(text) if text.strip() else None
    if value is None:
        made.problems[name] = "enter a number" + (": a comma parts thousands" if "," in text else "")
    elif value <= 0:
        made.problems[name] = "above zero"
    elif value % step:
        made.problems[name] = f"in steps of {step.normalize():f}"
    return value if name not in made.problems else None


def _slippage(entries: Entries, made: Made) -> Decimal | None:
    value = number(entries.slippage)
    if value is None or not 0 < value <= 20:
        made.problems["slippage"] = "between 0 and 20 percent"
        return None
    return value


def _price(entries: Entries, market: Market, made: Made, best: Decimal | None) -> Decimal | None:
    if entries.kind != MARKET:
        return _step(made, "price", entries.price, market.trading_config.min_price_change)
    slippage = _slippage(entries, made)
    if best is None:
        made.problems["kind"] = "nobody is on the other side of the book: a market order would find nothing"
        return None
    return None if slippage is None else worst(best, market, slippage, is_buy=entries.side == "BUY")


def _trigger(entries: Entries, market: Market, made: Made) -> Trigger | None:
    price = _step(made, "trigger", entries.trigger, market.trading_config.min_price_change)
    if price is None:
        return None
    source = cast(Literal["MARK", "INDEX", "LAST"], entries.source)
    return Trigger(price=price, source=source, direction=cast(Literal["UP", "DOWN"], entries.direction))


def _exits(
    entries: Entries, market: Market, made: Made, is_long: bool, entry: Decimal | None
) -> tuple[Exit | None, Exit | None]:
    """Take-profit and stop-loss of a position that is (or would be) long or short; on their sides of its entry."""
    found: list[Exit | None] = []
    for name, is_above in (("take_profit", is_long), ("stop_loss", not is_long)):
        text = getattr(entries, name)
        if not text.strip():
            found.append(None)
            continue
        price = _step(made, name, text, market.trading_config.min_price_change)
        slippage = _slippage(entries, made)
        if price is None or slippage is None:
            found.append(None)
            continue
        if entry is not None and (price > entry) != is_above:
            made.problems[name] = f"{'above' if is_above else 'below'} {numbers.price(market, entry)}"
        limit = worst(price, market, slippage, is_buy=not is_long)
        source = cast(Literal["MARK", "INDEX", "LAST"], entries.source)
        found.append(Exit(trigger=price, price=limit, source=source))
    return found[0], found[1]


def _protect(entries: Entries, market: Market, made: Made, position: Decimal) -> None:
    if not position:
        made.problems["kind"] = f"there is no position in {market.name} to protect"
    made.take_profit, made.stop_loss = _exits(entries, market, made, position > 0, None)
    if made.take_profit is None and made.stop_loss is None and not made.problems:
        made.problems["take_profit"] = "enter one of the two"


def words(order: NewOrder, market: Market) -> str:
    """An order in a line, as it stands beside what became of it."""
    side = "Buy" if order.side == "BUY" else "Sell"
    kind = {"MARKET": "at market", "LIMIT": f"at {numbers.price(market, Decimal(order.price))}"}.get(order.kind, "")
    if order.trigger is not None:
        kind = f"at {numbers.price(market, Decimal(order.price))} once {order.trigger.source.lower()} reaches "
        kind += numbers.price(market, Decimal(order.trigger.price))
    return f"{side} {numbers.size(market, Decimal(order.quantity))} {market.name} {kind}"
