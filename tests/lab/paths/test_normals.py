"""lab/paths/normals.py: the law of the draws, and that a draw depends on its key and number alone."""

import math

import numpy as np
import pytest

from bulkhead.lab.compiled import _reached, kernel, spread
from bulkhead.lab.paths.normals import draws, exp, ln, normals

COUNT = 1 << 18


def drawn(seed: int = 1, path: int = 0, counter: int = 0, count: int = COUNT) -> np.ndarray:
    out = np.empty(count, dtype=np.float32)
    normals(seed, path, counter, out)
    return out.astype(np.float64)


def test_draws_have_the_moments_and_the_law_of_a_normal() -> None:
    z = drawn()
    assert abs(z.mean()) < 4 / math.sqrt(COUNT)
    assert z.var() == pytest.approx(1, abs=4 * math.sqrt(2 / COUNT))
    assert (z**3).mean() == pytest.approx(0, abs=4 * math.sqrt(15 / COUNT))
    assert (z**4).mean() == pytest.approx(3, abs=4 * math.sqrt(96 / COUNT))
    law = 0.5 * (1 + np.vectorize(math.erf)(np.sort(z) / math.sqrt(2)))
    distance = np.abs(law - (np.arange(COUNT) + 0.5) / COUNT).max()
    assert distance < 1.95 / math.sqrt(COUNT)  # Kolmogorov's bound at one in a thousand


def test_neighbours_of_every_kind_are_independent() -> None:
    z = drawn()
    for other in (drawn(path=1), drawn(seed=2), drawn(counter=COUNT // 2), np.roll(z, 1), np.roll(z, COUNT // 2)):
        assert abs((z * other).mean()) < 4 / math.sqrt(COUNT)


def test_a_draw_is_the_same_wherever_reading_begins() -> None:
    whole = drawn(count=64)
    later = drawn(counter=8, count=48)
    assert whole[8:32].tolist() == later[:24].tolist()  # first halves of the pairs
    assert draws(7, 0, 10)[4:].tolist() == draws(7, 4, 6).tolist()
    assert len(set(draws(7, 0, 1000).tolist())) == 1000


@kernel
def of_each(values: np.ndarray, powers: np.ndarray, logarithms: np.ndarray) -> None:
    """Both series over an array."""
    for place in range(len(values)):
        powers[place] = exp(values[place])
        logarithms[place] = ln(powers[place])


def test_series_are_right_to_the_last_digits_of_singles() -> None:
    values = np.linspace(-20, 20, 100_001, dtype=np.float32)
    powers, logarithms = np.empty_like(values), np.empty_like(values)
    of_each(values, powers, logarithms)
    assert np.abs(powers / np.exp(values.astype(np.float64)) - 1).max() < 3e-7
    assert np.abs(logarithms - np.log(powers.astype(np.float64))).max() < 2e-6


def test_work_is_spread_without_gaps_and_failures_are_not_lost() -> None:
    for count, parts in ((1, 4), (10, 3), (7, 7), (100, None)):
        seen = np.zeros(count, dtype=int)

        def mark(first: int, last: int, into: np.ndarray = seen) -> None:
            into[first:last] += 1

        spread(mark, count, parts)
        assert seen.tolist() == [1] * count

    def fail(first: int, last: int) -> None:
        raise ArithmeticError(f"{first} to {last}")

    with pytest.raises(ArithmeticError, match="0 to 5"):
        spread(fail, 10, 2)


def test_the_stamp_of_a_kernel_is_of_everything_it_reaches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machine code on disk is used again only if no file and no constant that it was made of has changed."""
    function = normals.py_func  # type: ignore[attr-defined]
    before = set(_reached(function, set()))
    texts = [part for part in before if part.startswith(b'"""')]
    assert any(b"Box and Muller" in text for text in texts)
    assert any(part.startswith(b"GAMMA ") for part in before)  # of a function that it calls through another
    monkeypatch.setattr("bulkhead.lab.paths.normals.GAMMA", np.uint64(3))
    assert set(_reached(function, set())) != before
