"""Where the polynomials of a proof are evaluated: shifted subgroups, and what a position in a tree stands for.

The tallest table's extension covers g * <w>, with g the field's generator; a table 2**k times shorter covers the coset
of g**(2**k), onto which k foldings of FRI map the tallest one. Position t of a tree stands for the point whose exponent
of w is t with its bits reversed, so that t >> s stands for the point raised to 2**s: a verifier only shifts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stark.air.expr import FIRST, LAST, Leaf, Source
from stark.prime import GENERATOR, PRIME, inverse, root_of_unity

_STEP_ROOTS = [root_of_unity(bits + 1) for bits in range(64)]  # bit j of a position stands for a 2**(j+1)-th root


def shift_of(log_height: int, log_tallest: int) -> int:
    """The coset's shift of a table of this height."""
    return pow(GENERATOR, 1 << (log_tallest - log_height), PRIME)


def point_at(position: int, shift: int) -> int:
    """The point a tree position stands for; no size is needed, since bit j is a root of its own whatever the size."""
    point, bit = shift, 0
    while position >> bit:
        if position >> bit & 1:
            point = point * _STEP_ROOTS[bit] % PRIME
        bit += 1
    return point


class Place(NamedTuple):
    """The point out of the domain at which one table's columns are opened, and what its verifier derives from it."""

    log_height: int
    point: int
    after: int  # the point of the next row
    vanishing: int  # point**height - 1

    @classmethod
    def of(cls, point: int, log_height: int, log_tallest: int) -> Place:
        """The place of a table, from the tallest table's point: its power, as lifting the shorter polynomials does."""
        own = pow(point, 1 << (log_tallest - log_height), PRIME)
        root = root_of_unity(log_height)
        return cls(log_height, own, own * root % PRIME, (pow(own, 1 << log_height, PRIME) - 1) % PRIME)

    def selector(self, which: int) -> int:
        """The first row's Lagrange polynomial, the last row's, or X minus the last row's point."""
        last = inverse(root_of_unity(self.log_height))
        if which not in (FIRST, LAST):
            return (self.point - last) % PRIME
        row = 1 if which == FIRST else last
        return self.vanishing * row * inverse((self.point - row) << self.log_height) % PRIME

    def periodic(self, values: tuple[int, ...]) -> int:
        """A repeated list of constants, as a polynomial in point**(height / length)."""
        log_length = len(values).bit_length() - 1
        if log_length > self.log_height:
            raise ValueError(f"a period of {len(values)} rows does not fit in a table of {1 << self.log_height}")
        point = pow(self.point, 1 << (self.log_height - log_length), PRIME)
        total, root = 0, root_of_unity(log_length)
        row = 1
        for value in values:  # barycentric: value * row / (point - row)
            total += value * row * inverse(point - row)
            row = row * root % PRIME
        return total * (pow(point, len(values), PRIME) - 1) * inverse(len(values)) % PRIME

    def leaf_value(self, cells: Callable[[Leaf], int], periods: tuple[tuple[int, ...], ...]) -> Callable[[Leaf], int]:
        """Values of selectors and periodic columns here; of all other leaves as `cells` says."""

        def value(leaf: Leaf) -> int:
            if leaf.source == Source.SELECTOR:
                return self.selector(leaf.index)
            if leaf.source == Source.PERIODIC:
                return self.periodic(periods[leaf.index])
            return cells(leaf)

        return value
