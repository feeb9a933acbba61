"""The likelihood of the model of calibration.py, and one round of expectation and maximisation that raises it.

A hidden Markov chain over regimes (L. Rabiner, A Tutorial on Hidden Markov Models, 1989, scaled), and in each regime a
mixture: no jump (multivariate t), a joint jump, a jump of one market alone (both normal). For the t part the weights of
the expectation-maximisation algorithm for t distributions (Liu and Rubin, ML Estimation of the t Distribution Using EM
and Its Extensions, ECM and ECME, 1995); its degrees of freedom maximise the expected likelihood on their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import lgamma, log, pi
from typing import NamedTuple

import numpy as np

from bulkhead.lab.compiled import kernel, spread
from bulkhead.lab.paths.calibration import NORMAL_TAIL
from bulkhead.lab.prices.bars import Floats

TAIL_MIN = 2.1
CHANCE_MIN = 1e-7
PARTS = 8  # sums are made in so many parts, whatever the threads, so that they come out the same


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """Parameters in the form in which they are estimated. K regimes, M markets."""

    covariance: Floats  # (K, M, M): scale matrices of the t part
    transition: Floats  # (K, K)
    start: Floats  # (K)
    tail: float
    chance: Floats  # (1 + M): joint jump, jump of each market alone
    joint_mean: Floats
    joint_covariance: Floats
    alone_mean: Floats
    alone_variance: Floats
    jump_least: Floats  # (M, M): least covariance of jumps; what is smaller is no jump, but the tail's


class Known(NamedTuple):
    """What another fit says of regimes: how large squares are in each, relative to each other; their shares of time."""

    size: Floats
    share: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Expected:
    """What the data say of the hidden parts under a model."""

    likelihood: float
    share: Floats  # (T, K, 2 + M): chance of each regime and kind (none, joint, each alone)
    distance: Floats  # (T, K): squared Mahalanobis distance of the return
    weighted: Floats  # (T, K, M): the return times the inverse scale matrix
    moves: Floats  # (K, K): expected counts of moves


@kernel
def _chain(density: Floats, transition: Floats, start: Floats, share: Floats, moves: Floats) -> float:
    """Forward and backward, in place: `density` is scaled by row; gives the sum of logs of the scales."""
    steps, regimes = density.shape
    forward, scale = np.empty((steps, regimes)), np.empty(steps)
    total = 0.0
    for step in range(steps):
        norm = 0.0
        for after in range(regimes):
            value = start[after] if step == 0 else 0.0
            if step:
                for before in range(regimes):
                    value += forward[step - 1, before] * transition[before, after]
            forward[step, after] = value * density[step, after]
            norm += forward[step, after]
        scale[step] = norm
        total += np.log(norm)
        for after in range(regimes):
            forward[step, after] /= norm
    back, ahead = np.ones(regimes), np.empty(regimes)
    moves[:] = 0.0
    for step in range(steps - 1, -1, -1):
        for regime in range(regimes):
            share[step, regime] = forward[step, regime] * back[regime]
        if step:
            for regime in range(regimes):
                ahead[regime] = density[step, regime] * back[regime] / scale[step]
            for before in range(regimes):
                value = 0.0
                for after in range(regimes):
                    flow = transition[before, after] * ahead[after]
                    moves[before, after] += forward[step - 1, before] * flow
                    value += flow
                back[before] = value
    return total


def t_constant(tail: float, markets: int) -> float:
    """The logarithm of the t density's factor, without the determinant."""
    return lgamma((tail + markets) / 2) - lgamma(tail / 2) - markets / 2 * log(tail * pi)


