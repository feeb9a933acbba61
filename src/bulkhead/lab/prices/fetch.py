"""Fetches recent bars and funding from an exchange's public endpoints, through ccxt, into a folder `load` can read.

A market fetched whole is kept beside the set until the set is complete, so a run that was cut off goes on where it
stopped. Files appear under their final names only when they are whole and have been read back, the note (.json) last.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import ccxt
import polars as pl

from bulkhead.lab.prices.bars import DataError
from bulkhead.lab.prices.tables import read_bars, read_funding

DAY_MS = 86_400_000
PAGE = 1000  # rows asked for at once; every exchange may give fewer
QUOTES = ("USDT", "USDC", "USD")  # what a perpetual is quoted in, most traded first


class FetchError(DataError):
    """Prices could not be fetched. What had been fetched is kept, and the same command goes on from there."""


class Exchange(Protocol):
    """What is used of a ccxt exchange."""

    id: str
    has: dict[str, Any]
    timeframes: dict[str, Any]

    def load_markets(self) -> dict[str, dict[str, Any]]: ...
    def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> list[list[float]]: ...
    def fetch_funding_rate_history(self, symbol: str, since: int, limit: int) -> list[dict[str, Any]]: ...


Progress = Callable[[str, float], None]  # a symbol, and the share of it that is there, 0 to 1


def open_exchange(name: str) -> Exchange:
    """The ccxt exchange of that name."""
    if name not in ccxt.exchanges:
        raise FetchError(f"ccxt knows no exchange {name}; try binanceusdm, bybit, okx or hyperliquid")
    exchange: Exchange = getattr(ccxt, name)({"enableRateLimit": True})
    return exchange


def fetch(
    exchange: Exchange,
    symbols: Sequence[str],
    until_ms: int,
    days: int,
    out: Path,
    *,
    interval: str = "1m",
    progress: Progress = lambda symbol, share: None,
) -> Path:
    """Fetch the bars of `days` days up to `until_ms`, and return the set's note; its stem is the set's name.

    Equal arguments name the same set: a complete one is not fetched again.
    """
    if days < 1 or not symbols or len(set(symbols)) != len(symbols):
        raise FetchError("ask for at least one day and for one or more symbols, each once")
    if interval not in exchange.timeframes:
        raise FetchError(f"{exchange.id} has no {interval} bars; it has {', '.join(exchange.timeframes)}")
    day = datetime.fromtimestamp(until_ms / 1000, UTC)
    name = "-".join([exchange.id, f"{day:%Y%m%dT%H%M}", f"{days}d", interval, *symbols]).lower()
    note = out / f"{name}.json"
    if note.is_file():
        return note
    parts = out / f".{name}"
    try:
        markets = exchange.load_markets()
        parts.mkdir(parents=True, exist_ok=True)
        for symbol in symbols:
            span = _Span(exchange, _perpetual(exchange, markets, symbol), until_ms - days * DAY_MS, until_ms)
            _fetch_market(span, interval, parts / symbol, progress)
            progress(symbol, 1.0)
    except ccxt.NetworkError as error:
        raise FetchError(
            f"{exchange.id} cannot be reached ({error}). Check the network and run the same command again: "
            "markets already fetched are kept"
        ) from error
    except ccxt.BaseError as error:
        raise FetchError(f"{exchange.id} refused: {error}") from error
    return _assemble(parts, symbols, note, f"{exchange.id}, {days} days to {day:%Y-%m-%d %H:%M} UTC, {interval}")


class _Span:
    """One market over one stretch of time, read page by page."""

    def __init__(self, exchange: Exchange, market: str, start_ms: int, until_ms: int) -> None:
        self.exchange, self.market, self.start_ms, self.until_ms = exchange, market, start_ms, until_ms

    def bars(self, interval: str, progress: Callable[[float], None]) -> pl.DataFrame:
        """Every bar that opens in the span."""
        rows: list[list[float]] = []
        since = self.start_ms
        while since < self.until_ms:
            page = [row for row in self.exchange.fetch_ohlcv(self.market, interval, since, PAGE) if row[0] >= since]
            if not page:
                break
            rows += page
            progress((since - self.start_ms) / (self.until_ms - self.start_ms))
            since = int(page[-1][0]) + 1
        rows = [row for row in rows if row[0] < self.until_ms]
        day = datetime.fromtimestamp(self.start_ms / 1000, UTC)
        if not rows or rows[0][0] - self.start_ms > DAY_MS:
            raise FetchError(f"{self.exchange.id} has no bars of {self.market} at {day:%Y-%m-%d}; ask for fewer days")
        names = ("time", "open", "high", "low", "close", "volume")
        return _dated(pl.DataFrame([row[:6] for row in rows], schema=dict.fromkeys(names, pl.Float64), orient="row"))

    def funding(self) -> pl.DataFrame:
        """Every funding payment in the span; none where the exchange tells none."""
        rows: list[tuple[float, float]] = []
        since = self.start_ms
        while since < self.until_ms and self.exchange.has.get("fetchFundingRateHistory"):
            page = self.exchange.fetch_funding_rate_history(self.market, since, PAGE)
            fresh = [(row["timestamp"], row["fundingRate"]) for row in page if row["timestamp"] >= since]
            if not fresh:
                break
            rows += fresh
            since = int(fresh[-1][0]) + 1
        rows = [row for row in rows if row[0] < self.until_ms]
        return _dated(pl.DataFrame(rows, schema={"time": pl.Float64, "rate": pl.Float64}, orient="row"))


def _perpetual(exchange: Exchange, markets: dict[str, dict[str, Any]], symbol: str) -> str:
    """The exchange's own name for the perpetual of a coin that is settled in dollars."""
    for quote in QUOTES:
        for name, market in markets.items():
            if (market.get("base"), market.get("quote"), market.get("settle")) == (symbol, quote, quote):
                if market.get("swap"):
                    return name
    raise FetchError(f"{exchange.id} has no perpetual of {symbol} settled in {', '.join(QUOTES)}")


