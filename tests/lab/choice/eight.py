"""A world of eight markets and a portfolio in them: two more than the default calibration has, made of others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from bulkhead.lab.paths.calibration import load_calibration
from bulkhead.lab.portfolio import Holding, Portfolio

LIKE = {"SOL": "ADA", "DOGE": "XRP"}
BLEND = 0.9  # a market and the one it is like are not the same market
PRICES = {"BTC": 100_000.0, "ETH": 4_000.0, "XRP": 2.5, "LTC": 100.0, "BCH": 500.0, "ADA": 0.8, "SOL": 200.0,
          "DOGE": 0.2}
NOTIONALS = {"BTC": 60e3, "ETH": -40e3, "XRP": 30e3, "LTC": -20e3, "ADA": 15e3, "BCH": -15e3, "SOL": 10e3, "DOGE": 10e3}


def save_eight(path: Path) -> str:
    """Write the calibration; the world's name."""
    known = load_calibration()
    wanted = (*known.symbols, *LIKE)
    at = [known.symbols.index(LIKE.get(symbol, symbol)) for symbol in wanted]
    matrices = ("correlation", "joint_correlation", "funding_correlation")
    changes = {
        name: getattr(known, name)[..., at]
        for name in ("scale", "joint_mean", "joint_deviation", "alone_mean", "alone_deviation", "funding_mean",
                     "funding_persistence", "funding_deviation")
    }
    for name in matrices:
        spread = getattr(known, name)[..., at, :][..., at]
        changes[name] = BLEND * spread + (1 - BLEND) * np.eye(len(at))
    chance = known.jump_chance[[0, *(1 + place for place in at)]]
    made = replace(known, symbols=wanted, errors={}, jump_chance=chance, **changes)
    made.save(path)
    return f"regimes:{path}"


def eight(collateral: float = 30e3, scale: float = 1.0) -> Portfolio:
    """Eight positions, long and short."""
    holdings = tuple(
        Holding(symbol, scale * notional / PRICES[symbol], PRICES[symbol]) for symbol, notional in NOTIONALS.items()
    )
    return Portfolio("eight", collateral, holdings, "eight.toml")
