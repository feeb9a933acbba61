"""Which of the 128 rows of a signature shows what beside its ladder, as the periodic columns of the ECDSA chip.

Three columns, `side`, hold four parts, one after another: limbs, products, sums and points. A rule sees two rows; what
is needed further away is carried over the chip's own bus, and `CARRIES` says from where to where. A row can carry once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from stark.curve import GENERATOR, ORDER, add_points, lift_x, multiply_point
from stark.keccak import keccak256
from stark.prime import PRIME

Affine = tuple[int, int]

ROWS = 128  # a signature, and the steps of its ladder
HALF_BITS = 128  # of the message's scalar: its upper half is added as multiples of 2**128 G
PART_BITS = 96  # products are checked as polynomials in 2**96
BASE = 1 << PART_BITS
POINTS_OF_CHECK = (0, 1, -1, BASE)  # what such polynomials are taken at
QUOTIENT_OFFSET = 1 << HALF_BITS  # added to the quotient by the order, which can be negative
CARRY_OFFSET = 1 << 143  # added to a polynomial's quotient by 2**96 - x
LONG_LIMBS = (4, 6, 6)  # limbs of z, r and the quotient, most significant first
SHORT_LIMBS = 9  # of the others
TOP_BITS = 5  # that the highest limb of a number below 2**251 leaves of sixteen

# --- rows -------------------------------------------------------------------------------------------------------------

LONG_ENDS = (4, 11, 18)  # z, r and the quotient: where the parts of 96 bits are whole, the highest first
UPPER, MIDDLE, LOWER, LEAST = 24, 28, 38, 48  # above 2**64; upper half, r' and a carry; lower half, carry; a carry
TOP_OF_Z, TOP_OF_R, TOP_AGAIN = 0, 1, 45  # the highest limb of z is in the next row, of r in its own and carried
BLOCKS = (50, 55, 60, 65)  # where the polynomials begin to be taken at each point
VALUES = (52, 57, 62, 69)  # z, r and the quotient at that point; the row after has z', r' and the carry
WHOLE = 67  # z and r themselves
WEIGHT = 72  # of the nonce: the copies of points with V, and their inverse
GROUPS = (73, 77, 82, 87)  # where the copies of four points each are added up: with V, Q + V, Q, and neither
SHARE, RATIO, TOTALS = 81, 86, 91  # copies with Q + V; with Q; all
SPLIT = 94  # both halves of z' and what is above 2**64
LENT = 95  # how often the signature is lent
KEY, KEY_MOVED, NONCE, BOTH = 96, 97, 98, 99  # Q, A + Q, V, and the first point with Q + V
KEY_AGAIN, NONCE_AGAIN, CONSTANTS = 103, 108, 113  # Q and V before their points; the first point without both
POINTS = (109, 99, 104, 113)  # the first of each group's four, in the order of GROUPS
GROUP_SIZE = 4  # a point, with G, with G and 2**128 G, with 2**128 G
LAST_POINT = 116


@cache
def unknown_point(name: str) -> Affine:
    """A point whose logarithm nobody knows: the first hash of the name that is an x coordinate."""
    counter = 0
    while True:
        digest = keccak256(f"stark ecdsa ladder, {name}, {counter}".encode())
        point = lift_x(int.from_bytes(digest, "big") % PRIME)
        if point is not None:
            return point
        counter += 1


def finite(point: Affine | None) -> Affine:
    """A point of constants, which were chosen so that it is not infinity."""
    assert point is not None, "constants were chosen whose sum is infinity"
    return point


OFFSET, START = (unknown_point(name) for name in ("offset", "start"))  # A and B
HIGH = finite(multiply_point(1 << HALF_BITS, GENERATOR))
END = finite(
    add_points(multiply_point(1 << ROWS, START), multiply_point((1 << ROWS) - 1, OFFSET))
)  # of the ladder, exactly for a valid signature
MINUS_BASE = GENERATOR[0], PRIME - GENERATOR[1]


def added_to(row: int) -> Affine | None:
    """The constant on the line of a point's slope: what is added to come to the next point, if one follows."""
    if row in (KEY, NONCE, KEY_AGAIN, NONCE_AGAIN):
        return OFFSET
    if row == KEY_MOVED:
        return GENERATOR
    for first in POINTS:
        if first <= row < first + GROUP_SIZE:
            return (GENERATOR, HIGH, MINUS_BASE, GENERATOR)[row - first]
    return None


# --- what is carried --------------------------------------------------------------------------------------------------


class Carry(NamedTuple):
    """A message to other rows of the signature, sent (or, if negative, received) so many times.

    `first`, `rest` and `single` say what is in it as multiples of cells: of the first column, of the others alike, and
    in a place of its own; of this row and of the next.
    """

    row: int
    kind: str
    times: int
    first: tuple[int, int] = (0, 0)
    rest: tuple[int, int] = (0, 0)
    single: tuple[int, int, int] = (0, 0, 0)
    single_next: tuple[int, int] = (0, 0)  # of the first column and of the last