def _fetch_market(span: _Span, interval: str, part: Path, progress: Progress) -> None:
    """Bars and funding of one market into its part files, unless they are there."""
    bars, funding = part.with_suffix(".parquet"), part.with_suffix(".funding.parquet")
    symbol = pl.lit(part.name).alias("symbol")
    if not bars.is_file():
        _write(span.bars(interval, lambda share: progress(part.name, share)).with_columns(symbol), bars)
    if not funding.is_file():
        _write(span.funding().with_columns(symbol), funding)


def _assemble(parts: Path, symbols: Sequence[str], note: Path, title: str) -> Path:
    """The parts as one set; the parts are removed when it is complete."""
    for ending, read in ((".parquet", read_bars), (".funding.parquet", read_funding)):
        whole = pl.concat([pl.read_parquet(parts / f"{symbol}{ending}") for symbol in symbols])
        if len(whole):
            _write(whole, parts / f"{note.stem}{ending}")
            read(parts / f"{note.stem}{ending}")
            os.replace(parts / f"{note.stem}{ending}", note.with_suffix(ending))
    source = f"public endpoints, by ccxt {ccxt.__version__}"
    text = {"title": title, "source": source, "licence": "the exchange's own terms"}
    unfinished = parts / "note"
    unfinished.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    os.replace(unfinished, note)
    shutil.rmtree(parts)
    return note


def _dated(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.from_epoch(pl.col("time").cast(pl.Int64), "ms").dt.replace_time_zone("UTC"))


def _write(table: pl.DataFrame, path: Path) -> None:
    """Write under another name first: a file with its final name is whole."""
    unfinished = path.with_suffix(".unfinished")
    table.write_parquet(unfinished)
    os.replace(unfinished, path)
