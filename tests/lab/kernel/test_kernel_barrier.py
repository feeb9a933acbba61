"""Monte-Carlo against a closed form: one position under geometric Brownian motion is liquidated at a barrier."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from bulkhead.lab.kernel import Accounts, Impact, Venue, run
from bulkhead.lab.paths import GaussianWorld
from bulkhead.lab.venue import resolution_of
from bulkhead.ledger.defaults import market

PATHS, STEPS, STEP_MS = 20_000, 288, 300_000
YEAR_MS = 365 * 86_400_000
BEHIND = 0.5825971579  # of a step's deviation: how far a barrier that is only looked at now and then lies behind


def touched(barrier: float, volatility: float) -> float:
    """Chance that a price that starts at 1 and drifts nowhere is below (or above) the barrier at some step.

    The reflection principle for the continuous barrier, moved by the correction for discrete monitoring (M. Broadie,
    P. Glasserman, S. Kou, A Continuity Correction for Discrete Barrier Options, 1997).
    """
    years = STEPS * STEP_MS / YEAR_MS
    side = 1 if barrier > 1 else -1
    height = math.log(barrier) + side * BEHIND * volatility * math.sqrt(STEP_MS / YEAR_MS)
    drift, spread = -(volatility**2) / 2, volatility * math.sqrt(years)
    normal = NormalDist().cdf
    return normal(-side * (height - drift * years) / spread) + math.exp(2 * drift * height / volatility**2) * normal(
        -side * (height + drift * years) / spread
    )


@pytest.mark.parametrize(("side", "leverage", "volatility"), [(1, 30, 0.6), (-1, 30, 0.6), (1, 10, 1.5), (-1, 20, 1.2)])
def test_liquidations_come_as_often_as_the_closed_form_says(side: int, leverage: int, volatility: float) -> None:
    """Within four standard errors and a tenth of a per cent that the correction leaves."""
    price = 100_000.0
    venue = Venue((market(1, "BTC", resolution_of(price), is_major=True, initial=200),), (price,), (Impact(0, 0),))
    notional = 100_000.0
    accounts = Accounts.holding(venue, np.array([[side * notional]]), np.array([notional / leverage]))
    world = GaussianWorld(("BTC",), np.array([volatility]), np.eye(1), seed=7, step_ms=STEP_MS)
    hits = 0
    for chunk in world.chunks(PATHS, STEPS, 4_000):
        hits += int(run(venue, accounts, chunk).is_liquidated.sum())
    maintenance = float(venue.rules.maintenance[0, 0])
    # value = notional/leverage + side·notional·(x − 1) below maintenance·notional·x
    barrier = (side - 1 / leverage) / (side - maintenance)
    wanted = touched(barrier, volatility)
    error = math.sqrt(wanted * (1 - wanted) / PATHS)
    assert 0.01 < wanted < 0.9, "a case in which something happens, and not always"
    assert abs(hits / PATHS - wanted) < 4 * error + 0.001
