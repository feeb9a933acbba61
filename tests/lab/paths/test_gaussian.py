"""lab/paths/gaussian.py: moments and barriers against closed form; one seed, one result."""

import math
from collections.abc import Sequence

import numpy as np
import pytest

from bulkhead.lab.paths import CorrelationError, GaussianWorld, Paths
from bulkhead.lab.prices import DataError

SYMBOLS = ("BTC", "ETH", "SOL")
VOLATILITY = np.array([0.5, 0.8, 1.2])
CORRELATION = np.array([[1.0, 0.8, 0.3], [0.8, 1.0, -0.2], [0.3, -0.2, 1.0]])
HOUR_MS = 3_600_000


def world(**changes: object) -> GaussianWorld:
    return GaussianWorld(SYMBOLS, VOLATILITY, CORRELATION, **{"step_ms": HOUR_MS, **changes})  # type: ignore[arg-type]


def joined(chunks: Sequence[Paths], name: str = "ratio") -> np.ndarray:
    return np.concatenate([getattr(chunk, name) for chunk in chunks]).astype(np.float64)


def test_returns_have_the_volatility_the_correlation_and_the_mean_asked_for() -> None:
    ratio = joined(list(world().chunks(4_000, 100)))
    returns = np.diff(np.log(ratio), axis=1).reshape(-1, 3)
    count = len(returns)
    assert returns.std(axis=0) * math.sqrt(8760) == pytest.approx(VOLATILITY, rel=4 / math.sqrt(2 * count))
    assert np.abs(np.corrcoef(returns.T) - CORRELATION).max() < 4 / math.sqrt(count)
    last = ratio[:, -1]
    assert np.abs(last.mean(axis=0) - 1).max() < 4 * (last.std(axis=0) / math.sqrt(len(last))).max()


def test_the_chance_to_touch_a_barrier_is_that_of_the_closed_form() -> None:
    """The law of the minimum of a Brownian motion with drift, by the reflection principle."""
    paths, steps, barrier = 20_000, 40, math.log(0.95)
    low = joined(list(world(extremes=True).chunks(paths, steps)), "low").min(axis=1)
    high = joined(list(world(extremes=True).chunks(paths, steps)), "high").max(axis=1)
    years = steps / 8760
    for market, sigma in enumerate(VOLATILITY):
        deviation, drift = sigma * math.sqrt(years), -(sigma**2) / 2

        def law(value: float, deviation: float = deviation) -> float:
            return 0.5 * (1 + math.erf(value / deviation / math.sqrt(2)))

        for extreme, level, side in ((low, barrier, 1), (high, -barrier, -1)):
            touched = (side * np.log(extreme[:, market]) <= side * level).mean()
            away, pull = side * level, side * drift
            chance = law(away - pull * years) + math.exp(2 * pull * away / sigma**2) * law(away + pull * years)
            assert touched == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / paths) + 1e-9)


def test_extremes_enclose_both_ends_of_a_step() -> None:
    (chunk,) = world(extremes=True).chunks(200, 50)
    assert chunk.low is not None and chunk.high is not None
    before = np.concatenate([np.ones((200, 1, 3), np.float32), chunk.ratio[:, :-1]], axis=1)
    assert (chunk.low <= np.minimum(before, chunk.ratio) * (1 + 1e-6)).all()
    assert (chunk.high >= np.maximum(before, chunk.ratio) * (1 - 1e-6)).all()


def test_one_seed_is_one_result_whatever_chunks_threads_and_length(monkeypatch: pytest.MonkeyPatch) -> None:
    made = joined(list(world().chunks(101, 600)))
    for size, threads in ((7, "1"), (64, "3"), (101, "2")):
        monkeypatch.setenv("BULKHEAD_THREADS", threads)
        assert (joined(list(world().chunks(101, 600, size))) == made).all()
    assert (joined(list(world().chunks(3, 77))) == made[:3, :77]).all()
    assert not (joined(list(world(seed=2).chunks(1, 600))) == made[:1]).any()


def test_antithetic_paths_are_mirror_images_around_the_drift() -> None:
    ratio = joined(list(world(antithetic=True).chunks(10, 30)))
    middle = np.log(ratio[::2]) + np.log(ratio[1::2])
    drift = -(VOLATILITY**2) / 8760 * np.arange(1, 31)[:, None]
    assert np.abs(middle - drift).max() < 1e-5


@pytest.mark.parametrize(
    ("volatility", "message"),
    [([0.5, math.nan, 1.0], "a volatility is a number"), ([0.5, -1.0, 1.0], "not negative"), ([0.5], "3 markets")],
)
def test_numbers_that_cannot_be_are_refused(volatility: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        GaussianWorld(SYMBOLS, np.array(volatility), CORRELATION)


def test_a_matrix_that_is_none_is_refused() -> None:
    with pytest.raises(CorrelationError, match=r"row 1, column 2"):
        GaussianWorld(SYMBOLS, VOLATILITY, CORRELATION * [[1, math.nan, 1], [math.nan, 1, 1], [1, 1, 1]])


def test_counts_that_cannot_be_are_refused() -> None:
    for asked in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(ValueError, match="each is at least 1"):
            list(world().chunks(*asked))
    with pytest.raises(DataError, match="low is"):
        Paths(SYMBOLS, 1, np.ones((2, 3, 3), np.float32), "x", 1, low=np.ones((2, 2, 3), np.float32))
    with pytest.raises(DataError, match="venue_open is"):
        Paths(SYMBOLS, 1, np.ones((2, 3, 3), np.float32), "x", 1, venue_open=np.ones(2, bool))
