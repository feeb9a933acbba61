"""Fits the jump diffusion of calibration.py to recorded returns, with standard errors.

In two stages. Regimes and tail are of what all markets have in common, the mean of their returns in units of each one's
deviation: the chain and the tail with which that is most likely. For volatility clusters and jumps in common, while the
likelihood of all markets at once is ruled by how they differ, and finds regimes and tails too mild. Then, with regimes
and tail known: jumps by expectation and maximisation, and scales and correlations, the same in every regime but for
their size, with which all that is no jump has the covariance that was seen.

Errors are of a jackknife that leaves out one of BLOCKS stretches of time in turn and fits the rest anew (B. Efron, The
Jackknife, 1982; stretches, since hours in a row depend on each other): they hold whether or not the model is true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.paths.calibration import FUNDING_MS, Calibration
from bulkhead.lab.paths.correlation import nearest_correlation
from bulkhead.lab.paths.grid import Grid
from bulkhead.lab.paths.mixture import CHANCE_MIN, Expected, Known, Model, expect, maximise
from bulkhead.lab.prices.bars import DataError, DataSet, Floats

BLOCKS = 10
T_BLOCKS = 2.262  # the 97.5 % point of Student's t with BLOCKS - 1 degrees: an interval of 95 %
REGIMES = 5
ROUNDS_MAX, ROUNDS_AGAIN = 400, 60
SETTLE_MAX, SETTLED = 60, 1e-3  # rounds, and the relative change that ends them
TOLERANCE = 2e-7  # of the log likelihood per return and market
RETURNS_MIN = 1_000
JUMP_MIN = 6.0  # a jump's deviation is at least so many usual ones (half the width of the middle 68 %)
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A calibration and how well it was found."""

    calibration: Calibration
    model: Model
    likelihood: float  # logarithm, of the common part
    returns: int
    rounds: int
    has_converged: bool
    regime_share: Floats  # (steps, regimes): which regime each recorded step was in


def fit(
    grid: Grid,
    data: DataSet,
    *,
    regimes: int = REGIMES,
    errors: bool = True,
    progress: Progress | None = None,
) -> Fit:
    """The calibration of a grid's returns and of the set's funding. DataError if there is too little to fit."""
    tell = progress or (lambda _what, _share: None)
    returns = sound_returns(grid)
    if regimes < 1 or regimes > 5:
        raise DataError(f"{grid.name}: 1 to 5 regimes can be fitted, not {regimes}")
    common = common_part(returns)
    first, expected, rounds, converged = climb(common, initial(common, regimes), ROUNDS_MAX, tell)
    order = np.argsort(first.covariance[:, 0, 0])
    first = _ordered(first, order)
    share = expected.share.sum(axis=2)[:, order]
    model = settle(returns, first, share)
    found = _calibration(grid, data, model)
    if errors:
        found = replace(found, errors=found.errors | _jackknife(returns, first, tell))
    if not converged:
        found = replace(found, notes=(*found.notes, f"the fit still moved after {rounds} rounds"))
    return Fit(found, model, expected.likelihood, len(returns), rounds, converged, share)


def sound_returns(grid: Grid) -> Floats:
    """Joint log returns that touch no gap, less their mean; refused where there is nothing to fit."""
    returns, whole = grid.returns()
    returns = returns[whole]
    if len(returns) < RETURNS_MIN:
        raise DataError(f"{grid.name}: {len(returns)} returns are too few for a fit; {RETURNS_MIN} are the least")
    still = [symbol for symbol, deviation in zip(grid.symbols, returns.std(axis=0), strict=True) if deviation == 0]
    if still:
        raise DataError(f"{grid.name}: {', '.join(still)} never moves")
    if len(grid.symbols) > 1 and np.linalg.eigvalsh(np.corrcoef(returns.T))[0] < 1e-8:
        raise DataError(f"{grid.name}: some of {', '.join(grid.symbols)} always move together; leave one out")
    return np.asarray(returns - returns.mean(axis=0))


