"""Quotients that tie columns to their values out of the domain, and the folding of words of low degree (DEEP, FRI)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stark.domain import Place, shift_of
from stark.extension import coset_shifts, powers
from stark.field import Felts, add, from_ints, invert_array, load, multiply, store, subtract
from stark.kernels import kernel
from stark.ntt import extend, interpolate
from stark.points import weighted_sum
from stark.prime import PRIME, inverse, root_of_unity
from stark.threads import in_ranges


class Opening:
    """The sum of all columns of one height, as a polynomial and, at both places, as values.

    `parts` hold the columns as `stark.extension.Extended` does; the sum is as `stark.verifier.blend` sums their values.
    """

    def __init__(self, place: Place, log_tallest: int, parts: Sequence[Felts], weight: int, threads: int):
        self.place = place
        width = sum(len(part) for part in parts)
        factors = np.ascontiguousarray(powers(weight, 1, width)[::-1])
        self.total = weighted_sum(parts, factors, threads).reshape(1, -1, 4)
        interpolate(self.total, threads, shift_of(place.log_height, log_tallest))
        self.step = pow(weight, width, PRIME)

    def quotient(
        self,
        here: int,
        after: int,
        pieces: tuple[Felts, int] | None,
        domain: tuple[int, int],
        threads: int,
    ) -> Felts:
        """The DEEP quotient on the extension, (cosets, rows, 4). `here` and `after` are the summed values.

        `pieces` is the composition's summed polynomial and value, opened at the first place only; `domain` the height
        of the tallest table and the blow-up, as logarithms.
        """
        log_tallest, log_blowup = domain
        place, square = self.place, self.step * self.step % PRIME
        shifts = coset_shifts(place.log_height, log_tallest, log_blowup)
        shift = shifts[0]
        values = extend(self.total, log_blowup, shift, threads)[0]
        constants = [place.point, here, after * self.step % PRIME, self.step, inverse(root_of_unity(place.log_height))]
        if pieces is None:
            other, more = values, [0, 0]
        else:
            other, more = extend(pieces[0], log_blowup, shift, threads)[0], [square, square * pieces[1] % PRIME]
        result: Felts = np.empty_like(values)
        scalars = from_ints([*constants, *more])

        def work(start: int, stop: int) -> None:
            for coset in range(start, stop):
                points = powers(root_of_unity(place.log_height), shifts[coset], values.shape[1])
                _subtract_from_each(points, scalars)
                _quotient(values[coset], other[coset], invert_array(points), scalars, result[coset])

        in_ranges(len(values), threads, work)
        return result


@kernel
def _add_scaled(column: Felts, factor: Felts, total: Felts, start: int, stop: int) -> None:
    scale = load(factor, 0)
    for row in range(start, stop):
        store(total, row, add(load(total, row), multiply(load(column, row), scale)))


@kernel
def _subtract_from_each(points: Felts, scalars: Felts) -> None:
    point = load(scalars, 0)
    for row in range(len(points)):
        store(points, row, subtract(load(points, row), point))


@kernel
def _quotient(values: Felts, pieces: Felts, inverses: Felts, scalars: Felts, result: Felts) -> None:
    """On a coset: (f - here + more) / (x - z) + (step f - after) / (x - wz), with 1 / (x - wz) from the row before."""
    here, after, step, root_inverse = load(scalars, 1), load(scalars, 2), load(scalars, 3), load(scalars, 4)
    square, offset = load(scalars, 5), load(scalars, 6)
    rows = len(values)
    for row in range(rows):
        value = load(values, row)
        first = subtract(value, here)
        first = add(first, subtract(multiply(load(pieces, row), square), offset))
        second = subtract(multiply(value, step), after)
        before = multiply(load(inverses, row - 1 if row > 0 else rows - 1), root_inverse)
        store(result, row, add(multiply(first, load(inverses, row)), multiply(second, before)))


def fold_word(word: Felts, challenge: int, log_height: int, shifts: list[int], threads: int) -> Felts:
    """Fold by two: (cosets, rows, 4) to (cosets, rows / 2, 4), at the points' squares."""
    cosets, rows = word.shape[:2]
    result = np.empty((cosets, rows // 2, 4), np.uint64)
    root = inverse(root_of_unity(log_height))
    half = inverse(2)
    grain = max(1, min(rows // 2, 4096))

    def work(start: int, stop: int) -> None:
        for piece in range(start, stop):
            coset, row = divmod(piece * grain, rows // 2)
            across = inverse(shifts[coset]) * pow(root, row, PRIME) * half * challenge % PRIME
            _fold(word[coset], from_ints([half, across, root]), row, row + grain, result[coset])

    in_ranges(cosets * (rows // 2) // grain, threads, work)
    return result


@kernel
def _fold(word: Felts, scalars: Felts, start: int, stop: int, result: Felts) -> None:
    half, across, ratio = load(scalars, 0), load(scalars, 1), load(scalars, 2)
    count = len(result)
    for row in range(start, stop):
        left, right = load(word, row), load(word, row + count)
        even = multiply(add(left, right), half)
        store(result, row, add(even, multiply(subtract(left, right), across)))
        across = multiply(across, ratio)


def add_scaled_word(word: Felts, entering: Felts, weight: int, threads: int) -> None:
    """word += weight * entering, both (cosets, rows, 4)."""
    flat, other = word.reshape(-1, 4), entering.reshape(-1, 4)
    factor = from_ints([weight])
    in_ranges(len(flat), threads, lambda start, stop: _add_scaled(other, factor, flat, start, stop), 1024)
