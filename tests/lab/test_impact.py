"""lab/books.py and lab/impact.py: walks against books counted by hand, fits against known laws and the tapes."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bulkhead.lab.books import NOTIONALS, Walks, binance_walks, bitstamp_walks, relative_depth, walk
from bulkhead.lab.impact import BASE, DEPTHS, Curve, crash_multiplier, default_curves, default_impacts, fit_curve
from bulkhead.lab.prices import Bars, DataError, load
from tests.conftest import real_data

REAL = real_data()


def test_a_walk_takes_whole_levels_and_a_part_of_the_last() -> None:
    bids = [(99.0, 10.0), (98.0, 10.0), (90.0, 100.0)]
    costs = walk(bids, 100.0, np.array([495.0, 990.0, 990.0 + 490.0, 10_970.0, 10_971.0]))
    assert costs[:2] == pytest.approx([100.0, 100.0])
    assert costs[2] == pytest.approx((1 - 1480 / 15 / 100) * 1e4)
    assert costs[3] == pytest.approx((1 - 10_970 / 120 / 100) * 1e4) and np.isnan(costs[4])
    asks = [(101.0, 1.0), (104.0, 1.0)]
    assert walk(asks, 100.0, np.array([205.0])) == pytest.approx([250.0])


def walks_of(scale: float, exponent: float, noise: float = 0.0, half_spread: float = 0.1) -> Walks:
    random = np.random.default_rng(2)
    beyond = scale * (NOTIONALS / 1e6) ** exponent
    cost = half_spread + beyond * np.exp(noise * random.standard_normal((200, 2, len(NOTIONALS))))
    return Walks("A", "made", np.arange(200.0), cost, np.full(200, half_spread), 0)


def test_a_fit_finds_the_power_law_with_its_error() -> None:
    exact = fit_curve(walks_of(2.0, 0.6))
    assert (exact.at_million, exact.exponent) == (pytest.approx(2.0), pytest.approx(0.6))
    assert exact.deviation < 1e-9 and exact.half_spread == pytest.approx(0.1)
    rough = fit_curve(walks_of(2.0, 0.6, noise=0.3))
    assert abs(rough.at_million - 2.0) < 4 * rough.at_million_error + 0.01
    assert abs(rough.exponent - 0.6) < 4 * rough.exponent_error + 0.01
    assert fit_curve(walks_of(2.0, 0.6, noise=0.3), quantile=0.9).at_million > rough.at_million * 1.2
    assert fit_curve(walks_of(1.0, 1.4)).exponent == 1.0  # concave at most
    with pytest.raises(DataError, match="1 amounts reach beyond the first level; a curve needs three"):
        fit_curve(walks_of(0.05, 0.8))


def test_costs_rise_concave_and_a_thin_book_costs_as_a_larger_order() -> None:
    curve = Curve("A", 0.5, 4.0, 0.7, "made")
    assert curve.cost(0) == 0.5 and curve.cost(1e6) == 4.5
    assert curve.cost(1e6, depth=0.1) == pytest.approx(curve.cost(1e7)) == pytest.approx(curve.thinned(0.1).cost(1e6))
    assert curve.cost(2e6) - 0.5 < 2 * (curve.cost(1e6) - 0.5)
    assert curve.impact.scale == pytest.approx(4e-4) and curve.impact.spread == pytest.approx(0.5e-4)
    for notional, depth in ((-1.0, 1.0), (float("nan"), 1.0), (1.0, 0.0), (1.0, 1.5)):
        with pytest.raises(DataError, match="neither can be"):
            curve.cost(notional, depth)


def test_defaults_are_careful_and_say_what_was_not_measured() -> None:
    curves = default_curves(("BTC", "SOL", "DOGE", "ZZZ"))
    costs = [curves[symbol].cost(1e6) for symbol in ("BTC", "SOL", "DOGE", "ZZZ")]
    assert costs == sorted(costs) and costs[2] == costs[3]
    assert "not measured" in curves["ZZZ"].source and "not measured" not in curves["SOL"].source
    thin = default_impacts(("BTC",), depth=0.1)["BTC"]
    assert thin.scale == pytest.approx(default_impacts(("BTC",))["BTC"].scale * 10**BASE.exponent)
    with pytest.raises(DataError, match="depth is a share"):
        default_curves(("BTC",), depth=0)


def test_tables_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"snapshot.parquet: no such file"):
        binance_walks(tmp_path)
    rows = pl.DataFrame({"coin": ["BTC", "ETH"], "venue": ["x", "y"], "bid_depth_usd": [1.0, 2.0]})
    rows.write_parquet(tmp_path / "depth.parquet")
    with pytest.raises(DataError, match="no BTC at y to compare ETH with"):
        relative_depth(tmp_path / "depth.parquet")
    rows.with_columns(pl.lit(None, pl.Float64).alias("bid_depth_usd")).write_parquet(tmp_path / "depth.parquet")
    with pytest.raises(DataError, match=r"bid_depth_usd is missing \(row 1; 2 such rows\)"):
        relative_depth(tmp_path / "depth.parquet")
    rows.drop("venue").write_parquet(tmp_path / "depth.parquet")
    with pytest.raises(DataError, match="no column venue"):
        relative_depth(tmp_path / "depth.parquet")


def test_a_crash_multiplier_is_range_per_dollar_against_before() -> None:
    count = 40
    price = np.full(count, 100.0)
    high = np.where(np.arange(count) < 20, 101.0, 104.0)
    bars = Bars("A", 60_000, np.arange(count) * 60_000, price, high, price, price, np.full(count, 5.0))
    found = crash_multiplier(bars, (20 * 60_000, 40 * 60_000), 20 * 60_000)
    assert found == pytest.approx(np.log(1.04) / np.log(1.01))
    with pytest.raises(DataError, match="no volume"):
        crash_multiplier(bars, (50 * 60_000, 60 * 60_000), 60_000)


if REAL is not None:
    TAPE = REAL / "tape_binance_btcusdt_20240808"

    def test_the_snapshots_bids_cost_what_was_recorded_of_them() -> None:
        """calib.json of the data: selling $5M, $10M, $20M cost 3.11, 6.35 and 11.29 basis points from the mid."""
        table = pl.read_parquet(TAPE / "snapshot.parquet")
        sides = [
            sorted(zip(rows["price"], rows["qty"], strict=True), reverse=side == 0)
            for side in (0, 1)
            for rows in [table.filter(pl.col("side") == side)]
        ]
        mid = (sides[0][0][0] + sides[1][0][0]) / 2
        costs = walk(sides[0], mid, np.array([5e6, 10e6, 20e6]))
        assert costs == pytest.approx([3.11, 6.35, 11.29], abs=0.01)

    def test_both_tapes_give_concave_curves_and_the_default_covers_the_deeper_one() -> None:
        deep = binance_walks(TAPE)
        assert deep.crossed == 0 and len(deep.cost) > 150
        curve = fit_curve(deep)
        assert 0.5 < curve.exponent < 1 and curve.deviation < 0.05
        assert curve.cost(10e6) == pytest.approx(np.nanmedian(deep.cost[:, :, NOTIONALS == 10e6]), rel=0.1)
        small = fit_curve(bitstamp_walks(REAL / "tape_bitstamp_l3_20260502"), quantile=0.9)
        assert pytest.approx(small.at_million, abs=0.01) == BASE.at_million
        assert pytest.approx(small.exponent, abs=0.001) == BASE.exponent
        assert BASE.at_million > fit_curve(deep, quantile=0.9).at_million

    def test_depth_by_coin_is_as_the_defaults_have_it() -> None:
        found = relative_depth(REAL / "multivenue" / "orderbook_depth.parquet")
        rounded = {coin: min(1.0, depth) for coin, depth in found.items()}
        assert rounded == pytest.approx(DEPTHS, abs=5e-4)

    def test_books_of_small_coins_thinned_in_october_2025() -> None:
        data = load("crash-2025-10-10", REAL)
        hour = 3_600_000
        start = int(np.datetime64("2025-10-10T21:00", "ms").astype(np.int64))
        found = {
            symbol: crash_multiplier(bars, (start, start + hour), 7 * 24 * hour) for symbol, bars in data.bars.items()
        }
        assert found["DOGE"] == pytest.approx(2.86, abs=0.05) and found["SOL"] == pytest.approx(2.02, abs=0.05)
