"""lab/prices/bars.py and tables.py: sound tables are read, and each unsound one is refused by file and row."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from bulkhead.lab.prices import Bars, DataError, DataSet
from bulkhead.lab.prices.tables import read_bars, read_funding

HEADER = "time,symbol,open,high,low,close,volume"
ROWS = [
    "2020-03-12T00:00:00Z,BTC,100,110,90,105,7",
    "2020-03-12T00:00:00Z,ETH,10,11,9,10.5,7",
    "2020-03-12T00:30:00Z,BTC,105,106,80,81,7",
    "2020-03-12T00:30:00Z,ETH,10.5,10.5,8,8,0",
]


def table(folder: Path, rows: list[str], header: str = HEADER) -> Path:
    path = folder / "bars.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_sound_table_gives_each_market_its_bars(tmp_path: Path) -> None:
    bars = read_bars(table(tmp_path, ROWS))
    assert list(bars) == ["BTC", "ETH"]
    assert bars["BTC"].low.tolist() == [90.0, 80.0]
    assert bars["ETH"].time_ms.tolist() == [1583971200000, 1583973000000]
    assert bars["ETH"].interval_ms == 1_800_000
    assert bars["BTC"].gaps() == []


@pytest.mark.parametrize(
    ("row", "planted", "message"),
    [
        (1, "2020-03-12T00:00:00Z,BTC,100,110,-90,105,7", "BTC low is not positive (row 1"),
        (3, "2020-03-12T00:30:00Z,BTC,0,106,80,81,7", "BTC open is not positive (row 3"),
        (3, "2020-03-12T00:30:00Z,BTC,105,79,80,81,7", "BTC high is below low (row 3"),
        (3, "2020-03-12T00:30:00Z,BTC,105,104,80,81,7", "BTC high is below open or close (row 3"),
        (4, "2020-03-12T00:30:00Z,ETH,10.5,10.5,8.5,8,0", "ETH low is above open or close (row 4"),
        (4, "2020-03-12T00:30:00Z,ETH,10.5,10.5,8,NaN,0", "ETH close is not a finite number (row 4"),
        (4, "2020-03-12T00:30:00Z,ETH,10.5,10.5,,8,0", "ETH low is not a finite number (row 4"),
        (4, "2020-03-12T00:30:00Z,ETH,10.5,inf,8,8,0", "ETH high is not a finite number (row 4"),
        (4, "2020-03-12T00:30:00Z,ETH,10.5,10.5,8,8,-1", "ETH volume is negative (row 4"),
        (4, "2020-03-12T00:00:00Z,ETH,10.5,10.5,8,8,0", "ETH time is there twice (row 4"),
        (4, "2020-03-11T23:30:00Z,ETH,10.5,10.5,8,8,0", "ETH time goes back (row 4"),
        (4, ",ETH,10.5,10.5,8,8,0", "time_ms is missing (row 4"),
        (4, "2020-03-12T00:30:00Z,,10.5,10.5,8,8,0", "symbol is missing (row 4"),
        (4, "2020-03-12T00:30:00Z,ETH,ten,10.5,8,8,0", "column open holds String, not numbers"),
        (4, "yesterday,ETH,10.5,10.5,8,8,0", "column time holds String"),
    ],
)
def test_an_unsound_row_is_refused_by_file_and_row(tmp_path: Path, row: int, planted: str, message: str) -> None:
    path = table(tmp_path, ROWS[: row - 1] + [planted] + ROWS[row:])
    with pytest.raises(DataError) as caught:
        read_bars(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_times_off_the_grid_are_refused_and_gaps_are_told(tmp_path: Path) -> None:
    times = ["00:00", "00:30", "01:30", "02:15"]
    rows = [f"2020-03-12T{time}:00Z,BTC,100,110,90,105,7" for time in times]
    with pytest.raises(DataError, match=r"off the grid of 1800000 ms bars \(row 4"):
        read_bars(table(tmp_path, rows))
    bars = read_bars(table(tmp_path, rows[:3]))["BTC"]
    assert bars.gaps() == [(int(bars.time_ms[0]) + 3_600_000, int(bars.time_ms[2]))]


@pytest.mark.parametrize("column", ["time", "symbol", "open", "high", "low", "close", "volume"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(DataError, match=f"no column {column}; it has "):
        read_bars(table(tmp_path, ROWS, HEADER.replace(column, "x")))


def test_a_missing_an_empty_and_a_broken_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.parquet: no such file"):
        read_bars(tmp_path / "nowhere.parquet")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and then something else")
    with pytest.raises(DataError, match=r"broken\.parquet: cannot be read as parquet"):
        read_bars(broken)
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(DataError, match=r"empty\.csv: cannot be read as csv"):
        read_bars(empty)
    pl.read_csv(table(tmp_path, ROWS), try_parse_dates=True).head(0).write_parquet(tmp_path / "none.parquet")
    with pytest.raises(DataError, match=r"none\.parquet: no bars"):
        read_bars(tmp_path / "none.parquet")
    with pytest.raises(DataError, match="one bar alone has no interval"):
        read_bars(table(tmp_path, ROWS[:1]))
    with pytest.raises(DataError, match="no column venue"):
        read_bars(table(tmp_path, ROWS), venue="okx")


def test_single_precision_reads_as_the_decimal_that_was_meant(tmp_path: Path) -> None:
    rows = pl.read_csv(table(tmp_path, ROWS[::2]), try_parse_dates=True)
    prices = [pl.lit(107187.4, pl.Float32).alias(name) for name in ("open", "high", "low", "close")]
    rows.with_columns(*prices).write_parquet(tmp_path / "single.parquet")
    assert read_bars(tmp_path / "single.parquet")["BTC"].close.tolist() == [107187.4, 107187.4]


def test_funding_is_read_and_checked(tmp_path: Path) -> None:
    header = "time,symbol,rate"
    rows = ["2020-03-12T00:00:00Z,BTC,-0.001", "2020-03-12T08:00:00Z,BTC,0.0001"]
    assert read_funding(table(tmp_path, rows, header))["BTC"].rate.tolist() == [-0.001, 0.0001]
    with pytest.raises(DataError, match=r"rate is not a finite number \(row 2"):
        read_funding(table(tmp_path, [rows[0], "2020-03-12T08:00:00Z,BTC,NaN"], header))
    with pytest.raises(DataError, match=r"time goes back \(row 2"):
        read_funding(table(tmp_path, rows[::-1], header))


def some(symbol: str = "BTC") -> Bars:
    time_ms = np.arange(4, dtype=np.int64) * 60_000
    one = np.ones(4)
    return Bars(symbol, 60_000, time_ms, one, one, one, one, one)


@pytest.mark.parametrize(
    ("name", "title", "simulated"),
    [("crash", "Simulated crash", True), ("simulated-1", "Crash", True), ("simulated-1", "Simulated crash", False)],
)
def test_a_simulated_set_says_so_everywhere(name: str, title: str, simulated: bool) -> None:
    with pytest.raises(DataError, match="says so in its name and its title"):
        DataSet(name, title, "source", "licence", simulated, {"BTC": some()})


def test_a_set_without_bars_is_refused() -> None:
    with pytest.raises(DataError, match="no bars"):
        DataSet("empty", "Empty", "source", "licence", False, {})


def test_a_stretch_of_bars_holds_what_opens_in_it() -> None:
    bars = some()
    assert bars.between(60_000, 180_000).time_ms.tolist() == [60_000, 120_000]
    assert bars.end_ms == 240_000