def _once(row: int, kind: str, times: int, column: int, of_next: bool = False) -> Carry:
    if of_next:
        return Carry(row, kind, times, single_next=(int(column == 0), int(column == 2)))
    return Carry(row, kind, times, single=(int(column == 0), int(column == 1), int(column == 2)))


def _carries() -> list[Carry]:
    own, following = (1, 0), (0, 1)
    parts = ("high", "mid", "low")
    found = [Carry(row, part, 4, own, own) for row, part in zip(LONG_ENDS, parts, strict=True)]
    for start, point in zip(BLOCKS, POINTS_OF_CHECK, strict=True):
        found += [
            Carry(start - 1 + place, part, -1, scaled, scaled)
            for place, part in enumerate(parts)
            for scaled in [(-point * (place > 0), 1)]
        ]
    for row, kind in zip(VALUES, ("carry 0", "carry 1", "carry -1", "carry 0"), strict=True):
        found += [Carry(row, kind, -1, rest=following), Carry(row + 1, "split", -1, following, following)]
    for row, kind, times in ((LOWER, "carry 0", 2), (MIDDLE, "carry 1", 1), (LEAST, "carry -1", 1)):
        found.append(Carry(row, kind, times, rest=own))
    found += [
        Carry(SPLIT, "split", 4, own, own),
        _once(TOP_OF_R, "top", 1, 1), _once(TOP_AGAIN, "top", -1, 0),
        _once(UPPER, "upper", 1, 0), _once(TOTALS + 2, "upper", -1, 2),
        _once(MIDDLE - 1, "higher half", 1, 0, of_next=True), _once(TOTALS + 1, "higher half", -1, 1),
        _once(LOWER - 1, "lower half", 1, 0, of_next=True), _once(TOTALS, "lower half", -1, 0),
        _once(MIDDLE + 2, "ratio", 1, 1), _once(RATIO, "ratio", -1, 2),
        _once(SHARE, "share", 1, 2), _once(WEIGHT, "share", -1, 2),
        _once(WHOLE, "message", 1, 0), _once(KEY, "message", -1, 2),
        _once(WHOLE + 1, "nonce", 1, 1), _once(NONCE_AGAIN, "nonce", -1, 0),
        _once(KEY_MOVED, "both", 1, 2), _once(NONCE, "both", -1, 0, of_next=True),
    ]  # fmt: skip
    for start, first in zip(GROUPS, POINTS, strict=True):
        for place in range(GROUP_SIZE):
            kind = f"copies {first + place}"
            found.append(_once(first + place, kind, 1, 2))
            found.append(Carry(start + place, kind, -1, single=(0, 0, -1), single_next=(0, 1)))
    assert len({carry.row for carry in found}) == len(found), "a row carries twice"
    return found


CARRIES = _carries()
KINDS = {kind: number for number, kind in enumerate(dict.fromkeys(carry.kind for carry in CARRIES))}

# --- periodic columns -------------------------------------------------------------------------------------------------


def _on(rows: Sequence[int], value: int = 1) -> tuple[int, ...]:
    return tuple(value * (row in rows) for row in range(ROWS))


def _where(values: Mapping[int, int]) -> tuple[int, ...]:
    return tuple(values.get(row, 0) % PRIME for row in range(ROWS))


def limb_rows(column: int) -> list[int]:
    """Rows before a limb of a column: what the next row has beyond 2**16 times its own cell."""
    starts = [(end - limbs, limbs) for end, limbs in zip(LONG_ENDS, LONG_LIMBS, strict=True)]
    ends = {0: (MIDDLE, LOWER), 1: (MIDDLE,), 2: (MIDDLE, LOWER, LEAST)}[column]
    starts += [(end - SHORT_LIMBS, SHORT_LIMBS) for end in ends]
    return [start + place for start, limbs in starts for place in range(limbs)]


def _kept(column: int) -> list[int]:
    """Rows whose cell is the next row's too."""
    rows = [WHOLE, WHOLE + 1, SHARE, RATIO, TOTALS + 1, TOTALS + 2]
    if column < 2:
        rows.append(TOTALS)
    return rows + (list(range(MIDDLE, LEAST)) if column == 1 else [])


def used_rows(column: int) -> set[int]:
    """Rows where a column has a cell that may be other than zero."""
    rows = {row + 1 for row in [*limb_rows(column), *_kept(column)]}
    for start in BLOCKS:
        rows |= set(range(start, start + 3))
    for row in VALUES:
        rows |= {row, row + 1, row + 2}
    rows |= {WEIGHT, *range(GROUPS[0] + 1, TOTALS + 1)} | set(range(KEY, LAST_POINT + 1))
    if column == 0:
        rows |= {TOP_AGAIN, LENT}
    if column == 2:
        rows = rows - {GROUPS[1], KEY_AGAIN, NONCE_AGAIN} | {GROUPS[0], TOTALS + 1}
    return rows