def initial(returns: Floats, regimes: int) -> Model:
    """Where the climb begins: steps sorted into regimes by how much markets moved in the day around them."""
    steps, markets = returns.shape
    size = np.abs(returns / returns.std(axis=0)).mean(axis=1)
    around = np.convolve(size, np.ones(24) / 24, mode="same")
    edges = np.quantile(around, [1 - 0.5**k for k in range(1, regimes)])
    which = np.searchsorted(edges, around)
    whole = np.cov(returns.T).reshape(markets, markets)
    covariance = np.stack(
        [
            np.clip((size[which == k] ** 2).mean() / (size**2).mean(), 0.05, 20) * whole / 2
            for k in range(regimes)
        ]
    )
    usual = np.diff(np.quantile(returns, [0.16, 0.84], axis=0), axis=0)[0] / 2 / returns.std(axis=0) * JUMP_MIN
    stay = 0.98
    transition = np.full((regimes, regimes), (1 - stay) / max(1, regimes - 1))
    np.fill_diagonal(transition, stay if regimes > 1 else 1.0)
    return Model(
        covariance=covariance,
        transition=transition,
        start=np.full(regimes, 1 / regimes),
        tail=6.0,
        # Of one market alone, joint jumps and its own are the same thing: the first kind stands for both.
        chance=np.array([0.002] + [0.001 if markets > 1 else CHANCE_MIN] * markets),
        joint_mean=np.zeros(markets),
        joint_covariance=20 * whole,
        alone_mean=np.zeros(markets),
        alone_variance=20 * np.diag(whole).copy(),
        jump_least=whole * usual * usual[:, None],
    )


def common_part(returns: Floats) -> Floats:
    """(steps, 1): the mean over markets of returns in units of each one's deviation, itself with deviation 1."""
    part = (returns / returns.std(axis=0)).mean(axis=1, keepdims=True)
    return np.asarray(part / part.std())


def settle(returns: Floats, first: Model, share: Floats) -> Model:
    """Scales, correlations and jumps of all markets, given chain, tail and how regimes share the time."""
    known = Known(first.covariance[:, 0, 0], share.mean(axis=0))
    model = replace(initial(returns, len(share[0])), transition=first.transition, start=first.start, tail=first.tail)
    for number in range(SETTLE_MAX):
        after = maximise(returns, model, expect(returns, model), known=known)
        moved = float(np.abs(after.covariance / model.covariance - 1).max() + np.abs(after.chance - model.chance).max())
        model = after
        if moved < SETTLED and number > 3:
            break
    return model


def climb(returns: Floats, model: Model, rounds: int, tell: Progress) -> tuple[Model, Expected, int, bool]:
    """Rounds of expectation and maximisation until the likelihood hardly rises."""
    expected = expect(returns, model)
    for number in range(1, rounds + 1):
        model = maximise(returns, model, expected, moves_tail=number % 3 == 0)
        after = expect(returns, model)
        gain = (after.likelihood - expected.likelihood) / returns.size
        expected = after
        tell("fit", number / rounds)
        if gain < TOLERANCE and number % 3 == 0:
            tell("fit", 1.0)
            return model, expected, number, True
    return model, expected, rounds, False


def _ordered(model: Model, order: NDArray[np.intp]) -> Model:
    """Regimes from calm to wild."""
    return replace(
        model,
        covariance=model.covariance[order],
        transition=model.transition[np.ix_(order, order)],
        start=model.start[order],
    )


def _parts(covariance: Floats) -> tuple[Floats, Floats]:
    """Deviations and correlations of a covariance matrix, or of each of several."""
    deviation = np.sqrt(np.diagonal(covariance, axis1=-2, axis2=-1))
    correlation = covariance / (deviation[..., :, None] * deviation[..., None, :])
    diagonal = np.arange(covariance.shape[-1])
    correlation[..., diagonal, diagonal] = 1.0
    return deviation, correlation


def _values(model: Model) -> dict[str, Floats]:
    """The model under the names of a calibration."""
    scale, correlation = _parts(model.covariance)
    joint_deviation, joint_correlation = _parts(model.joint_covariance)
    return {
        "scale": scale,
        "correlation": correlation,
        "transition": model.transition,
        "tail": np.array(model.tail),
        "jump_chance": model.chance,
        "joint_mean": model.joint_mean,
        "joint_deviation": joint_deviation,
        "joint_correlation": nearest_correlation(joint_correlation),
        "alone_mean": model.alone_mean,
        "alone_deviation": np.sqrt(model.alone_variance),
    }


