"""Correlation matrices: what is none is refused by name, and what a correlation that breaks turns into."""

from __future__ import annotations

import numpy as np

from bulkhead.lab.prices.bars import DataError, Floats

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