def order_at(point: int) -> int:
    """The curve's order as a polynomial in 2**96, at a point."""
    return sum((ORDER >> PART_BITS * place) % BASE * point**place for place in range(3))


def _points_columns() -> dict[str, tuple[int, ...]]:
    """Columns of the part that derives points."""
    rows = range(KEY, LAST_POINT + 1)
    constants = {row: constant for row in rows if (constant := added_to(row)) is not None}
    chained = {KEY, *range(KEY_AGAIN, LAST_POINT)} - {NONCE_AGAIN - 1, CONSTANTS - 1} | {BOTH, BOTH + 1, BOTH + 2}
    return {
        "own_x": _where({row: point[0] for row, point in constants.items()}),
        "own_y": _where({row: point[1] for row, point in constants.items()}),
        "then_x": _where({row - 1: point[0] for row, point in constants.items()}),
        "then_y": _where({row - 1: point[1] for row, point in constants.items()}),
        "is_point": _on(rows),
        "is_chained": _on(sorted(chained)),
        "is_sum": _on([KEY_MOVED]),
        "is_both": _on([NONCE]),
        "is_constant": _on([CONSTANTS]),
        "is_counted": _on([first + place for first in POINTS for place in range(GROUP_SIZE)]),
        "hands_on": _where({KEY: 1, NONCE: 1, KEY_AGAIN: -1, NONCE_AGAIN: -1}),
        "point_kind": _where({KEY: 1, NONCE: 2, KEY_AGAIN: 1, NONCE_AGAIN: 2}),
    }


def _carry_columns() -> dict[str, tuple[int, ...]]:
    """Columns that say what is carried."""
    rows = {carry.row: carry for carry in CARRIES}
    return {
        "carry_kind": _where({row: KINDS[carry.kind] for row, carry in rows.items()}),
        "carry_times": _where({row: carry.times for row, carry in rows.items()}),
        "first_own": _where({row: carry.first[0] for row, carry in rows.items()}),
        "first_next": _where({row: carry.first[1] for row, carry in rows.items()}),
        "rest_own": _where({row: carry.rest[0] for row, carry in rows.items()}),
        "rest_next": _where({row: carry.rest[1] for row, carry in rows.items()}),
        **{f"single{column}": _where({row: c.single[column] for row, c in rows.items()}) for column in range(3)},
        "single_next0": _where({row: carry.single_next[0] for row, carry in rows.items()}),
        "single_next2": _where({row: carry.single_next[1] for row, carry in rows.items()}),
    }


def _product_columns() -> dict[str, tuple[int, ...]]:
    """Columns of the part that shows r' z = z' r modulo the order."""
    shift = 1 << (HALF_BITS - PART_BITS)
    points = list(zip(VALUES, POINTS_OF_CHECK, strict=True))
    less = {row: -shift * point * order_at(point) for row, point in points}  # of QUOTIENT_OFFSET
    return {
        "is_product": _on(VALUES),
        "order": _where({row: order_at(point) for row, point in points}),
        "gap": _where({row: BASE - point for row, point in points}),
        "added": _where({row: less[row] + CARRY_OFFSET * (BASE - point) for row, point in points}),
        "is_split": _on([row + 1 for row in VALUES]),
        "upper_half": _where({row + 1: shift * point for row, point in points}),
        "above": _where({row + 1: point**2 - BASE * point for row, point in points}),
    }


def periodic_columns() -> dict[str, tuple[int, ...]]:
    """All of them, by name."""
    counted = [start + place for start in GROUPS for place in range(GROUP_SIZE)]
    return {
        "is_first": _on([0]),
        "is_last": _on([ROWS - 1]),
        "weight": tuple(1 << (ROWS - 1 - row) for row in range(ROWS)),
        **{f"is_limb{column}": _on(limb_rows(column)) for column in range(3)},
        "is_top": _on([TOP_OF_Z, TOP_AGAIN - 1]),
        **{f"is_empty{column}": _on(sorted(set(range(ROWS)) - used_rows(column))) for column in range(3)},
        **{f"is_kept{column}": _on(_kept(column)) for column in range(3)},
        **_product_columns(),
        "is_copies": _on(counted),
        "has_base": _on([start + place for start in GROUPS for place in (1, 2)]),
        "has_high": _on([start + place for start in GROUPS for place in (2, 3)]),
        "is_weight": _on([WEIGHT]),
        "is_lent": _on([LENT]),
        **_points_columns(),
        **_carry_columns(),
    }
