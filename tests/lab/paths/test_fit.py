"""lab/paths/fit.py, mixture.py and goodness.py: the truth is found again; the likelihood is right and never falls."""

from dataclasses import replace

import numpy as np
import pytest

from bulkhead.lab.paths import Grid
from bulkhead.lab.paths.calibration import Calibration
from bulkhead.lab.paths.fit import T_BLOCKS, common_part, fit, initial, sound_returns
from bulkhead.lab.paths.goodness import judge
from bulkhead.lab.paths.mixture import expect, maximise
from bulkhead.lab.paths.regimes import RegimeWorld
from bulkhead.lab.prices import Bars, DataError, DataSet, Funding
from tests.lab.paths.test_regimes import HOUR_MS, made
from tests.reference.naive_mixture import likelihood

STEPS = 20_000


def truth() -> Calibration:
    return made(
        tail=6.0, jump_chance=np.array([0.006, 0.004, 0.004]), joint_mean=np.array([-0.01, -0.02]),
        joint_deviation=np.array([0.06, 0.08]), joint_correlation=np.array([[1.0, 0.7], [0.7, 1.0]]),
        alone_mean=np.array([0.0, 0.01]), alone_deviation=np.array([0.05, 0.07]),
    )  # fmt: skip


def recorded(calibration: Calibration, steps: int = STEPS, payments: int = 3_000) -> tuple[Grid, DataSet]:
    """One path of a calibration as if it were data, with funding."""
    (path,) = RegimeWorld(calibration, seed=11, step_ms=HOUR_MS).chunks(1, steps)
    close = 100 * path.ratio[0].astype(np.float64)
    time_ms = HOUR_MS * np.arange(steps, dtype=np.int64)
    grid = Grid("made", "made", calibration.symbols, HOUR_MS, time_ms, close, close, close, close, np.ones(steps, bool))
    paid = RegimeWorld(calibration, seed=12, step_ms=HOUR_MS, pays=True)
    (rates,) = paid.chunks(1, 8 * payments)
    assert rates.funding is not None
    at = 8 * HOUR_MS * np.arange(payments, dtype=np.int64)
    paid_rates = dict(zip(calibration.symbols, rates.funding[0].T.astype(float), strict=True))
    funding = {name: Funding(name, at, rate) for name, rate in paid_rates.items()}
    bars = Bars("A", HOUR_MS, time_ms, *(close[:, 0],) * 4, np.ones(steps))
    return grid, DataSet("made", "Made", "made", "none", False, {"A": bars}, funding)


def test_the_fit_finds_the_truth_within_its_intervals() -> None:
    """Every number within four standard errors, and nine in ten within their intervals of 95 %."""
    wanted = truth()
    found = fit(*recorded(wanted), regimes=2)
    assert found.has_converged and found.returns == STEPS - 1
    inside = []
    for name, error in found.calibration.errors.items():
        value, right = np.asarray(getattr(found.calibration, name)), np.asarray(getattr(wanted, name))
        free = error > 1e-12  # diagonals of correlations and what lies at a bound have no error
        distance = np.abs(value - right)[free] / error[free]
        assert (distance < 4).all(), (name, value, right, error)
        inside.extend((distance < T_BLOCKS).ravel())
    assert len(inside) > 25 and np.mean(inside) > 0.9
    judged = judge(found.calibration, sound_returns(recorded(wanted)[0]), replicates=20)
    assert np.mean([one.is_explained for one in judged]) > 0.8


def test_the_likelihood_is_that_of_the_slow_twin_and_never_falls() -> None:
    both = sound_returns(recorded(truth())[0])
    for returns in (both, common_part(both)):
        model = initial(returns, 2)
        few = returns[:60] * 4  # jumps among them
        expected = expect(few, model)
        slow, shares = likelihood(few, model)
        assert expected.likelihood == pytest.approx(slow, abs=1e-8)
        assert expected.share.sum(axis=2) == pytest.approx(shares, abs=1e-9)
        part = returns[:4_000]
        expected = expect(part, model)
        for number in range(25):
            model = maximise(part, model, expected, moves_tail=number % 3 == 0)
            after = expect(part, model)
            assert after.likelihood > expected.likelihood - 1e-6 * len(part)
            expected = after


def test_threads_do_not_change_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    grid, data = recorded(truth(), 3_000, 100)
    found = []
    for threads in ("1", "3"):
        monkeypatch.setenv("BULKHEAD_THREADS", threads)
        found.append(fit(grid, data, regimes=2, errors=False).likelihood)
    assert found[0] == found[1]


def test_what_cannot_be_fitted_is_refused() -> None:
    grid, data = recorded(truth(), 1_500, 40)
    short, _ = recorded(truth(), 900, 40)
    with pytest.raises(DataError, match="899 returns are too few for a fit; 1000"):
        fit(short, data)
    with pytest.raises(DataError, match="1 to 5 regimes can be fitted, not 6"):
        fit(grid, data, regimes=6)
    flat = replace(grid, close=np.exp([[1.0, 0.0]] * np.log(grid.close / grid.close[0])))
    with pytest.raises(DataError, match="B never moves"):
        fit(flat, data)
    with pytest.raises(DataError, match="always move together"):
        fit(replace(grid, close=grid.close[:, [0, 0]]), data)
    few = {name: Funding(name, one.time_ms[:20], one.rate[:20]) for name, one in data.funding.items()}
    with pytest.raises(DataError, match="20 payments of A's funding are too few"):
        fit(grid, DataSet("made", "Made", "made", "none", False, data.bars, few), errors=False)


def test_a_set_without_funding_says_so() -> None:
    grid, data = recorded(truth(), 1_500, 40)
    bare = DataSet("made", "Made", "made", "none", False, data.bars)
    found = fit(grid, bare, regimes=1, errors=False).calibration
    assert found.notes == ("no funding of A, B in made: it is zero there",) and not found.funding_mean.any()
    half = DataSet("made", "Made", "made", "none", False, data.bars, {"A": data.funding["A"]})
    found = fit(grid, half, regimes=1, errors=False).calibration
    assert found.notes == ("no funding of B in made: it is zero there",)
    assert found.funding_deviation[0] > 0 and found.funding_mean[1] == found.funding_deviation[1] == 0
    assert found.funding_correlation.tolist() == [[1, 0], [0, 1]] and len(found.errors["funding_mean"]) == 2


def test_a_path_of_the_model_itself_is_explained() -> None:
    """The judgement is not too strict: of what the model made nine in ten figures are within its own ranges."""
    (path,) = RegimeWorld(truth(), seed=21, step_ms=HOUR_MS).chunks(1, 5_000)
    drawn = np.diff(np.log(path.ratio[0].astype(np.float64)), axis=0)
    judged = judge(truth(), drawn - drawn.mean(axis=0))
    assert sum(one.is_explained for one in judged) >= 0.8 * len(judged)
    twice = judge(truth(), 2 * (drawn - drawn.mean(axis=0)))
    assert sum(one.is_explained for one in twice) < 0.7 * len(twice)
