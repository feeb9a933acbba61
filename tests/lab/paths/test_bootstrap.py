"""lab/paths/bootstrap.py: blocks of what happened, all markets at once; lengths as asked for or by rule."""

import math

import numpy as np
import pytest

from bulkhead.lab.paths import BootstrapWorld, Grid, block_length
from bulkhead.lab.prices import DataError

STEPS = 4_000


def grid(broken: tuple[int, ...] = ()) -> Grid:
    random = np.random.default_rng(5)
    common = random.standard_t(4, (STEPS, 1))
    moves = 0.01 * (0.8 * common + 0.6 * random.standard_t(4, (STEPS, 3)))
    close = 100 * np.exp(np.cumsum(moves, axis=0))
    opened = np.concatenate([[[100.0] * 3], close[:-1]])
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.998
    whole = np.isin(np.arange(STEPS), broken, invert=True)
    return Grid("made", "made", ("A", "B", "C"), 60_000, np.arange(STEPS) * 60_000, opened, high, low, close, whole)


def rows_of(made: Grid, returns: np.ndarray) -> np.ndarray:
    """Which recorded joint return each drawn one is, after checking that it is one."""
    recorded = np.diff(np.log(made.close), axis=0)
    recorded = recorded - recorded.mean(axis=0)
    found = np.abs(recorded[None] - returns[:, None]).max(axis=2).argmin(axis=1)
    assert np.abs(recorded[found] - returns).max() < 1e-5  # all markets are of the same moment
    return found


@pytest.mark.parametrize(("fixed", "length"), [(True, 8.0), (False, 8.0), (False, 1.0)])
def test_paths_are_blocks_of_joint_returns_of_the_length_asked_for(fixed: bool, length: float) -> None:
    made = grid()
    (chunk,) = BootstrapWorld(made, seed=2, block=length, fixed=fixed).chunks(10, 241)
    returns = np.diff(np.log(chunk.ratio.astype(np.float64)), axis=1)
    jumps = []
    for path in returns:
        found = rows_of(made, path)
        jumps.append((np.diff(found) % (STEPS - 1) != 1).mean())
    share, count = np.mean(jumps), 10 * 239
    assert share == pytest.approx(1 / length, abs=4 * math.sqrt(1 / length / count) + 2e-3)


def test_the_joint_structure_is_kept() -> None:
    made = grid()
    recorded = np.diff(np.log(made.close), axis=0)
    (chunk,) = BootstrapWorld(made, block=20).chunks(400, 200)
    returns = np.diff(np.log(chunk.ratio.astype(np.float64)), axis=1).reshape(-1, 3)
    assert np.abs(np.corrcoef(returns.T) - np.corrcoef(recorded.T)).max() < 0.03
    assert returns.std(axis=0) == pytest.approx(recorded.std(axis=0), rel=0.05)
    for level in (0.001, 0.01, 0.99):
        assert np.quantile(returns, level, axis=0) == pytest.approx(
            np.quantile(recorded - recorded.mean(axis=0), level, axis=0), rel=0.15
        )
    assert abs(returns.mean()) < 4 * returns.std() / math.sqrt(returns.size / 20)
    assert chunk.low is not None and chunk.high is not None
    assert (chunk.low <= chunk.ratio).all() and (chunk.high >= chunk.ratio).all()
    assert "simulated" in chunk.source


def test_correlations_can_be_broken_and_variances_stay() -> None:
    made = grid()
    deviation = np.diff(np.log(made.close), axis=0).std(axis=0)
    for mixing, low, high in (("one", 0.9999, 1), ("zero", -0.05, 0.05), ("flipped", -0.6, -0.3)):
        (chunk,) = BootstrapWorld(made, block=5, mixing=mixing).chunks(100, 200)
        returns = np.diff(np.log(chunk.ratio.astype(np.float64)), axis=1).reshape(-1, 3)
        off = np.corrcoef(returns.T)[np.triu_indices(3, 1)]
        assert (low <= off).all() and (off <= high).all(), mixing
        assert returns.std(axis=0) == pytest.approx(deviation, rel=0.1)


def test_the_drift_is_kept_only_when_asked_for() -> None:
    made = grid()
    drift = np.diff(np.log(made.close), axis=0).mean(axis=0)
    (kept,) = BootstrapWorld(made, keeps_drift=True, block=5).chunks(200, 100)
    (taken,) = BootstrapWorld(made, block=5).chunks(200, 100)
    difference = np.log(kept.ratio[:, -1].astype(np.float64)) - np.log(taken.ratio[:, -1].astype(np.float64))
    assert difference.mean(axis=0) == pytest.approx(100 * drift, rel=1e-3)


def test_returns_across_a_gap_are_never_drawn() -> None:
    whole, gappy = grid(), grid(broken=(1_000, 1_001))
    assert len(BootstrapWorld(gappy)._moves) == len(BootstrapWorld(whole)._moves) - 3


def test_chunks_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = BootstrapWorld(grid(), block=7)
    (made,) = world.chunks(33, 50)
    monkeypatch.setenv("BULKHEAD_THREADS", "3")
    assert (np.concatenate([chunk.ratio for chunk in world.chunks(33, 50, 10)]) == made.ratio).all()
    assert (next(world.chunks(2, 20)).ratio == made.ratio[:2, :20]).all()


def test_the_rule_finds_the_length_that_is_best_for_an_autoregression() -> None:
    """For an AR(1) with pull p the best length is ((2p / (1 - p²))² n)^(1/3)."""
    random, count, pull = np.random.default_rng(3), 50_000, 0.7
    noise = random.standard_normal(count)
    series = np.empty(count)
    series[0] = noise[0]
    for step in range(1, count):
        series[step] = pull * series[step - 1] + noise[step]
    best = ((2 * pull / (1 - pull**2)) ** 2 * count) ** (1 / 3)
    assert block_length(series) == pytest.approx(best, rel=0.2)
    assert block_length(noise) < 6
    assert block_length(np.zeros(100)) == 1
    with pytest.raises(DataError, match="too few to choose"):
        block_length(noise[:49])


def test_a_length_that_cannot_be_is_refused() -> None:
    for block in (0.5, STEPS + 1):
        with pytest.raises(DataError, match="a block is 1 to 4000 steps long"):
            BootstrapWorld(grid(), block=block)
