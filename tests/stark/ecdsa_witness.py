"""Tables of the ECDSA chip as a prover could write them, in plain integers: honest, or true to rules but for one lie.

Where two points meet that an honest prover never brings together, the slope is what the attacker likes.
"""

from __future__ import annotations

from typing import NamedTuple

from stark.air.chip import column_names
from stark.chips.ecdsa import (
    BASE,
    BOTH,
    BOTH_SLOPE,
    COPIES_OF_CONSTANTS,
    COPIES_OF_KEY,
    COPIES_OF_NONCE,
    COPIES_OF_REST,
    INVERSES,
    KEY,
    KEY_SLOPE,
    KEY_X,
    MESSAGES,
    NONCE,
    NONCE_SLOPE,
    NONCE_X,
    OFFSET,
    OFFSET_AND_BASE,
    REST,
    ROWS,
    START,
    STEPS,
    TIMES,
    Affine,
    Ecdsa,
    Held,
)
from stark.curve import GENERATOR
from stark.field import Felts, from_ints
from stark.prime import PRIME, inverse

NAMES = column_names(Ecdsa.columns)
LIKED = 7  # a slope, where the rule leaves it free


class Claim(NamedTuple):
    """What a block claims: r Q + s V + z G = 0. The steps take the bits of r, s and z, whatever the points' x are."""

    key: Affine
    nonce: Affine
    r: int
    s: int
    message: int
    nonce_of_both: Affine | None = None  # V where it is added to A + Q; the same unless given
    copies: tuple[int, ...] | None = None  # sent of each point, by selector; what the steps take unless given


class Sum(NamedTuple):
    """What the addition rules call a sum, and its slope."""

    point: Affine
    slope: int


def kinds(claim: Claim) -> list[int]:
    """The selector of every step."""
    scalars = claim.r, claim.s, claim.message
    return [
        sum((scalar >> place & 1) << part for part, scalar in enumerate(scalars)) for place in reversed(range(STEPS))
    ]


def taken(claim: Claim) -> list[int]:
    """How many copies of each point the steps take, by selector."""
    found = [0] * 8
    for row, kind in enumerate(kinds(claim)):
        found[kind] += 1 << (STEPS - 1 - row)
    return found


def add(left: Affine, right: Affine) -> Sum:
    """left + right by the line through their opposites; of any slope where they have one x."""
    across = (right[0] - left[0]) % PRIME
    slope = (left[1] - right[1]) * inverse(across) % PRIME if across else LIKED
    x = (slope * slope - left[0] - right[0]) % PRIME
    return Sum((x, (slope * (x - left[0]) - left[1]) % PRIME), slope)


def sums(claim: Claim) -> list[Sum]:
    """The eight points by selector; the slopes of the two constants are not used."""
    key, nonce = add(OFFSET, claim.key), add(OFFSET, claim.nonce)
    both = add(key.point, claim.nonce_of_both or claim.nonce)
    with_base = [add(each.point, GENERATOR) for each in (key, nonce, both)]
    return [Sum(OFFSET, 0), key, nonce, both, Sum(OFFSET_AND_BASE, 0), *with_base]


def block(claim: Claim, number: int = 0, times: int = 1, lent_by: Claim | None = None) -> Felts:
    """The rows of a claim, (columns, 256, 4). The steps add the points of `lent_by` where that is given."""
    rows = [dict.fromkeys(NAMES, 0) | {"number": number} for _ in range(ROWS)]
    ladder = lent_by or claim
    _climb(rows, kinds(ladder), sums(ladder))
    points = sums(claim)
    _write_points(rows, points)
    copies = claim.copies or tuple(taken(claim))
    x = claim.nonce[0]
    without_nonce = copies[0] + copies[1] + copies[4] + copies[5]
    products = (
        (x - OFFSET[0]) * (points[2].point[0] - GENERATOR[0]) * (points[3].point[0] - GENERATOR[0]),
        points[1].point[0] - x,
        (claim.key[0] - OFFSET[0]) * (points[1].point[0] - GENERATOR[0]) * ((1 << STEPS) - 1 - without_nonce),
    )
    held = {
        NONCE_X: x, NONCE_SLOPE: points[2].slope, KEY_X: claim.key[0], KEY_SLOPE: points[1].slope,
        BOTH_SLOPE: points[3].slope, COPIES_OF_NONCE: copies[2], COPIES_OF_KEY: copies[1] + copies[5],
        COPIES_OF_CONSTANTS: copies[0] + copies[4], COPIES_OF_REST: copies[0], TIMES: times,
        MESSAGES[0]: copies[6], MESSAGES[1]: copies[6] + copies[7], MESSAGES[2]: copies[6] + copies[7] + copies[5],
    }  # fmt: skip
    held |= {
        place: inverse(each % PRIME) if each % PRIME else 0 for place, each in zip(INVERSES, products, strict=True)
    }
    for place, value in held.items():
        _write(rows, place, value)
    return from_ints([row[name] for name in NAMES for row in rows]).reshape(len(NAMES), ROWS, 4)


def _write(rows: list[dict[str, int]], place: Held, value: int) -> None:
    assert rows[place.row][place.column] == 0, f"{place} is taken"
    rows[place.row][place.column] = value % PRIME


def _write_points(rows: list[dict[str, int]], points: list[Sum]) -> None:
    for row, selector in ((NONCE, 2), (BOTH, 3), (KEY, 1), (BASE, 4), (REST, 0)):
        (x, y), with_base = points[selector].point, points[(selector + 4) % 8]
        rows[row] |= {"x": x, "y": -y % PRIME}
        if row < BASE:
            rows[row] |= {"slope": with_base.slope, "added_x": with_base.point[0]}


def _climb(rows: list[dict[str, int]], selectors: list[int], points: list[Sum]) -> None:
    """Steps by the rules alone; the end of the last is not written."""
    x, y = START
    for row, selector in zip(rows, selectors, strict=False):
        added_x, added_y = points[selector].point
        across = (x - added_x) % PRIME
        inverted = inverse(across) if across else 0
        slope = (y - added_y) * inverted % PRIME if across else LIKED
        between = (slope * slope - x - added_x) % PRIME
        second = (-slope - 2 * y * inverse((between - x) % PRIME)) % PRIME
        row |= {"x": x, "y": y, "slope": slope, "second_slope": second, "inverse": inverted}
        row |= {"added_x": added_x, "selector": selector}
        next_x = (second * second - x - between) % PRIME
        x, y = next_x, (second * (x - next_x) - y) % PRIME
