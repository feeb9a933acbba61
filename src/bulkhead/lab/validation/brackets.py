"""Binance's brackets of every perpetual, with the amounts it deducts, against the tiers of this exchange."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from bulkhead.lab.prices.bars import DataError
from bulkhead.lab.validation.account import Bracket, terms_of
from bulkhead.rules.terms import risk_of
from bulkhead.units import Price

FILE = "binance_margin_tiers.parquet"
COLUMNS = ("symbol", "tier", "min_notional", "max_notional", "mmr", "cum_deduction")
WITHIN_USD = 0.01
"""A deduction is published to the cent or coarser."""


class Judged(NamedTuple):
    """How many perpetuals and brackets were compared, and the largest difference in dollars, with whose it is."""

    symbols: int
    brackets: int
    equal: int  # brackets whose deduction agrees within WITHIN_USD or one part in a million
    worst_usd: float
    worst_share: float
    worst: str
    others: tuple[str, ...]  # perpetuals with a bracket that does not agree


def judge(folder: Path) -> Judged:
    """Compare every bracket of the file; DataError names the file and the row of what cannot be read."""
    path = folder / FILE
    table = pl.read_parquet(path)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise DataError(f"{path}: no column {', '.join(missing)}")
    symbols = brackets = equal = 0
    worst, worst_share, whose = 0.0, 0.0, ""
    others = []
    for (symbol,), rows in table.sort("symbol", "tier").group_by("symbol", maintain_order=True):
        symbols += 1
        tiers = tuple(Bracket(row["max_notional"], row["mmr"]) for row in rows.iter_rows(named=True))
        risk = risk_of(terms_of(1, tiers, 1.0), Price(1 << 32))
        for row, ours in zip(rows.iter_rows(named=True), risk.rows, strict=True):
            brackets += 1
            difference = abs(int(ours.maintenance_deduction) / 2**64 / 1e6 - row["cum_deduction"])
            share = difference / max(1.0, row["cum_deduction"])
            if difference <= WITHIN_USD or share <= 1e-6:
                equal += 1
            elif symbol not in others:
                others.append(str(symbol))
            if share > worst_share:
                worst, worst_share, whose = difference, share, f"{symbol}, tier {row['tier']:.0f}"
    return Judged(symbols, brackets, equal, worst, worst_share, whose, tuple(others))
