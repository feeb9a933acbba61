"""lab/paths/recorded.py: windows of a record, none across a gap; events as deep as they were."""

import numpy as np
import pytest

from bulkhead.lab.paths import EVENTS, Grid, RecordedWorld, align, event_world
from bulkhead.lab.paths.single import path_of
from bulkhead.lab.prices import DataError, load
from tests.conftest import real_data

REAL = real_data()
HOUR_MS = 3_600_000


def grid(steps: int = 100, broken: tuple[int, ...] = ()) -> Grid:
    close = 100.0 + np.arange(steps)[:, None] * [1.0, 2.0]
    opened = np.concatenate([[[99.0, 98.0]], close[:-1]])
    whole = np.isin(np.arange(steps), broken, invert=True)
    time_ms = HOUR_MS * np.arange(steps, dtype=np.int64)
    return Grid("made", "made here", ("A", "B"), HOUR_MS, time_ms, opened, close + 1, opened - 1, close, whole)


def test_windows_are_the_record_over_their_first_open() -> None:
    made = grid()
    (apart,) = RecordedWorld(made, windows="apart").chunks(10, 10)
    assert apart.ratio.shape == (10, 10, 2) and apart.first == 0
    assert apart.ratio[3, 4] == pytest.approx(made.close[34] / made.open[30])
    assert apart.low is not None and apart.low[3, 4] == pytest.approx(made.low[34] / made.open[30])
    (over,) = RecordedWorld(made, windows="overlapping", stride=5).chunks(19, 10)
    assert over.ratio[2, 0] == pytest.approx(made.close[10] / made.open[10])
    with pytest.raises(DataError, match="made: 20 paths were asked for, 19 overlapping windows of 10 steps"):
        list(RecordedWorld(made, windows="overlapping", stride=5).chunks(20, 10))
    with pytest.raises(DataError, match="101 steps were asked for, 100"):
        list(RecordedWorld(made).chunks(1, 101))
    for changes in ({"windows": "all"}, {"stride": 0}):
        with pytest.raises(DataError):
            RecordedWorld(made, **changes)  # type: ignore[arg-type]


def test_no_window_touches_a_gap() -> None:
    world = RecordedWorld(grid(broken=(20, 50)), windows="overlapping")
    starts = world.starts(10)
    assert not any(start <= gap < start + 10 for start in starts for gap in (20, 50))
    assert len(starts) == 91 - 20
    with pytest.raises(DataError, match="no drawn window of 60 steps without a gap"):
        RecordedWorld(grid(broken=(20, 50))).starts(60)


def test_drawn_windows_depend_on_seed_and_number_alone() -> None:
    world = RecordedWorld(grid(1000), seed=3)
    whole = np.concatenate([chunk.ratio for chunk in world.chunks(50, 20)])
    parts = np.concatenate([chunk.ratio for chunk in world.chunks(50, 20, 7)])
    assert (whole == parts).all()
    assert (path_of(world, 41, 20).ratio[0] == whole[41]).all() and path_of(world, 41, 20).first == 41
    other = next(RecordedWorld(grid(1000), seed=4).chunks(50, 20)).ratio
    assert (other != whole).any(axis=(1, 2)).mean() > 0.9


def test_an_event_needs_its_data_and_a_name() -> None:
    with pytest.raises(DataError, match="no event 2020-01-01; there are 2020-03-12"):
        event_world("2020-01-01")


if REAL is not None:
    # Low against the day's open, in percent, as the files themselves were judged when they were collected.
    FALLS = {
        ("2020-03-12", "covid-2020-03-12"): {"BTC": -45, "ETH": -51},
        ("2021-05-19", "crash-2021-05-19"): {"BTC": -33, "ETH": -59, "BCH": -69},
        ("2022-11-09", "ftx-2022-11-09"): {"BTC": -17, "ETH": -20},
        ("2024-08-05", "crash-2024-08-05"): {"BTC": -16, "ETH": -21},
        ("2025-10-10", "hourly-2025-10-10"): {"BTC": -16.5, "ETH": -22, "LTC": -59, "XRP": -58, "ADA": -66},
        ("2026-02-05", "hourly-2026-02-05"): {"BTC": -15, "ETH": -16, "XRP": -25},
    }

    @pytest.mark.parametrize(("day", "name"), FALLS)
    def test_an_event_falls_as_deep_as_recorded(day: str, name: str) -> None:
        wanted = FALLS[day, name]
        world = event_world(day, REAL, symbols=tuple(wanted), step_ms=HOUR_MS)
        (path,) = world.chunks(1, 24)
        assert path.low is not None
        for market, (symbol, percent) in enumerate(wanted.items()):
            assert 100 * (path.low[0, :, market].min() - 1) == pytest.approx(percent, abs=0.55), symbol
        assert name in world.source and "licence" in world.source and "simulated" not in world.source
        first = next(world.chunks(2, 24))
        assert first.ratio[1, 1] * (world.grid.open[world.anchor - 1] / world.grid.open[world.anchor]) == pytest.approx(
            first.ratio[0, 0], rel=1e-5
        )

    def test_minutes_inside_an_events_bars_touch_its_lows() -> None:
        hours, minutes = (event_world("2020-03-12", REAL, step_ms=step) for step in (HOUR_MS, 60_000))
        (coarse,), (fine,) = hours.chunks(1, 24), minutes.chunks(1, 1440)
        assert coarse.low is not None
        assert fine.ratio[0].min(axis=0) == pytest.approx(coarse.low[0].min(axis=0), rel=1e-6)

    def test_markets_that_no_set_of_the_day_has_are_named(tmp_path: object) -> None:
        with pytest.raises(DataError, match="no set of that day has all of BTC, HYPE"):
            event_world("2025-10-10", REAL, symbols=("BTC", "HYPE"))
        assert set(EVENTS) == {day for day, _ in FALLS}

    def test_a_set_with_gaps_is_a_world_only_when_asked_how() -> None:
        data = load("spot-2020-2026", REAL)
        with pytest.raises(DataError, match="no bars of SOL from 2020-11-30T06:00 until 2020-11-30T07:00"):
            align(data)
        grid = align(data, gaps="skip")
        assert len(grid.repairs) == 60 and (~grid.whole).sum() == 20