@kernel
def _kinds(
    begin: int, end: int, returns: Floats, inverse: Floats, constant: Floats, tail: float, is_normal: bool,
    joint_inverse: Floats, joint_mean: Floats, alone_mean: Floats, alone_variance: Floats,
    share: Floats, distance: Floats, weighted: Floats, level: Floats,
) -> None:
    """Steps begin to end: shares of the kinds within each regime, and the log density `level` of each regime.

    `constant` (K, 2 + M) is what does not depend on the return: factor, determinant and chance of each kind.
    """
    regimes, markets = len(inverse), returns.shape[1]
    for step in range(begin, end):
        row = returns[step]
        for regime in range(regimes):
            squared = 0.0
            for one in range(markets):
                total = 0.0
                for other in range(markets):
                    total += inverse[regime, one, other] * row[other]
                weighted[step, regime, one] = total
                squared += total * row[one]
            distance[step, regime] = squared
            logs = share[step, regime]
            if is_normal:
                logs[0] = constant[regime, 0] - squared / 2
            else:
                logs[0] = constant[regime, 0] - (tail + markets) / 2 * np.log1p(squared / tail)
            around = 0.0
            for one in range(markets):
                for other in range(markets):
                    matrix = joint_inverse[regime, one, other]
                    around += matrix * (row[one] - joint_mean[one]) * (row[other] - joint_mean[other])
            logs[1] = constant[regime, 1] - around / 2
            for one in range(markets):
                diagonal, mean, variance = inverse[regime, one, one], alone_mean[one], alone_variance[one]
                shifted = squared - 2 * mean * weighted[step, regime, one] + mean * mean * diagonal
                along = weighted[step, regime, one] - mean * diagonal
                shifted -= variance * along * along / (1 + variance * diagonal)
                logs[2 + one] = constant[regime, 2 + one] - shifted / 2
            top = logs.max()
            total = 0.0
            for kind in range(len(logs)):
                logs[kind] = np.exp(logs[kind] - top)
                total += logs[kind]
            for kind in range(len(logs)):
                logs[kind] /= total
            level[step, regime] = top + np.log(total)


def _constants(model: Model) -> Floats:
    """(K, 2 + M): what of the log densities does not depend on the return."""
    regimes, markets = len(model.covariance), len(model.joint_mean)
    found = np.empty((regimes, 2 + markets))
    normal = -markets / 2 * log(2 * pi)
    for regime, covariance in enumerate(model.covariance):
        half = -np.linalg.slogdet(covariance)[1] / 2
        diagonal = np.diag(np.linalg.inv(covariance))
        found[regime, 0] = half + (normal if model.tail >= NORMAL_TAIL else t_constant(model.tail, markets))
        found[regime, 1] = normal - np.linalg.slogdet(covariance + model.joint_covariance)[1] / 2
        found[regime, 2:] = normal + half - np.log1p(model.alone_variance * diagonal) / 2
    return np.asarray(found + np.log(np.concatenate([[1 - model.chance.sum()], model.chance])))


def expect(returns: Floats, model: Model) -> Expected:
    """The expectation step."""
    steps, markets = returns.shape
    regimes = len(model.covariance)
    share, weighted = np.empty((steps, regimes, 2 + markets)), np.empty((steps, regimes, markets))
    distance, level = np.empty((steps, regimes)), np.empty((steps, regimes))
    inverse = np.asarray(np.linalg.inv(model.covariance), dtype=np.float64)
    joint_inverse = np.asarray(np.linalg.inv(model.covariance + model.joint_covariance), dtype=np.float64)
    constants, is_normal = _constants(model), model.tail >= NORMAL_TAIL

    def work(begin: int, end: int) -> None:
        _kinds(
            begin, end, returns, inverse, constants, model.tail, is_normal, joint_inverse, model.joint_mean,
            model.alone_mean, model.alone_variance, share, distance, weighted, level,
        )  # fmt: skip

    spread(work, steps)
    most = level.max(axis=1)
    by_regime, moves = np.empty((steps, regimes)), np.empty_like(model.transition)
    density = np.exp(level - most[:, None])
    likelihood = _chain(density, model.transition, model.start, by_regime, moves) + float(most.sum())
    share *= by_regime[:, :, None]
    return Expected(likelihood, share, distance, weighted, moves)


