"""The lab against others' examples, closed forms and a recorded crash; and that a wrong rule would be found."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bulkhead.lab.pages import render
from bulkhead.lab.prices import DataError
from bulkhead.lab.validation import brackets, closed, published, recorded, validate
from bulkhead.lab.validation.account import LAST_BOUND, Account, Bracket, Held
from bulkhead.lab.validation.published import BTC_2021, binance_price
from bulkhead.lab.validation.report import is_sound
from tests.conftest import real_data

REAL = real_data()


def test_published_examples_come_out_the_same() -> None:
    found = {one.what: one for one in published.everything(7)}
    assert all(one.is_held for one in found.values())
    short = next(one for what, one in found.items() if what.startswith("short 3 ETH"))
    assert short.ours == pytest.approx(3_174.603, abs=1e-3)
    rule_of_thumb = next(one for one in found.values() if one.within is None)
    assert rule_of_thumb.difference > 1e-4  # reported, and not called equal


def test_a_wrong_deduction_is_found() -> None:
    tiers = tuple(Bracket(bound, rate) for bound, rate, _ in BTC_2021)
    held = Held(100.0, 30_000.0, 30_000.0, tiers)
    right = binance_price(1e6, held, [amount for _, _, amount in BTC_2021])
    wrong = binance_price(1e6, held, [0.0] * len(BTC_2021))
    ours = Account(1e6, [held]).liquidation_price()
    assert ours == pytest.approx(right, rel=1e-6)
    assert ours != pytest.approx(wrong, rel=1e-3)


def test_leverages_that_follow_from_liquidated_shares(tmp_path: Path) -> None:
    """Shares of a known law give the law again; the leverage that is needed is the limit turned around."""
    needed = recorded.needed_leverage(np.array([0.05, -0.05]), 0.0125, np.array([True, False]))
    assert float(recorded.limit(needed[0], 0.0125, True)) == pytest.approx(0.05) and math.isinf(needed[1])
    law, rows = recorded.Leverages(4.0, 1.0), []
    for asset, low in recorded.LOWEST.items():
        move = 1 - low / recorded.BEFORE[asset]
        least = float(recorded.needed_leverage(move, recorded.MAINTENANCE[asset], True))
        hit = round(10_000 * float(law.above(least, 1e9)[0]))
        rows += [(asset, "LONG", None, place < hit, False, None) for place in range(10_000)]
    names = ("asset", "side", "entry_price", "was_liquidated", "was_adl", "leverage_ratio")
    path = tmp_path / recorded.FOLDER / recorded.POSITIONS
    path.parent.mkdir(parents=True)
    table = pl.DataFrame(rows, schema=names, orient="row").with_columns(pl.col("entry_price").cast(pl.Float64))
    table.write_parquet(path)
    found = recorded.implied(tmp_path)
    assert found.median == pytest.approx(4.0, rel=1e-3) and found.deviation == pytest.approx(1.0, rel=1e-3)
    assert float(law.above(30.0, 20.0)[0]) == 0
    table.with_columns(pl.lit(False).alias("was_liquidated")).write_parquet(path)
    with pytest.raises(DataError, match=r"0% of BTC longs were liquidated: no law follows"):
        recorded.implied(tmp_path)


def test_an_account_that_cannot_be_liquidated_has_no_price() -> None:
    assert Account(1e6, [Held(1.0, 100.0, 100.0, (Bracket(LAST_BOUND, 0.05),))]).liquidation_price() is None


def test_two_normals() -> None:
    assert closed.both_below(0.0, 0.0, 0.5) == pytest.approx(0.25 + math.asin(0.5) / (2 * math.pi), abs=1e-9)
    assert closed.both_below(0.3, -0.8, 0.0) == pytest.approx(
        float(closed.normal(0.3)) * float(closed.normal(-0.8)), abs=1e-9
    )


def test_a_barrier_looked_at_in_ever_finer_steps_is_the_continuous_one() -> None:
    level, volatility, years = math.log(0.9), 0.6, 3 / 365
    fine, coarse = (closed.barrier(level, volatility, years, step / 365) for step in (1e-9, 0.01))
    drift, spread = -(volatility**2) / 2, volatility * math.sqrt(years)
    exact = closed.normal((level - drift * years) / spread) + math.exp(
        2 * drift * level / volatility**2
    ) * closed.normal((level + drift * years) / spread)
    assert fine == pytest.approx(float(exact), rel=1e-3)
    assert coarse < fine


def test_estimates_meet_closed_forms_and_would_miss_others() -> None:
    found = closed.estimates(4_000, 11)
    assert max(one.deviations for one in found) < 4
    # With the other sign of the correlation the joint ruin would be missed by far.
    joint = next(one for one in found if one.what.startswith("both"))
    years = 3 / 365
    ends = [(float(np.log(level)) + vol**2 / 2 * years) / (vol * math.sqrt(years))
            for level, vol in zip(closed.levels(closed.venue_of(("BTC", "ETH")), 10.0), closed.VOLATILITY, strict=True)]
    assert abs(joint.estimate - closed.both_below(ends[0], ends[1], -0.8)) > 5 * joint.deviation


def test_the_page_without_data_says_what_was_left_out() -> None:
    page = validate(500, 2, None)
    assert is_sound(page)
    assert any("left out" in sentence for sentence in page.against)
    assert "bulkhead lab validate --paths 500 --seed 2" in render(page)


def test_brackets_that_do_not_agree_are_named(tmp_path: Path) -> None:
    rows = {"symbol": ["A", "A", "B"], "tier": [1.0, 2.0, 1.0], "min_notional": [0.0, 100.0, 0.0],
            "max_notional": [100.0, 200.0, 50.0], "mmr": [0.01, 0.02, 0.01], "cum_deduction": [0.0, 3.0, 0.0]}
    pl.DataFrame(rows).write_parquet(tmp_path / brackets.FILE)
    judged = brackets.judge(tmp_path)
    assert (judged.symbols, judged.brackets, judged.equal, judged.others) == (2, 3, 2, ("A",))
    assert judged.worst_usd == pytest.approx(2.0, abs=1e-3)  # 100 · (0.02 − 0.01) is 1, not 3
    pl.DataFrame({"symbol": ["A"]}).write_parquet(tmp_path / brackets.FILE)
    with pytest.raises(DataError, match="no column tier"):
        brackets.judge(tmp_path)


def test_an_adverse_move_liquidates_from_the_leverage_that_the_kernel_says() -> None:
    """The formula that scores the recorded positions is the liquidation price of the rules."""
    for side in (1, -1):
        price = Account(100.0, [Held(side * 10.0, 100.0, 100.0, (Bracket(LAST_BOUND, 0.025),))]).liquidation_price()
        assert price is not None
        move = float(recorded.limit(10.0, 0.025, side > 0))
        assert price == pytest.approx(100 * (1 - side * move), rel=1e-6)


if REAL is not None:

    def test_every_bracket_of_binance_agrees() -> None:
        judged = brackets.judge(REAL)
        assert judged.equal == judged.brackets > 7_000
        assert judged.worst_usd < 0.01

    def test_the_recorded_crash_is_scored_and_what_is_missing_is_said() -> None:
        scores = recorded.scores(REAL)
        recalls = [score.recall for score in scores]
        assert recalls == sorted(recalls)  # more leverage, more liquidated
        assert all(score.both <= min(score.predicted, score.liquidated) for score in scores)
        assert recorded.missing_leverage(REAL) == (13_031, 13_031)
        shares = [row["liquidated"] / row["positions"] for row in recorded.by_distance(REAL)]
        assert shares == sorted(shares)
        # A law of leverage from the others: it liquidates too many, in the right order, within 13 points everywhere.
        law = [row["implied"] for row in recorded.by_distance(REAL)]
        assert law == sorted(law) and max(abs(one - other) for one, other in zip(law, shares, strict=True)) < 0.13
        page = validate(500, 1, REAL)
        assert is_sound(page)
        assert "Every bracket of Binance" in render(page)
