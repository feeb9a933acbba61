"""Reads price tables (parquet or CSV) of several layouts into checked bars."""

from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl

from bulkhead.lab.prices.bars import Bars, DataError, Funding, Times, check_bars, check_times, refuse
from bulkhead.lab.prices.mend import Repair, mend

# The same column under the names different sources give it.
COLUMNS = {
    "time": ("time", "date", "timestamp"),
    "symbol": ("symbol", "coin"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "v"),
}
FUNDING_COLUMNS = {"time": COLUMNS["time"], "symbol": COLUMNS["symbol"], "rate": ("rate", "funding_rate")}


Window = tuple[datetime, datetime]


def read_bars(
    path: Path,
    *,
    venue: str | None = None,
    window: Window | None = None,
    has_volume: bool = True,
    repairs: list[Repair] | None = None,
) -> dict[str, Bars]:
    """Every market's bars in the file, in the file's order, within the window [from, until).

    A table that is known to have no volume (`has_volume` False: mark prices) gives bars of volume 0. With a list of
    `repairs`, what mend.py can mend is mended and told there; without, it is refused.
    """
    wanted = COLUMNS if has_volume else {name: names for name, names in COLUMNS.items() if name != "volume"}
    table = _read(path, wanted, venue, window)
    if not has_volume:
        table = table.with_columns(pl.lit(0.0).alias("volume"))
    found = {}
    for (symbol,), rows in table.group_by("symbol", maintain_order=True):
        if repairs is not None:
            rows, made = mend(rows, str(symbol), str(path))
            repairs.extend(made)
        columns = [rows[name].to_numpy() for name in ("open", "high", "low", "close", "volume")]
        time_ms, numbers = rows["time_ms"].to_numpy(), rows["row"].to_numpy()
        # Order before interval: the interval is read off the times, which must rise for that.
        check_times(time_ms, numbers, f"{path}: {symbol}")
        bars = Bars(str(symbol), _interval_ms(time_ms, f"{path}: {symbol}"), time_ms, *columns)
        found[bars.symbol] = check_bars(bars, numbers, str(path))
    if not found:
        raise DataError(f"{path}: no bars" + (f" of {venue}" if venue else "") + (" in the window" if window else ""))
    return found


def read_funding(path: Path, *, window: Window | None = None) -> dict[str, Funding]:
    """Every market's funding payments in the file."""
    table = _read(path, FUNDING_COLUMNS, None, window)
    found = {}
    for (symbol,), rows in table.group_by("symbol", maintain_order=True):
        time_ms, rate = rows["time_ms"].to_numpy(), rows["rate"].to_numpy()
        check_times(time_ms, rows["row"].to_numpy(), f"{path}: {symbol}")
        refuse(~np.isfinite(rate), rows["row"].to_numpy(), f"{path}: {symbol} rate is not a finite number")
        found[str(symbol)] = Funding(str(symbol), time_ms, rate)
    return found


def _read(path: Path, wanted: dict[str, tuple[str, ...]], venue: str | None, window: Window | None) -> pl.DataFrame:
    """The wanted columns under our names, with `row` (1 is the first row of data) and `time_ms`."""
    table = _open(path).with_row_index("row", offset=1)
    if venue is not None:
        if "venue" not in table.columns:
            raise DataError(f"{path}: no column venue; it has {', '.join(table.columns[1:])}")
        table = table.filter(pl.col("venue") == venue)
    names = {}
    for ours, theirs in wanted.items():
        present = [name for name in theirs if name in table.columns]
        if not present:
            raise DataError(f"{path}: no column {ours}; it has {', '.join(table.columns[1:])}")
        names[present[0]] = ours
    table = table.select("row", *names).rename(names)
    if not isinstance(table.schema["time"], pl.Datetime):
        raise DataError(f"{path}: column time holds {table.schema['time']}, not dates with times")
    table = table.with_columns(pl.col("time").dt.epoch("ms").alias("time_ms"), pl.col("row").cast(pl.Int64))
    if window is not None:
        start_ms, end_ms = (int(moment.timestamp() * 1000) for moment in window)
        table = table.filter(pl.col("time_ms").is_between(start_ms, end_ms, closed="left"))
    numbers = [name for name in wanted if name not in ("time", "symbol")]
    for name in numbers:
        if not table.schema[name].is_numeric():
            raise DataError(f"{path}: column {name} holds {table.schema[name]}, not numbers")
    for name in ("time_ms", "symbol"):
        if table[name].null_count():
            raise DataError(f"{path}: {name} is missing (row {table.filter(pl.col(name).is_null())['row'][0]})")
    return table.with_columns(_double(table, name).fill_null(float("nan")) for name in numbers)


def _double(table: pl.DataFrame, name: str) -> pl.Expr:
    """The column in double precision; a number of single precision becomes the shortest decimal that names it."""
    column = pl.col(name)
    return (column.cast(pl.String) if table.schema[name] == pl.Float32 else column).cast(pl.Float64)


def _open(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path)
        return pl.read_csv(path, try_parse_dates=True, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]}: {error}") from error


def _interval_ms(time_ms: Times, source: str) -> int:
    if len(time_ms) < 2:
        raise DataError(f"{source}: one bar alone has no interval")
    return int(np.diff(time_ms).min())