@kernel
def _gather(
    begin: int, end: int, returns: Floats, share: Floats, distance: Floats, weighted: Floats, tail: float,
    is_normal: bool, precision: Floats, prior: Floats, joint_mean: Floats, scatter: Floats, joint_sum: Floats,
    joint_square: Floats, alone: Floats,
) -> None:
    """Sums over steps begin to end. `scatter` (K, M, M) is of what is no jump; `joint_sum` and `joint_square` are of
    the rests r - mean in joint jumps; `alone` (K, 3, M) holds weight, sum and square of each market's own jumps."""
    regimes, markets = len(scatter), returns.shape[1]
    for step in range(begin, end):
        row = returns[step]
        for regime in range(regimes):
            calm = share[step, regime, 0]
            if not is_normal:
                calm *= (tail + markets) / (tail + distance[step, regime])
            for one in range(markets):
                calm += share[step, regime, 2 + one]
            joint = share[step, regime, 1]
            for one in range(markets):
                for other in range(one + 1):
                    scatter[regime, one, other] += calm * row[one] * row[other]
            if joint > 1e-12:
                for one in range(markets):
                    rest = row[one] - joint_mean[one]
                    joint_sum[regime, one] += joint * rest
                    for other in range(one + 1):
                        joint_square[regime, one, other] += joint * rest * (row[other] - joint_mean[other])
            for one in range(markets):
                own = share[step, regime, 2 + one]
                if own < 1e-12:
                    continue
                mean = (prior[one] + weighted[step, regime, one]) / precision[regime, one]
                second = mean * mean + 1 / precision[regime, one]
                alone[regime, 0, one] += own
                alone[regime, 1, one] += own * mean
                alone[regime, 2, one] += own * second
                for other in range(one):
                    scatter[regime, one, other] -= own * mean * row[other]
                for other in range(one + 1, markets):
                    scatter[regime, other, one] -= own * mean * row[other]
                scatter[regime, one, one] += own * (second - 2 * mean * row[one])


