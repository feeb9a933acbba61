"""How the peers of the margin kernel are driven: the same accounts, prices and maintenance fraction, step by step.

In a process of their own that has not loaded Numba: lrvx's library finds no room for its thread-local data beside it.
"""

from __future__ import annotations

import time
from importlib import import_module
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

INCOMPARABLE = {
    "nautilus_trader": "one trigger ratio on a whole backtest, no tiers; an engine of events, not of accounts x paths",
    "freqtrade": "the liquidation price of one trade, not the margin of an account at each step",
    "jesse": "isolated alone, at a fixed 0.4 %, once a candle",
    "backtesting.py": "one margin ratio without maintenance, on closes",
    "vectorbt": "the open version has no margin",
    "hftbacktest": "queues and latency; no margin account",
    "skfolio, riskfolio-lib": "portfolios without leverage",
    "arch": "paths of one asset, no margin",
    "marginism, margin-estimator, openmargin": "static calculators, no steps",
    "ccxt": "reports a venue's liquidation price, computes none",
    "QuantConnect Lean": "C#, not from this registry",
    "Gauntlet, Chaos Labs": "closed",
}
"""Why no figure stands beside ours. The others are measured."""

Driven = tuple[float, int]
"""Seconds, and accounts (cross) or positions (isolated) liquidated."""


def _lrvx() -> ModuleType | None:
    try:
        return import_module("lrvx")
    except ModuleNotFoundError as missing:
        if missing.name != "lrvx":
            raise
        return None


def _marks(prices: Floats) -> list[list[tuple[int, float]]]:
    return [[(market, float(price)) for market, price in enumerate(step)] for step in prices]


def lrvx_cross(coins: Floats, entry: Floats, equity: Floats, prices: Floats, maintenance: float) -> Driven | None:
    """Accounts (accounts, markets) of coins with one equity each; None if it is not installed."""
    peer = _lrvx()
    if peer is None:
        return None
    engine = peer.LiquidationEngine()
    engine.add_tier(0.0, maintenance)
    accounts = []
    for number, (row, money) in enumerate(zip(coins, equity, strict=True)):
        account = peer.Account(number + 1, float(money))
        account.set_margin_mode("cross")
        for market, size in enumerate(row):
            account.open_position(market, float(size), float(entry[market]))
        engine.attach_account(account)
        accounts.append(account)  # the engine holds no reference of its own
    return _drive(engine, prices)


def lrvx_isolated(coins: Floats, entry: Floats, equity: Floats, prices: Floats, maintenance: float) -> Driven | None:
    """Every position with an equity of its own (accounts, markets); None if it is not installed."""
    peer = _lrvx()
    if peer is None:
        return None
    engine = peer.LiquidationEngine()
    engine.add_tier(0.0, maintenance)
    markets = coins.shape[1]
    for number, row in enumerate(coins):
        for market, size in enumerate(row):
            account_id = number * markets + market + 1
            engine.open_position(account_id, market, float(size), float(entry[market]), float(equity[number, market]))
    return _drive(engine, prices)


def _drive(engine: object, prices: Floats) -> Driven:
    """All steps; how long they took, and whom they liquidated."""
    marks = _marks(prices)
    seen: set[int] = set()
    start = time.perf_counter()
    for number, step in enumerate(marks):
        seen.update(engine.on_marks(step, number)["liquidated"])  # type: ignore[attr-defined]
    return time.perf_counter() - start, len(seen)
