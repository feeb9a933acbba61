"""lab/paths/correlation.py: what is no correlation matrix is refused; the nearest one; broken correlations."""

import numpy as np
import pytest

from bulkhead.lab.paths.correlation import (
    MIXINGS,
    CorrelationError,
    check_correlation,
    factor,
    mixed,
    nearest_correlation,
    recolour,
)

GOOD = np.array([[1.0, 0.8, 0.6], [0.8, 1.0, 0.7], [0.6, 0.7, 1.0]])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((2, 3)), "is square"),
        (np.zeros((0, 0)), "is square"),
        ([[1, np.nan], [np.nan, 1]], r"nan is not a finite number \(row 1, column 2"),
        ([[1, np.inf], [0.5, 1]], r"inf is not a finite number \(row 1, column 2"),
        ([[1, 0.5], [0.4, 1]], r"differs from its mirror image \(row 1, column 2"),
        ([[1, 0.5], [0.5, 0.9]], r"0.9 is on the diagonal and not 1 \(row 2, column 2"),
        ([[1, 1.5], [1.5, 1]], r"1.5 is not between -1 and 1 \(row 1, column 2"),
        ([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]], "smallest eigenvalue is -0.8"),
    ],
)
def test_what_is_no_correlation_matrix_is_refused_by_place(matrix: list[list[float]], message: str) -> None:
    with pytest.raises(CorrelationError, match=message):
        check_correlation(np.asarray(matrix, dtype=float), "file.json")


def test_the_nearest_matrix_is_the_one_of_the_literature() -> None:
    """The example of Higham's paper of 2002: a tridiagonal matrix, printed there with four digits."""
    wrong = 2 * np.eye(4) - np.eye(4, k=1) - np.eye(4, k=-1)
    first = [1.0, -0.8084, 0.1916, 0.1068]
    second = [-0.8084, 1.0, -0.6562, 0.1916]
    found = nearest_correlation(wrong)
    assert found == pytest.approx(np.array([first, second, second[::-1], first[::-1]]), abs=5e-5)
    check_correlation(found, "nearest")
    assert nearest_correlation(GOOD) == pytest.approx(GOOD, abs=1e-9)


@pytest.mark.parametrize("mixing", MIXINGS)
def test_broken_correlations_are_correlation_matrices_with_a_root(mixing: str) -> None:
    found = check_correlation(mixed(GOOD, mixing, "x"), mixing)
    root = factor(found)
    assert root @ root.T == pytest.approx(found, abs=1e-7)
    assert (np.triu(root, 1) == pytest.approx(0, abs=1e-7)) and (np.diag(root) >= 0).all()
    off = found[np.triu_indices(3, 1)]
    assert {"fitted": off == pytest.approx([0.8, 0.6, 0.7]), "one": (off == 1).all(), "zero": (off == 0).all(),
            "flipped": (off < 0).all()}[mixing]  # fmt: skip


def test_returns_take_on_the_wanted_correlation_and_keep_their_variances() -> None:
    rows = np.random.default_rng(1).standard_normal((5_000, 3)) @ factor(GOOD).T * [0.01, 0.02, 0.03]
    for mixing, wanted in (("zero", np.eye(3)), ("flipped", mixed(np.corrcoef(rows.T), "flipped", "x"))):
        made = recolour(rows, mixing, "x")
        assert np.corrcoef(made.T) == pytest.approx(wanted, abs=1e-6)
        assert made.std(axis=0) == pytest.approx(rows.std(axis=0), rel=0.02)
    one = recolour(rows, "one", "x")
    assert np.corrcoef(one.T) == pytest.approx(np.ones((3, 3)), abs=1e-9)
    assert one.std(axis=0) == pytest.approx(rows.std(axis=0), rel=1e-9)
    assert recolour(rows, "fitted", "x") is rows
    with pytest.raises(CorrelationError, match="market 2 never moves"):
        recolour(rows * [1, 0, 1], "zero", "x")
    with pytest.raises(CorrelationError, match="always move together"):
        recolour(rows[:, [0, 0]], "zero", "x")
    with pytest.raises(CorrelationError, match="not 'other'"):
        mixed(GOOD, "other", "x")