def _sums(
    returns: Floats, model: Model, expected: Expected, is_plain: bool
) -> tuple[Floats, Floats, Floats, tuple[Floats, Floats, Floats]]:
    """What `_gather` sums, over all steps: scatter, joint sums and squares, and weight, sum and square of lone jumps.

    `is_plain` weighs every return without a jump alike, as if the tail were normal.
    """
    steps, markets = returns.shape
    regimes = len(model.covariance)
    inverse = np.linalg.inv(model.covariance)
    precision = 1 / model.alone_variance + np.diagonal(inverse, axis1=1, axis2=2)
    prior = model.alone_mean / model.alone_variance
    sums = [np.zeros((PARTS, regimes, *shape)) for shape in ((markets, markets), (markets,), (markets, markets))]
    own = np.zeros((PARTS, regimes, 3, markets))
    edges = [steps * part // PARTS for part in range(PARTS + 1)]

    def work(first: int, last: int) -> None:
        for part in range(first, last):
            data = (returns, expected.share, expected.distance, expected.weighted, model.tail, is_plain)
            into = (*(each[part] for each in sums), own[part])
            _gather(edges[part], edges[part + 1], *data, precision, prior, model.joint_mean, *into)

    spread(work, PARTS)
    scatter, joint_sum, joint_square = (_mirrored(each.sum(axis=0)) for each in sums)
    alone_weight, alone_sum, alone_square = own.sum(axis=(0, 1))
    return scatter, joint_sum, joint_square, (alone_weight, alone_sum, alone_square)


def maximise(
    returns: Floats, model: Model, expected: Expected, *, moves_tail: bool = False, known: Known | None = None
) -> Model:
    """The maximisation step; the tail is searched for only where `moves_tail`.

    With what is `known`, chain and tail are kept, and the scale matrices are those of one shape with which returns
    without jumps have the covariance that was seen.
    """
    steps, markets = returns.shape
    is_plain = known is not None or model.tail >= NORMAL_TAIL
    scatter, joint_sum, joint_square, alone = _sums(returns, model, expected, is_plain)
    alone_weight, alone_sum, alone_square = alone
    covariance = np.empty_like(model.covariance)
    weight, mean_sum, square_sum = 0.0, np.zeros(markets), np.zeros((markets, markets))
    by_regime = expected.share.sum(axis=0)
    for regime, old in enumerate(model.covariance):
        total = float(by_regime[regime, 1])
        keeps = old @ np.linalg.inv(old + model.joint_covariance)
        spreads = total * (old - keeps @ old)
        jump, mean = np.eye(markets) - keeps, model.joint_mean
        moved = jump @ joint_sum[regime]
        weight += total
        mean_sum += total * mean + moved
        square_sum += total * np.outer(mean, mean) + np.outer(mean, moved) + np.outer(moved, mean)
        square_sum += jump @ joint_square[regime] @ jump.T + spreads
        rest = keeps @ joint_square[regime] @ keeps.T + spreads
        covariance[regime] = (scatter[regime] + rest) / by_regime[regime].sum()
    covariance = (covariance + covariance.transpose(0, 2, 1)) / 2
    if known is not None:
        thin = 1.0 if model.tail >= NORMAL_TAIL else (model.tail - 2) / model.tail
        seen = np.tensordot(by_regime.sum(axis=1), covariance, axes=1) / steps
        covariance = known.size[:, None, None] * seen / float(known.share @ known.size) * thin
    joint_mean, alone_mean = mean_sum / weight, alone_sum / alone_weight
    joint_covariance = square_sum / weight - np.outer(joint_mean, joint_mean)
    return replace(
        model,
        covariance=covariance,
        transition=expected.moves / expected.moves.sum(axis=1, keepdims=True) if known is None else model.transition,
        start=expected.share[0].sum(axis=1) if known is None else model.start,
        tail=_tail(markets, expected, model.tail) if moves_tail else model.tail,
        chance=np.maximum(np.concatenate([[weight], alone_weight]) / steps, CHANCE_MIN),
        joint_mean=joint_mean,
        joint_covariance=_at_least(joint_covariance, model.jump_least),
        alone_mean=alone_mean,
        alone_variance=np.maximum(alone_square / alone_weight - alone_mean**2, np.diag(model.jump_least)),
    )


def _at_least(covariance: Floats, least: Floats) -> Floats:
    """The most likely covariance that is nowhere below `least`: eigenvalues relative to it, held at one and above."""
    root = np.linalg.cholesky(least)
    whitened = np.linalg.solve(root, np.linalg.solve(root, covariance).T)
    values, vectors = np.linalg.eigh((whitened + whitened.T) / 2)
    turned = root @ vectors
    found: Floats = (turned * np.maximum(values, 1.0)) @ turned.T
    return (found + found.T) / 2


def _mirrored(lower: Floats) -> Floats:
    """Symmetric matrices of their lower triangles; vectors as they are."""
    if lower.ndim < 3:
        return lower
    both: Floats = np.tril(lower) + np.tril(lower, -1).transpose(0, 2, 1)
    return both


@kernel
def _log_sum(calm: Floats, squared: Floats, tail: float) -> float:
    total = 0.0
    for place in range(len(calm)):
        if calm[place] > 1e-12:
            total += calm[place] * np.log1p(squared[place] / tail)
    return total


def _tail(markets: int, expected: Expected, last: float) -> float:
    """Degrees of freedom that maximise the expected likelihood of the steps without jumps (golden section in ln)."""
    calm = np.ascontiguousarray(expected.share[:, :, 0]).ravel()
    squared = expected.distance.ravel()
    total = float(calm.sum())

    def value(logarithm: float) -> float:
        tail = float(np.exp(logarithm))
        return total * t_constant(tail, markets) - (tail + markets) / 2 * _log_sum(calm, squared, tail)

    golden = (5**0.5 - 1) / 2
    low, high = max(log(TAIL_MIN), log(last) - 0.5), min(log(NORMAL_TAIL), log(last) + 0.5)
    left, right = high - golden * (high - low), low + golden * (high - low)
    at_left, at_right = value(left), value(right)
    while high - low > 2e-3:
        if at_left < at_right:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = value(right)
        else:
            high, right, at_right = right, left, at_left
            left = high - golden * (high - low)
            at_left = value(left)
    return float(np.exp((low + high) / 2))
