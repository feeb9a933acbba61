"""Correlation matrices: what is none is refused by name, and what a correlation that breaks turns into."""

from __future__ import annotations

from typing import Literal

import numpy as np

from bulkhead.lab.prices.bars import DataError, Floats

Mixing = Literal["fitted", "one", "zero", "flipped"]
MIXINGS: tuple[Mixing, ...] = ("fitted", "one", "zero", "flipped")

SYMMETRY = 1e-9
DEFINITE = -1e-10  # the smallest eigenvalue that is still rounding


class CorrelationError(DataError):
    """A matrix that is no correlation matrix. The message says where, and why not."""


def check_correlation(matrix: Floats, source: str) -> Floats:
    """The same matrix, if it is one: square, finite, symmetric, ones on the diagonal, no negative eigenvalue."""
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not len(matrix):
        raise CorrelationError(f"{source}: a correlation matrix is square, this is {matrix.shape}")
    refusals = (
        (~np.isfinite(matrix), "is not a finite number"),
        (np.abs(matrix) > 1 + SYMMETRY, "is not between -1 and 1"),
        (np.abs(matrix - matrix.T) > SYMMETRY, "differs from its mirror image"),
        (np.diag(np.abs(np.diag(matrix) - 1) > SYMMETRY), "is on the diagonal and not 1"),
    )
    for wrong, what in refusals:
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise CorrelationError(f"{source}: {matrix[row, column]:g} {what} (row {row + 1}, column {column + 1})")
    least = float(np.linalg.eigvalsh(matrix)[0])
    if least < DEFINITE:
        raise CorrelationError(f"{source}: no correlation matrix: its smallest eigenvalue is {least:.3g}")
    return matrix


def factor(matrix: Floats) -> Floats:
    """A square root `f` with `f @ f.T` = the matrix; semidefinite ones (all correlations 1) have one, too."""
    values, vectors = np.linalg.eigh(matrix)
    root = vectors * np.sqrt(np.clip(values, 0, None))
    # Lower triangular, with a positive diagonal: unique, so that it does not depend on the eigenvectors' signs.
    upper: Floats = np.linalg.qr(root.T).R
    return upper.T * np.where(np.diag(upper) < 0, -1.0, 1.0)


def nearest_correlation(matrix: Floats, rounds: int = 500, tolerance: float = 1e-10) -> Floats:
    """The correlation matrix nearest to a symmetric one (Frobenius norm), by alternating projections.

    N. Higham, Computing the Nearest Correlation Matrix, 2002: project onto the positive semidefinite cone with
    Dykstra's correction, then onto the matrices with ones on the diagonal, until nothing moves.
    """
    found, correction = matrix.copy(), np.zeros_like(matrix)
    for _ in range(rounds):
        shifted = found - correction
        values, vectors = np.linalg.eigh(shifted)
        projected = (vectors * np.clip(values, 0, None)) @ vectors.T
        correction = projected - shifted
        after = projected.copy()
        np.fill_diagonal(after, 1.0)
        moved = float(np.abs(after - found).max())
        found = after
        if moved < tolerance:
            break
    # The last step left the cone by less than the tolerance: scale back onto both sets.
    values, vectors = np.linalg.eigh((found + found.T) / 2)
    inside = (vectors * np.clip(values, 0, None)) @ vectors.T
    scale = 1 / np.sqrt(np.diag(inside))
    nearest: Floats = inside * scale * scale[:, None]
    np.fill_diagonal(nearest, 1.0)
    return (nearest + nearest.T) / 2


def mixed(matrix: Floats, mixing: str, source: str) -> Floats:
    """A correlation matrix after correlations broke: as fitted, all to one, all to zero, or with every sign turned.

    Turned signs are no correlation matrix as soon as three markets go together; the nearest one is taken.
    """
    if mixing not in MIXINGS:
        raise CorrelationError(f"{source}: correlations are {', '.join(MIXINGS)}, not {mixing!r}")
    check_correlation(matrix, source)
    if mixing == "one":
        return np.ones_like(matrix)
    if mixing == "zero":
        return np.eye(len(matrix))
    if mixing == "flipped":
        return nearest_correlation(2 * np.eye(len(matrix)) - matrix)
    return matrix


def recolour(returns: Floats, mixing: str, source: str) -> Floats:
    """Joint returns (steps, markets) with each market's variance as it is and correlations turned into others.

    A linear map of each joint return, the one that moves it least: D S^½ C^-½ D^-1 with the symmetric roots of the old
    correlation C and the new one S. Tails of sums thin a little, since every market becomes a mixture of all.
    """
    if mixing == "fitted":
        return returns
    deviation = returns.std(axis=0)
    if (deviation == 0).any():
        raise CorrelationError(f"{source}: market {int(np.argmin(deviation)) + 1} never moves: it has no correlation")
    old = np.corrcoef(returns.T).reshape(len(deviation), len(deviation))
    new = mixed(old, mixing, source)
    if mixing == "one":  # every market moves like the mean of all
        common = (returns / deviation).mean(axis=1)
        return np.outer(common / common.std(), deviation)
    values, vectors = np.linalg.eigh(old)
    if values[0] < 1e-8:
        raise CorrelationError(f"{source}: two markets always move together; their correlation cannot be changed")
    whitened = (returns / deviation) @ ((vectors / np.sqrt(values)) @ vectors.T)
    recoloured: Floats = (whitened @ _symmetric_root(new)) * deviation
    return recoloured


def _symmetric_root(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh(matrix)
    root: Floats = (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
    return root
