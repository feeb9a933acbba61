"""lab/paths/grid.py and lab/prices/mend.py: alignment, gaps, repairs; each refused by name or told."""

from pathlib import Path

import numpy as np
import pytest

from bulkhead.lab.paths import align
from bulkhead.lab.prices import Bars, DataError, DataSet, load
from bulkhead.lab.prices.mend import Repair
from bulkhead.lab.prices.tables import read_bars

MINUTE_MS = 60_000
START_MS = 1_600_000_200_000  # a whole quarter of an hour


def bars(symbol: str, minutes: int, count: int, missing: tuple[int, ...] = (), start_ms: int = START_MS) -> Bars:
    keep = np.setdiff1d(np.arange(count), missing)
    time_ms = start_ms + minutes * MINUTE_MS * keep
    price = 100.0 + keep
    return Bars(symbol, minutes * MINUTE_MS, time_ms, price, price + 2, price - 3, price + 1, np.ones(len(keep)))


def data(*made: Bars) -> DataSet:
    return DataSet("made", "Made for a test", "nowhere", "none", False, {each.symbol: each for each in made})


def test_bars_of_different_lengths_are_put_together_on_one_grid() -> None:
    grid = align(data(bars("A", 5, 12), bars("B", 15, 4)))
    assert (grid.step_ms, len(grid), grid.symbols) == (15 * MINUTE_MS, 4, ("A", "B"))
    assert grid.open[:, 0].tolist() == [100, 103, 106, 109]
    assert grid.close[:, 0].tolist() == [103, 106, 109, 112]
    assert grid.high[:, 0].tolist() == [104, 107, 110, 113] and grid.low[:, 0].tolist() == [97, 100, 103, 106]
    assert grid.close[:, 1].tolist() == [101, 102, 103, 104] and grid.whole.all()
    assert grid.step_at(START_MS + 15 * MINUTE_MS) == 1
    with pytest.raises(DataError, match="no step opens at"):
        grid.step_at(START_MS + MINUTE_MS)
    assert align(data(bars("A", 5, 12), bars("B", 15, 4)), symbols=("A",)).step_ms == 5 * MINUTE_MS


@pytest.mark.parametrize("order", ["low-first", "high-first"])
def test_finer_steps_touch_each_bars_extremes(order: str) -> None:
    whole = data(bars("A", 60, 6))
    grid = align(whole, 5 * MINUTE_MS, order=order)  # type: ignore[arg-type]
    assert len(grid) == 72 and "bridge" in grid.source
    lows, highs = grid.low[:, 0].reshape(6, 12), grid.high[:, 0].reshape(6, 12)
    assert lows.min(axis=1).tolist() == whole.bars["A"].low.tolist()
    assert highs.max(axis=1).tolist() == whole.bars["A"].high.tolist()
    assert grid.close[11::12, 0].tolist() == whole.bars["A"].close.tolist()
    is_first = lows.argmin(axis=1) < highs.argmax(axis=1)
    assert is_first.all() if order == "low-first" else not is_first.any()


def test_a_gap_is_refused_held_or_skipped_and_told() -> None:
    gappy = data(bars("A", 60, 30, missing=(4, 5)), bars("B", 60, 30))
    with pytest.raises(DataError, match=r"made: no bars of A from 2020-09-13T16:30 until 2020-09-13T18:30 UTC \(step"):
        align(gappy)
    held = align(gappy, gaps="hold")
    assert held.whole.all() and held.close[4:6, 0].tolist() == [104.0, 104.0]
    (told,) = held.repairs
    assert (told.symbol, told.row, told.bars) == ("A", 5, 2) and "held at its last price" in str(told)
    skipped = align(gappy, gaps="skip")
    assert np.flatnonzero(~skipped.whole).tolist() == [4, 5] and "no path touches it" in str(skipped.repairs[0])
    assert not skipped.returns()[1][3:6].any() and skipped.returns()[1][[2, 6]].all()
    long_gap = data(bars("A", 60, 30, tuple(range(4, 12))))
    with pytest.raises(DataError, match="longer than the 21600000 ms"):
        align(long_gap, gaps="hold")
    assert align(long_gap, gaps="skip").whole.sum() == 22
    with pytest.raises(ValueError, match="not 'guess'"):
        align(gappy, gaps="guess")  # type: ignore[arg-type]


def test_what_does_not_fit_one_grid_is_refused() -> None:
    aligned, late = bars("A", 5, 30), bars("B", 5, 30, start_ms=START_MS + 2 * MINUTE_MS)
    with pytest.raises(DataError, match="misaligned"):
        align(data(aligned, late))
    with pytest.raises(DataError, match="no market C; it has A"):
        align(data(aligned), symbols=("C",))
    with pytest.raises(DataError, match=r"hold no 4\+ whole steps"):
        align(data(aligned), 2 * MINUTE_MS)
    with pytest.raises(DataError, match="are no whole A bars"):
        align(data(aligned), 7 * MINUTE_MS)
    with pytest.raises(DataError, match="no two steps"):
        align(data(bars("A", 5, 2), bars("B", 5, 2, start_ms=START_MS + 5 * MINUTE_MS)))


HEADER = "time,symbol,open,high,low,close,volume\n"
LINE = "2020-03-12T{}:00Z,BTC,100,110,90,105,7\n"


def table(folder: Path, *lines: str) -> Path:
    path = folder / "bars.csv"
    path.write_text(HEADER + "".join(lines))
    return path


def test_repairs_are_made_only_when_asked_for_and_told_by_row(tmp_path: Path) -> None:
    bad = LINE.format("03:00").replace("110", "NaN")
    times = ["00:00", "01:00", "02:00", "02:00", "05:00", "04:00"]
    path = table(tmp_path, *(LINE.format(time) for time in times), bad)
    with pytest.raises(DataError, match="time is there twice"):
        read_bars(path)
    repairs: list[Repair] = []
    found = read_bars(path, repairs=repairs)["BTC"]
    assert ((found.time_ms - found.time_ms[0]) // 3_600_000).tolist() == [0, 1, 2, 4, 5]
    assert [(one.row, one.bars, one.what.split(" and ")[0]) for one in repairs] == [
        (6, 2, "was out of order"), (4, 1, "was there twice"), (7, 1, "had prices that cannot be")
    ]  # fmt: skip
    mended = load(str(path), mends=True)
    assert len(mended.repairs) == 3 and mended.source == str(path)
    assert len(align(mended, gaps="skip").repairs) == 4
    with pytest.raises(DataError, match="time is there twice"):
        load(str(path))


@pytest.mark.parametrize("price", ["0", "-5", "NaN", ""])
def test_each_unsound_price_is_left_out_as_a_gap(tmp_path: Path, price: str) -> None:
    lines = [LINE.format(f"0{hour}:00") for hour in range(4)]
    lines[2] = lines[2].replace("105", price)
    repairs: list[Repair] = []
    found = read_bars(table(tmp_path, *lines), repairs=repairs)["BTC"]
    assert len(found) == 3 and [one.row for one in repairs] == [3]


def test_two_rows_of_one_time_that_differ_are_refused_even_then(tmp_path: Path) -> None:
    path = table(tmp_path, LINE.format("00:00"), LINE.format("01:00"), LINE.format("01:00").replace("105", "106"))
    with pytest.raises(DataError, match=r"two rows of one time that differ; which is right\? \(row 3\)"):
        read_bars(path, repairs=[])
