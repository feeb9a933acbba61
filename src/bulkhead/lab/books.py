"""Recorded order books, walked: what a market order of so many dollars would have cost, time after time.

Two tapes are read: a snapshot with changes of levels (Binance), and single orders that are made, changed and deleted
(Bitstamp). A book that crosses, or is too thin for an amount, gives no cost for it, and both are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from bulkhead.lab.prices.bars import DataError, Floats

NOTIONALS = np.array([0.01, 0.03, 0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 20.0]) * 1e6
"""USD that are traded at once."""
Level = tuple[float, float]  # price, coins


@dataclass(frozen=True, slots=True, eq=False)
class Walks:
    """`cost[sample, side, amount]` is the mean distance of a fill from the mid, in basis points; NaN where there is no
    such fill. Side 0 sells into bids. `time_ms` is when a sample was taken."""

    symbol: str
    source: str
    time_ms: Floats
    cost: Floats
    half_spread: Floats  # (samples), basis points
    crossed: int  # moments left out because the book was crossed


def walk(levels: list[Level], mid: float, amounts: Floats) -> Floats:
    """Mean distance from the mid in basis points of trading each amount of USD at these levels, best first."""
    price, coins = np.array(levels).T
    value = np.concatenate([[0.0], np.cumsum(price * coins)])
    held = np.concatenate([[0.0], np.cumsum(coins)])
    # Coins for an amount: whole levels, and the part of the next one.
    place = np.searchsorted(value, amounts, side="left")
    there = place < len(value)
    place = np.where(there, place, 1)
    bought = held[place - 1] + (amounts - value[place - 1]) / price[place - 1]
    distance = np.abs(amounts / bought / mid - 1) * 1e4
    return np.asarray(np.where(there, distance, np.nan))


def _sampled(symbol: str, source: str, books: Iterator[tuple[float, list[Level], list[Level]]]) -> Walks:
    time_ms, cost, spread, crossed = [], [], [], 0
    for moment, bids, asks in books:
        if not bids or not asks or bids[0][0] >= asks[0][0]:
            crossed += 1
            continue
        mid = (bids[0][0] + asks[0][0]) / 2
        time_ms.append(moment)
        spread.append((asks[0][0] - bids[0][0]) / mid / 2 * 1e4)
        cost.append(np.stack([walk(side, mid, NOTIONALS) for side in (bids, asks)]))
    if not cost:
        raise DataError(f"{source}: no moment with a book that is not crossed")
    return Walks(symbol, source, np.array(time_ms), np.array(cost), np.array(spread), crossed)


def binance_walks(folder: Path, symbol: str = "BTC", every_ms: int = 2_000) -> Walks:
    """A snapshot and its changes, sampled every so often."""
    snapshot = _table(folder / "snapshot.parquet", ("exch_ms", "update_id", "side", "price", "qty"))
    changes = _table(folder / "depth_updates.parquet", ("exch_ms", "update_id", "side", "price", "qty"))
    first = int(snapshot["update_id"][0])
    after = changes.filter(pl.col("update_id") > first)

    def books() -> Iterator[tuple[float, list[Level], list[Level]]]:
        sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
        for _, _, side, price, coins in snapshot.iter_rows():
            sides[side][price] = coins
        until, message = int(snapshot["exch_ms"][0]) + every_ms, first
        for moment, update, side, price, coins in after.iter_rows():
            # Between two messages only, for within one the book may cross.
            if moment >= until and update != message:
                yield float(until), *_ordered(sides)
                until += every_ms * (1 + (moment - until) // every_ms)
            message = update
            if coins:
                sides[side][price] = coins
            else:
                sides[side].pop(price, None)

    return _sampled(symbol, f"Binance USD-M {symbol}USDT, 2024-08-08 23:54 UTC, 6 minutes", books())


def bitstamp_walks(folder: Path, symbol: str = "BTC", every_ms: int = 15_000) -> Walks:
    """Orders as they were made, changed and deleted, sampled every so often.

    An order without a price is a market order, which rests nowhere. The tape lost some ends of orders; no book crosses,
    so of two that do the older one is taken out."""
    columns = ("timestamp", "id", "price", "volume", "action", "direction")
    orders = _table(folder / "orders.parquet", columns).sort("timestamp", maintain_order=True)

    def books() -> Iterator[tuple[float, list[Level], list[Level]]]:
        live: dict[int, tuple[int, float, float]] = {}
        until = int(orders["timestamp"][0]) + every_ms
        end = int(orders["timestamp"][-1])
        for moment, order, price, coins, action, direction in orders.iter_rows():
            if moment >= until:
                _uncross(live)
                sides: tuple[dict[float, float], dict[float, float]] = ({}, {})
                for side, at, size in live.values():
                    sides[side][at] = sides[side].get(at, 0.0) + size
                yield float(until), *_ordered(sides)
                until += every_ms * (1 + (moment - until) // every_ms)
            if moment == end:  # the tape closes by deleting what is left
                return
            if action == "deleted" or price <= 0 or coins <= 0:
                live.pop(order, None)
            else:
                live.pop(order, None)  # a change makes it the youngest
                live[order] = (0 if direction == "bid" else 1, price, coins)

    return _sampled(symbol, f"Bitstamp {symbol}/USD, 2026-05-02 02:36 UTC, 30 minutes", books())


def _uncross(live: dict[int, tuple[int, float, float]]) -> None:
    """Take out orders of lost ends. The dictionary is in the order of age."""
    age = {order: place for place, order in enumerate(live)}
    bids = sorted((order for order, each in live.items() if each[0] == 0), key=lambda order: -live[order][1])
    asks = sorted((order for order, each in live.items() if each[0] == 1), key=lambda order: live[order][1])
    while bids and asks and live[bids[0]][1] >= live[asks[0]][1]:
        side = bids if age[bids[0]] < age[asks[0]] else asks
        del live[side.pop(0)]


def relative_depth(path: Path, base: str = "BTC") -> dict[str, float]:
    """Each coin's bid depth in USD over the base's, in the thinner of the venues of the table."""
    table = _table(path, ("coin", "venue", "bid_depth_usd"))
    of = {(coin, venue): depth for coin, venue, depth in table.iter_rows()}
    found: dict[str, float] = {}
    for (coin, venue), depth in of.items():
        if (base, venue) not in of:
            raise DataError(f"{path}: no {base} at {venue} to compare {coin} with")
        if not (np.isfinite(depth) and depth > 0):
            raise DataError(f"{path}: depth of {coin} at {venue} is {depth}")
        found[coin] = min(found.get(coin, np.inf), depth / of[base, venue])
    return found


def _ordered(sides: tuple[dict[float, float], dict[float, float]]) -> tuple[list[Level], list[Level]]:
    return sorted(sides[0].items(), reverse=True), sorted(sides[1].items())


def _table(path: Path, columns: tuple[str, ...]) -> pl.DataFrame:
    """The columns of a tape, refused if one is missing or holds nothing."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    table = pl.read_parquet(path)
    if missing := [name for name in columns if name not in table.columns]:
        raise DataError(f"{path}: no column {', '.join(missing)}; it has {', '.join(table.columns)}")
    table = table.select(columns).with_row_index("row", offset=1)
    for name in columns:
        wrong = table[name].is_null() | (table[name].is_nan() if table.schema[name].is_float() else pl.lit(False))
        bad = table.filter(wrong)
        if len(bad):
            raise DataError(f"{path}: {name} is missing (row {bad['row'][0]}; {len(bad)} such rows)")
    return table.drop("row")
