"""The model below the comparison: deviations and betas from candles, joint moves, links that open the same again."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from bulkhead.client.models import Candle, ModePreview, Preview
from bulkhead.terminal.compare.figures import grid_of, moments_for
from bulkhead.terminal.compare.link import REACHES, BadLink, Question, check_steps, question_of
from bulkhead.terminal.compare.moments import (
    INTERVALS,
    NOTHING_KNOWN,
    RETURNS_MIN,
    Correlation,
    Moments,
    joint_move,
    moments_of,
    returns_of,
)
from bulkhead.terminal.compare.view import sharing
from tests.terminal.test_numbers import market as market_of_tests

HOUR = next(one for one in INTERVALS if one.name == "PT1H")
BTC, ETH, EOS = "BTC-USD", "ETH-USD", "EOS-USD"
MARKETS = (BTC, ETH, EOS)


def candles(closes: list[float], *, start: int = 0) -> list[Candle]:
    made = []
    for place, close in enumerate(closes):
        price = Decimal(repr(close))
        made.append(Candle(open=price, high=price, low=price, close=price, time_ms=start + place * 3_600_000))
    return made[::-1]  # newest first, as the exchange answers


def path(returns: list[float]) -> list[float]:
    price, found = 100.0, [100.0]
    for one in returns:
        price *= math.exp(one)
        found.append(price)
    return found


def known() -> Moments:
    draw = random.Random(3)
    first = [draw.gauss(0, 0.01) for _ in range(400)]
    second = [1.5 * one + draw.gauss(0, 0.005) for one in first]
    return moments_of(HOUR, {BTC: candles(path(first)), ETH: candles(path(second)), EOS: candles([5.0] * 401)})


def test_deviations_and_betas_are_those_that_candles_were_drawn_with() -> None:
    found = known()
    assert found.counts == {BTC: 400, ETH: 400, EOS: 400}
    assert abs(found.deviations[BTC] / (0.01 * math.sqrt(24)) - 1) < 0.12
    beta, back = found.beta(BTC, ETH), found.beta(ETH, BTC)
    assert beta is not None and back is not None and abs(beta - 1.5) < 0.08
    assert abs(beta * back - found.correlation(BTC, ETH) ** 2) < 1e-12  # type: ignore[operator]
    assert EOS not in found.deviations and found.beta(BTC, EOS) is None  # it never moved
    assert found.in_deviations(BTC, Decimal("-0.1")) == Decimal(str(round(math.log(0.9) / found.deviations[BTC], 4)))


def test_two_series_that_are_the_same_or_opposite_have_those_correlations() -> None:
    draw = random.Random(4)
    moves = [draw.gauss(0, 0.02) for _ in range(60)]
    found = moments_of(HOUR, {BTC: candles(path(moves)), ETH: candles(path([-one for one in moves]))})
    assert found.correlation(BTC, ETH) == pytest.approx(-1) and found.beta(BTC, ETH) == pytest.approx(-1)
    assert found.correlation(BTC, BTC) == 1.0


@pytest.mark.parametrize("count", [0, 1, RETURNS_MIN, RETURNS_MIN + 1])
def test_too_few_bars_say_nothing(count: int) -> None:
    draw = random.Random(5)
    found = moments_of(HOUR, {BTC: candles(path([draw.gauss(0, 0.01) for _ in range(count - 1)])) if count else []})
    assert (BTC in found.deviations) == (count > RETURNS_MIN)
    assert found.counts[BTC] == max(0, count - 1)


def test_no_return_is_taken_over_bars_that_are_missing() -> None:
    whole = candles([100.0, 101.0, 102.0, 103.0])
    assert len(returns_of(whole, HOUR)) == 3
    assert sorted(returns_of([one for one in whole if one.time_ms != 3_600_000], HOUR)) == [3 * 3_600_000]


def test_other_markets_move_by_beta_by_deviations_or_not_at_all() -> None:
    found, share = known(), Decimal("-0.2")
    intact = joint_move(found, BTC, share, MARKETS, Correlation.INTACT)
    beta = found.beta(BTC, ETH)
    assert beta is not None
    assert intact.shares[BTC] == share and intact.still == (EOS,)
    assert intact.shares[ETH] == Decimal(repr(math.expm1(beta * math.log(0.8)))).quantize(Decimal("0.000001"))
    one = joint_move(found, BTC, share, MARKETS, Correlation.ONE)
    for market in (BTC, ETH):  # as many of its own deviations each
        assert found.in_deviations(market, one.shares[market]) == pytest.approx(
            found.in_deviations(BTC, share), abs=Decimal("0.001")
        )
    assert joint_move(found, BTC, share, MARKETS, Correlation.ZERO) == ({BTC: share}, ())
    assert joint_move(NOTHING_KNOWN, BTC, share, MARKETS, Correlation.ONE) == ({BTC: share}, (ETH, EOS))
    far = joint_move(found, ETH, Decimal("9"), MARKETS, Correlation.ONE)
    deep = joint_move(found, BTC, Decimal("-0.98"), MARKETS, Correlation.INTACT)
    assert all(Decimal("-0.99") <= value <= 9 for move in (far, deep) for value in move.shares.values())


def test_a_link_opens_the_same_question_again() -> None:
    draw = random.Random(6)
    for _ in range(200):
        asked = Question(
            market=draw.choice(MARKETS), side=draw.choice(("BUY", "SELL")), kind=draw.choice(("LIMIT", "MARKET")),
            size=Decimal(draw.randrange(1, 10**9)).scaleb(-draw.randrange(9)),
            price=Decimal(draw.randrange(1, 10**9)).scaleb(-draw.randrange(9)), post_only=draw.random() < 0.5,
            reduce_only=draw.random() < 0.5, leverage=draw.randrange(101),
            move=Decimal(draw.randrange(-9900, 90_000)).scaleb(-4), reach=draw.choice(tuple(REACHES)),
            correlation=draw.choice(tuple(Correlation)), loss=Decimal(draw.randrange(10**6)).scaleb(-2),
            account=draw.choice((0, 64, 128)),
        )  # fmt: skip
        assert question_of(asked.query(), MARKETS) == asked
        grid = asked.grid
        assert asked.move in grid and 0 in grid and len(grid) <= 201 and grid == sorted(set(grid))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"market": "DOGE-USD"}, "market"), ({"market": ""}, "market"), ({"size": ""}, "size"),
        ({"size": "-1"}, "size"), ({"size": "0"}, "size"), ({"size": "1e5"}, "size"), ({"size": "NaN"}, "size"),
        ({"size": "1,5"}, "size"), ({"price": "60,00"}, "price"),
        ({"size": "9" * 40}, "size"), ({"price": "Infinity"}, "price"), ({"price": "١٢"}, "price"),
        ({"side": "LONG"}, "side"), ({"type": "STOP"}, "type"), ({"leverage": "2.5"}, "leverage"),
        ({"leverage": "101"}, "leverage"), ({"leverage": "-1"}, "leverage"), ({"move": "-100"}, "move"),
        ({"move": "901"}, "move"), ({"reach": "20"}, "reach"), ({"correlation": "half"}, "correlation"),
        ({"loss": "0"}, "loss"), ({"account": "x"}, "account"), ({"postOnly": "yes"}, "postOnly"),
    ],
)  # fmt: skip
def test_a_link_that_is_none_says_which_part(changed: dict[str, str], field: str) -> None:
    sound: dict[str, Any] = {"market": BTC, "size": "1", "price": "60000"}
    assert question_of(sound, MARKETS).size == 1
    with pytest.raises(BadLink) as refused:
        question_of({**sound, **changed}, MARKETS)
    assert refused.value.field == field and str(refused.value)


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"size": Decimal("0.0000001")}, "size", "in steps of 0.000001"),
        ({"size": Decimal("0.00005")}, "size", "at least 0.0001"),
        ({"price": Decimal("60000.5")}, "price", "in steps of 1"),
    ],
)  # fmt: skip
def test_what_the_market_has_no_steps_for_is_not_asked(changed: dict[str, Decimal], field: str, said: str) -> None:
    sound = Question(market=BTC, size=Decimal("0.5"), price=Decimal(60_000))
    check_steps(sound, market_of_tests())
    with pytest.raises(BadLink, match=said) as refused:
        check_steps(replace(sound, **changed), market_of_tests())  # type: ignore[arg-type]
    assert refused.value.field == field


def test_entries_are_read_as_people_write_them() -> None:
    asked = question_of({"market": BTC, "size": " 1,000.5 ", "price": "60000", "move": "\u221223 %"}, MARKETS)
    assert (asked.size, asked.move) == (Decimal("1000.5"), Decimal("-0.23"))


def previewed(price: str | None, size: str, shared: list[str]) -> Preview:
    """A preview whose one mode is liquidated at a price."""
    zero = Decimal(0)
    mode = ModePreview(
        margin_mode="cross", is_current=True, needs_move=False, reject=None, reject_later=None, margin=zero, fee=zero,
        l1_share=zero, position_size=Decimal(size), liquidation_price=None if price is None else Decimal(price),
        close_out_price=None, liquidation_distance=None, at_stake=zero, shared_with=shared, worst=[], free_after=zero,
    )  # fmt: skip
    return Preview(market=BTC, size=Decimal(1), reject=None, modes=[mode])


@pytest.mark.parametrize(
    ("price", "size"), [("54655.73770491", "1"), ("54656", "1"), ("65573.77049180", "-1"), ("66000", "-1")]
)
def test_the_slider_stops_where_a_mode_is_liquidated_and_not_before(price: str, size: str) -> None:
    asked = Question(market=BTC, size=Decimal(1), price=Decimal(60_000), correlation=Correlation.INTACT)
    index, told = Decimal(60_000), Decimal(price)
    [exact] = set(grid_of(asked, previewed(price, size, [BTC]), index)) - set(asked.grid)
    reached = index * (1 + exact)
    # A long is liquidated at the price that is shown, a short somewhere in the step above it; no further than a step.
    assert told - Decimal("0.001") < reached <= told if size == "1" else told < reached < told + Decimal("0.002")


def test_the_slider_has_no_other_stops() -> None:
    asked, index = Question(market=BTC, size=Decimal(1), price=Decimal(60_000)), Decimal(60_000)
    for preview in (
        previewed(None, "1", [BTC]), previewed("6000", "1", [BTC]),  # none, and beyond the slider's reach
        previewed("54656", "1", [BTC, ETH]),  # told with ETH unmoved, which moves along here
    ):  # fmt: skip
        assert list(grid_of(asked, preview, index)) == asked.grid
    alone = replace(asked, correlation=Correlation.ZERO)
    assert len(grid_of(alone, previewed("54656", "1", [BTC, ETH]), index)) == len(asked.grid) + 1


class Bars:
    """An exchange on which ETH has hours of history and BTC has minutes."""

    async def candles(self, name: str, interval: str, **_: Any) -> list[Candle]:
        count = RETURNS_MIN + 1 if interval == {BTC: "PT1M", ETH: "PT1H"}[name] else 1
        span_ms = 60_000 if interval == "PT1M" else 3_600_000
        found = candles([100.0 + place % 2 for place in range(count)])
        return [replace_time(one, one.time_ms * span_ms // 3_600_000) for one in found]


def replace_time(candle: Candle, time_ms: int) -> Candle:
    return Candle(open=candle.open, high=candle.high, low=candle.low, close=candle.close, time_ms=time_ms)


def test_which_market_matters_most_decides_of_which_bars_moments_are_taken() -> None:
    """What was kept of the same two markets for the other one says nothing of this one."""
    exchange: Any = Bars()
    hours, minutes = (asyncio.run(moments_for(exchange, names)) for names in ([ETH, BTC], [BTC, ETH]))
    assert hours.interval is not None and hours.interval.name == "PT1H" and ETH in hours.deviations
    assert minutes.interval is not None and minutes.interval.name == "PT1M" and BTC in minutes.deviations


def test_lines_take_turns_where_they_run_together_and_not_where_they_cross() -> None:
    lines = {"isolated": [1.0, 1.0, 3.0, 4.0], "cross": [0.0, 2.0, 3.0, 4.0], "strategy": [9.0, 2.0, 7.0, 6.0],
             "scenario": [9.0, 2.0, 8.0, 8.0]}  # fmt: skip
    assert sharing("isolated", lines) == sharing("cross", lines) == ["isolated", "cross"]
    assert sharing("strategy", lines) == ["strategy", "scenario"]
    assert sharing("strategy", {**lines, "scenario": [9.0, 1.0, 7.0, 5.0]}) == ["strategy"]
    assert sharing("isolated", {**lines, "strategy": [0.0, 2.0, 7.0, 6.0]}) == ["isolated", "cross", "strategy"]
