"""Tables of the ECDSA chip as a prover could write them, in plain integers: honest, or true to rules but for one lie.

Where two points meet that an honest prover never brings together, the slope is what the attacker likes.
"""

from __future__ import annotations

from typing import NamedTuple

from stark.air.chip import column_names
from stark.chips.ecdsa import Ecdsa
from stark.chips.ecdsa_rows import (
    BOTH,
    CONSTANTS,
    END,
    GROUP_SIZE,
    HALF_BITS,
    KEY,
    KEY_AGAIN,
    KEY_MOVED,
    LAST_POINT,
    LENT,
    NONCE,
    NONCE_AGAIN,
    OFFSET,
    POINTS,
    ROWS,
    START,
    Affine,
)
from stark.chips.ecdsa_scalars import HALF, Scalars, scalars_of
from stark.chips.ecdsa_table import points_of
from stark.curve import add_points, negate_point
from stark.ecdsa import Signed
from stark.field import Felts, from_ints
from stark.prime import PRIME, inverse
from tests.stark.ecdsa_plain import SIDE, Side, Sums, copies_of, meeting, side_of

NAMES = column_names(Ecdsa.columns)
LIKED = 7  # a slope, where the line leaves it free
Copies = list[list[int]]


class Claim(NamedTuple):
    """What a block claims: r' Q + s' V + z' G = 0 and r' z = z' r. Steps take the bits of the scalars."""

    signed: Signed
    key: Affine
    nonce: Affine
    scalars: Scalars
    copies: Copies | None = None  # sent of each point; what the steps take unless given
    liked: int | None = LIKED  # of points with one x; a tangent's where it is None


def claim_of(signed: Signed) -> Claim:
    """What an honest prover claims."""
    (key, (x, y)), scalars = points_of([signed])[0], scalars_of(signed.r, signed.s, signed.message)
    return Claim(signed, key, (x, PRIME - y if scalars.is_opposite else y), scalars)


def slope_of(left: Affine, right: Affine, liked: int | None) -> int:
    """Of the line through two points: as the attacker likes where they have one x."""
    across = (left[0] - right[0]) % PRIME
    if across:
        return (left[1] - right[1]) * inverse(across) % PRIME
    return (3 * left[0] ** 2 + 1) * inverse(2 * left[1]) % PRIME if liked is None else liked


def added(left: Affine, right: Affine, slope: int) -> Affine:
    """The sum that the rules come to with a slope; `right` gives no more than its x."""
    x = (slope * slope - left[0] - right[0]) % PRIME
    return x, (slope * (left[0] - x) - left[1]) % PRIME


def sums(claim: Claim) -> Sums:
    """The points by their rows."""
    starts = {KEY: claim.key, KEY_AGAIN: claim.key, NONCE: claim.nonce, NONCE_AGAIN: claim.nonce, CONSTANTS: OFFSET}
    found = Sums(dict(starts), {}, 0)
    for first, last in ((KEY_AGAIN, NONCE_AGAIN - 1), (NONCE_AGAIN, CONSTANTS - 1), (CONSTANTS, LAST_POINT)):
        for row in range(first, last + 1):
            _lead(claim, found, row, row < last)
    found.slopes.update({KEY: found.slopes[KEY_AGAIN], NONCE: found.slopes[NONCE_AGAIN]})
    found.points[KEY_MOVED] = moved = found.points[KEY_AGAIN + 1]
    found.slopes[KEY_MOVED] = found.slopes[KEY_AGAIN + 1]
    across = slope_of(moved, claim.nonce, claim.liked)
    found.points[BOTH] = added(moved, claim.nonce, across)
    for row in range(BOTH, BOTH + GROUP_SIZE):
        _lead(claim, found, row, row + 1 < BOTH + GROUP_SIZE)
    return found._replace(across=across)


def _lead(claim: Claim, found: Sums, row: int, leads: bool) -> None:
    found.slopes[row] = slope = slope_of(found.points[row], meeting(row), claim.liked)
    if leads:
        found.points[row + 1] = added(found.points[row], meeting(row), slope)


def place_of(selector: int) -> int:
    """The row of a point, by what it adds up: 1 for Q, 2 for V, 4 for G, 8 for 2**128 G."""
    return POINTS[(3, 2, 0, 1)[selector % 4]] + (0, 1, 3, 2)[selector // 4]


def selectors(claim: Claim) -> list[int]:
    """Of every step."""
    scaled_z = claim.scalars.scaled_z
    scalars = claim.scalars.scaled_r, claim.scalars.scaled_s, scaled_z % HALF, scaled_z >> HALF_BITS
    places = reversed(range(ROWS))
    return [sum((scalar >> place & 1) << part for part, scalar in enumerate(scalars)) for place in places]


def side(claim: Claim) -> Side:
    """What stands beside the ladder."""
    copies = claim.copies or copies_of(claim.scalars)
    with_nonce = (sum(copies[0]) + sum(copies[1])) % PRIME
    return side_of(claim.signed, claim.scalars, sums(claim), inverse(with_nonce) if with_nonce else 0, copies)


def block(claim: Claim, number: int = 0, times: int = 1, lent_by: Claim | None = None) -> Felts:
    """The rows of a claim, (columns, 128, 4). The steps add the points of `lent_by` where that is given."""
    rows = [dict.fromkeys(NAMES, 0) | {"number": number} for _ in range(ROWS)]
    climb(rows, lent_by or claim)
    cells = side(claim).cells
    for row, values in enumerate(rows):
        values |= {f"side[{column}]": cells[SIDE * row + column] % PRIME for column in range(SIDE)}
    rows[LENT]["side[0]"] = times
    return from_ints([row[name] for name in NAMES for row in rows]).reshape(len(NAMES), ROWS, 4)


def climb(rows: list[dict[str, int]], claim: Claim) -> None:
    """Steps by the rules alone. The last adds what leads to the end, whatever its bits say."""
    points = sums(claim).points
    x, y = START
    for row, selector in zip(rows, selectors(claim), strict=True):
        point: Affine | None = points[place_of(selector)]
        if row is rows[-1]:
            point = add_points(END, negate_point(add_points((x, y), (x, y))))
        assert point is not None, "the ladder is at its end before it is"
        slope = slope_of((x, y), point, claim.liked)
        between = (slope * slope - x - point[0]) % PRIME
        second = (-slope - 2 * y * inverse((between - x) % PRIME)) % PRIME
        row |= {"x": x, "y": y, "slope": slope, "second_slope": second}
        next_x = (second * second - x - between) % PRIME
        x, y = next_x, (second * (x - next_x) - y) % PRIME
