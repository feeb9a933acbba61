"""Numbers as people read them, and read back."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkhead.client.models import Contract, Limits, Market, Statistics
from bulkhead.terminal import numbers
from bulkhead.terminal.trade.lists import at

NOTHING = Decimal(0)


def market(price: str = "60000", tick: str = "1", step: str = "0.000001") -> Market:
    """A market of tests."""
    limits = Limits(
        min_order_size=Decimal("0.0001"), min_order_size_change=Decimal(step), min_price_change=Decimal(tick),
        max_leverage=Decimal(50), max_position_value=Decimal(10_000_000),
    )  # fmt: skip
    now = Statistics(
        mark_price=Decimal(price), index_price=Decimal(price), last_price=Decimal(price), bid_price=NOTHING,
        ask_price=NOTHING, funding_rate=NOTHING, next_funding_rate=0, open_interest=NOTHING,
        open_interest_base=NOTHING, daily_volume=NOTHING,
    )  # fmt: skip
    contract = Contract(synthetic_id="0x1", synthetic_resolution=1, collateral_id="0x1", collateral_resolution=1)
    return Market(
        name="BTC-USD", market_id=1, status="ACTIVE", market_stats=now, trading_config=limits, l2_config=contract
    )


def test_each_market_has_its_precision() -> None:
    bitcoin, ripple = market(), market("0.6", "0.0001", "0.1")
    assert numbers.price(bitcoin, Decimal("60123")) == "60,123"
    assert numbers.price(ripple, Decimal("0.6")) == "0.6000"
    assert numbers.price(bitcoin, Decimal(0)) == numbers.NONE == numbers.price(bitcoin, None)
    assert numbers.size(bitcoin, Decimal("0.5")) == "0.5000"
    assert numbers.size(bitcoin, Decimal("0.123456")) == "0.123456", "one's own size is shown whole"
    assert numbers.rough_size(bitcoin, Decimal("0.123456")) == "0.1235"
    assert numbers.rough_size(bitcoin, Decimal("0.000021")) == "0.000021", "something is never shown as nothing"
    assert numbers.size(ripple, Decimal(1500)) == "1,500"
    assert numbers.dollars(Decimal("-1234.5"), sign=True) == "\u22121,234.50"
    assert numbers.dollars(Decimal("0.004"), sign=True) == "0.00"
    assert numbers.percent(Decimal("0.0001"), places=4, sign=True) == "+0.0100%"
    assert numbers.short_dollars(Decimal(1_234_567)) == "1.23M"


@given(st.decimals(-(10**9), 10**9, places=6))
def test_what_is_shown_is_read_back(value: Decimal) -> None:
    assert numbers.read(numbers.fixed(value, 6, sign=True) + " $") == value


def test_ages_and_what_shows_no_number() -> None:
    shown = [numbers.age(ms) for ms in (-5, 940, 59_000, 180_000, 8_000_000, 300_000_000)]
    assert shown == ["0.0 s", "0.9 s", "59 s", "3 min", "2 h", "3 d"]
    with pytest.raises(ValueError, match="shows no number"):
        numbers.read("nothing")


@pytest.mark.parametrize("time_ms", [-1, 1 << 50, 10**18, 10**400])
def test_what_no_calendar_has_is_shown_as_no_date(time_ms: int) -> None:
    """An exchange may tell of any number as a time."""
    assert numbers.moment(time_ms) == at(time_ms) == numbers.NONE
    assert numbers.moment((1 << 50) - 1).startswith("06.05.37648")
    assert at(1_800_000_000_000) == "15.01. 08:00" and at(0) == numbers.NONE
    assert numbers.recent(time_ms, 1_800_000_000_000) == numbers.NONE


def test_what_is_a_day_old_shows_its_day_in_place_of_a_time() -> None:
    made_ms = 1_800_000_000_000
    shown = [numbers.recent(made_ms, made_ms + aged_ms) for aged_ms in (-500, 0, 86_399_999, 86_400_000)]
    assert shown == ["08:00:00", "08:00:00", "08:00:00", "15.01."]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1,500", "1500"), ("12,345,678.5", "12345678.5"), (" 0.5 ", "0.5"), (".5", "0.5"), ("7.", "7"),
        ("\u22123", "-3"), ("1 000", "1000"), ("0,5", None), ("1,5", None), ("0,500", None), ("1,50,000", None),
        ("1500,000", None), ("1,500,", None), (",5", None), ("1e3", None), ("NaN", None), ("", None), ("٣", None),
        ("9" * 19, None),
    ],
)  # fmt: skip
def test_a_comma_parts_thousands_and_is_never_left_out(text: str, value: str | None) -> None:
    """A decimal comma that is passed over makes ten times the size, or a hundred."""
    assert numbers.typed(text) == (None if value is None else Decimal(value))