def _calibration(grid: Grid, data: DataSet, model: Model) -> Calibration:
    values = _values(model)
    funding, errors, note = _funding(grid, data)
    return Calibration(
        symbols=grid.symbols,
        interval_ms=grid.step_ms,
        source=f"{grid.source}, {grid.span}",
        licence=data.licence,
        tail=float(values.pop("tail")),
        errors=errors,
        notes=tuple(str(repair) for repair in grid.repairs) + note,
        **values,
        **funding,
    )


def _jackknife(returns: Floats, first: Model, tell: Progress) -> dict[str, Floats]:
    """Standard errors of everything but funding."""
    edges = [len(returns) * block // BLOCKS for block in range(BLOCKS + 1)]
    values: dict[str, list[Floats]] = {}
    for block, (begin, end) in enumerate(zip(edges, edges[1:], strict=False)):
        rest = np.delete(returns, slice(begin, end), axis=0)
        rest = rest - rest.mean(axis=0)
        climbed, expected, _, _ = climb(common_part(rest), first, ROUNDS_AGAIN, lambda _what, _share: None)
        order = np.argsort(climbed.covariance[:, 0, 0])
        again = settle(rest, _ordered(climbed, order), expected.share.sum(axis=2)[:, order])
        for name, value in _values(again).items():
            values.setdefault(name, []).append(value)
        tell("errors", (block + 1) / BLOCKS)
    return {
        name: np.asarray(np.sqrt((BLOCKS - 1) / BLOCKS * ((np.array(each) - np.mean(each, axis=0)) ** 2).sum(axis=0)))
        for name, each in values.items()
    }


def _funding(grid: Grid, data: DataSet) -> tuple[dict[str, Floats], dict[str, Floats], tuple[str, ...]]:
    """AR(1) of each market's payments by least squares, errors, and what there is to say."""
    markets = len(grid.symbols)
    names = ("funding_mean", "funding_persistence", "funding_deviation")
    absent = [symbol for symbol in grid.symbols if symbol not in data.funding]
    if absent:
        paid = tuple(symbol for symbol in grid.symbols if symbol in data.funding)
        at = [grid.symbols.index(symbol) for symbol in paid]
        values, errors, notes = _funding(replace(grid, symbols=paid), data) if paid else ({}, {}, ())
        wide = {name: np.zeros(markets) for name in names} | {"funding_correlation": np.eye(markets)}
        for name, value in values.items():
            wide[name][np.ix_(at, at) if value.ndim == 2 else at] = value
        spread = {name: np.zeros(markets) for name in errors}
        for name, value in errors.items():
            spread[name][at] = value
        return wide, spread, (*notes, f"no funding of {', '.join(absent)} in {data.name}: it is zero there")
    # Venues stamp payments some milliseconds late; a payment belongs to the nearest whole eight hours.
    slots = [np.round(data.funding[symbol].time_ms / FUNDING_MS).astype(np.int64) for symbol in grid.symbols]
    numbers = []
    rests: dict[int, Floats] = {}
    for place, symbol in enumerate(grid.symbols):
        rate, follows = data.funding[symbol].rate, np.diff(slots[place]) == 1
        if follows.sum() < 30:
            raise DataError(f"{data.name}: {len(rate)} payments of {symbol}'s funding are too few for a fit")
        mean = rate.mean()
        before, after = rate[:-1][follows] - mean, rate[1:][follows] - mean
        pull = float(np.clip(before @ after / max(before @ before, 1e-30), -0.999, 0.999))
        rests[place] = after - pull * before
        numbers.append((mean, pull, rests[place].std(), len(after)))
        slots[place] = slots[place][1:][follows]
    mean, persistence, sigma, count = np.array(numbers).T
    common = slots[0]
    for slot in slots[1:]:
        common = np.intersect1d(common, slot)
    correlation = np.eye(markets)
    if markets > 1 and (sigma > 0).all() and len(common) >= 30:
        joint = [rests[place][np.searchsorted(slot, common)] for place, slot in enumerate(slots)]
        correlation = nearest_correlation(np.corrcoef(np.stack(joint)))
    usual = np.where(sigma > 0, sigma, 1)
    errors = {
        "funding_mean": sigma / (1 - persistence) / np.sqrt(count),
        "funding_persistence": np.sqrt((1 - persistence**2) / count),
        "funding_deviation": np.array([np.std(rests[k] ** 2) for k in rests]) / np.sqrt(count) / (2 * usual),
    }
    values = dict(zip(names, (mean, persistence, sigma), strict=True))
    return values | {"funding_correlation": correlation}, errors, ()
