"""Estimates hold the truth as often as they say, and are what they say on laws with closed forms."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest

from bulkhead.lab.choice import estimates


def test_shares_cover_their_probability() -> None:
    """Wilson's interval at 95 %: between 93 and 97.5 of a hundred, down to 1 %."""
    draw = np.random.default_rng(1)
    for chance in (0.01, 0.2, 0.5):
        found = [estimates.share(int(hits), 1_000) for hits in draw.binomial(1_000, chance, 2_000)]
        covered = np.mean([one.low <= chance <= one.high for one in found])
        assert 0.93 < covered < 0.975
    assert estimates.share(0, 100).low == 0 and 0.03 < estimates.share(0, 100).high < 0.04
    with pytest.raises(ValueError, match="5 of 4"):
        estimates.share(5, 4)


def test_quantiles_cover_theirs() -> None:
    draw = np.random.default_rng(2)
    truth = NormalDist().inv_cdf(0.99)
    found = [estimates.quantile(draw.standard_normal(2_000), 0.99) for _ in range(500)]
    assert 0.92 < np.mean([one.low <= truth <= one.high for one in found]) < 0.985


def test_shortfall_of_a_normal_law() -> None:
    """Expected shortfall of a normal law is density over chance; the interval covers it."""
    draw = np.random.default_rng(3)
    level = 0.975
    truth = math.exp(-(NormalDist().inv_cdf(level) ** 2) / 2) / math.sqrt(2 * math.pi) / (1 - level)
    found = [estimates.shortfall(draw.standard_normal(2_000), level, seed) for seed in range(60)]
    assert np.mean([one.value for one in found]) == pytest.approx(truth, abs=0.03)
    assert np.mean([one.low <= truth <= one.high for one in found]) > 0.85
    assert estimates.shortfall_of(np.arange(100.0), 0.9) == 94.5


def test_differences_use_the_same_paths() -> None:
    """Two losses that differ by a constant differ by that constant, whatever their noise."""
    losses = np.random.default_rng(4).lognormal(0, 2, 3_000)
    found = estimates.difference(losses + 5, losses, 0.975, 1)
    assert found.value == pytest.approx(5) and found.low == pytest.approx(5) and found.high == pytest.approx(5)


def test_means() -> None:
    draw = np.random.default_rng(5)
    found = [estimates.mean(draw.exponential(2.0, 1_000), seed) for seed in range(200)]
    assert 0.9 < np.mean([one.low <= 2.0 <= one.high for one in found]) <= 0.99
