"""From the ticket's entries to orders: each type, and each entry that cannot be one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bulkhead.terminal.trade.order_form import LIMIT, MARKET, PROTECT, STOP, Entries, make, number, words
from tests.terminal.test_numbers import market

BEST = Decimal(60_000)


def test_each_type_of_order() -> None:
    terms = market()
    both = Entries(price="60,000", size="0.5", post_only=True, take_profit="61000", stop_loss="59000")
    limit = make(both, terms, BEST)
    assert limit.order is not None and limit.problems == {}
    assert (limit.order.kind, limit.order.price, limit.order.post_only) == ("LIMIT", 60_000, True)
    assert limit.order.take_profit is not None and limit.order.take_profit.price == 60_695
    assert limit.order.stop_loss is not None and limit.order.stop_loss.price == 58_705
    assert words(limit.order, terms) == "Buy 0.5000 BTC-USD at 60,000"
    taken = make(Entries(kind=MARKET, side="SELL", size="0.5", slippage="1", price="1"), terms, BEST).order
    assert taken is not None and (taken.kind, taken.price, taken.time_in_force) == ("MARKET", 59_400, "IOC")
    killed = make(Entries(kind=MARKET, size="0.5", force="FOK"), terms, BEST).order
    assert killed is not None and killed.time_in_force == "FOK"
    entry = Entries(kind=STOP, side="SELL", price="58000", size="1", trigger="58500", direction="DOWN", source="INDEX")
    stop = make(entry, terms, BEST).order
    assert stop is not None and stop.kind == "CONDITIONAL" and stop.trigger is not None
    assert (stop.trigger.price, stop.trigger.source, stop.trigger.direction) == (58_500, "INDEX", "DOWN")
    assert "once index reaches 58,500" in words(stop, terms)
    shield = make(Entries(kind=PROTECT, take_profit="55000", stop_loss="62000"), terms, BEST, Decimal(-1))
    assert shield.order is None and shield.problems == {}
    assert shield.take_profit is not None and shield.take_profit.price == 55_275, "a short buys back, at worst, higher"


@pytest.mark.parametrize(
    ("entries", "name", "said"),
    [
        (Entries(size="1"), "price", "enter a number"),
        (Entries(price="sixty", size="1"), "price", "enter a number"),
        (Entries(price="-1", size="1"), "price", "above zero"),
        (Entries(price="60000.5", size="1"), "price", "in steps of 1"),
        (Entries(price="60000", size="0.0000001"), "size", "in steps of 0.000001"),
        (Entries(price="60000", size="0.00001"), "size", "at least 0.0001"),
        (Entries(price="60000", size="NaN"), "size", "enter a number"),
        (Entries(price="60000", size="0,5"), "size", "a comma parts thousands"),
        (Entries(price="60000", size="1", take_profit="59000"), "take_profit", "above 60,000"),
        (Entries(price="60000", size="1", stop_loss="60001"), "stop_loss", "below 60,000"),
        (Entries(side="SELL", price="60000", size="1", stop_loss="59000"), "stop_loss", "above 60,000"),
        (Entries(kind=STOP, price="60000", size="1"), "trigger", "enter a number"),
        (Entries(kind=MARKET, size="1", slippage="50"), "slippage", "between 0 and 20"),
        (Entries(kind=PROTECT, take_profit="1"), "kind", "no position"),
    ],
)
def test_each_entry_that_cannot_be_one_is_named(entries: Entries, name: str, said: str) -> None:
    made = make(entries, market(), BEST)
    assert made.order is None and said in made.problems[name]


def test_a_market_order_needs_somebody_on_the_other_side() -> None:
    assert "nobody" in make(Entries(kind=MARKET, size="1"), market(), None).problems["kind"]
    assert "enter one" in make(Entries(kind=PROTECT), market(), None, Decimal(1)).problems["take_profit"]
    assert (number(" 1,234.5 "), number("1e400000000"), number("")) == (Decimal("1234.5"), None, None)
    assert LIMIT == Entries().kind
