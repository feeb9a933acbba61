"""Scalars of half their length: short for every signature, and true to it."""

from __future__ import annotations

import random
from math import isqrt

import pytest

from stark.chips.ecdsa_rows import BASE, CARRY_OFFSET, POINTS_OF_CHECK, QUOTIENT_OFFSET
from stark.chips.ecdsa_scalars import halves, parts, scalars_of, split, value_at
from stark.curve import ORDER
from stark.ecdsa import ELEMENT_LIMIT

ROOT = isqrt(ORDER)
EDGES = (1, 2, ROOT, ROOT + 1, ELEMENT_LIMIT - 1, ORDER // 2, ORDER - 2, ORDER - 1)
DRAW = random.Random(6)


@pytest.mark.parametrize("ratio", [*EDGES, *(DRAW.randrange(1, ORDER) for _ in range(500))])
def test_every_ratio_has_halves_up_to_the_root(ratio: int) -> None:
    r, s, is_opposite = halves(ratio)
    assert 0 < r <= ROOT and 0 < s <= ROOT
    assert (r * ratio + (s if is_opposite else -s)) % ORDER == 0


def signatures() -> list[tuple[int, int, int]]:
    """Edges of r, s and z with each other, and any."""
    edges = [1, 2, ROOT, ELEMENT_LIMIT - 1]
    found = [(r, s, z) for r in edges for s in (*edges, ORDER - 1) for z in (0, *edges)]
    return found + [(DRAW.randrange(1, ELEMENT_LIMIT), DRAW.randrange(1, ORDER), DRAW.randrange(ELEMENT_LIMIT))
                    for _ in range(300)]  # fmt: skip


def test_scalars_are_of_one_multiple_and_their_numbers_have_room() -> None:
    """No signature is without a witness: every number fits the limbs that it is given."""
    for r, s, z in signatures():
        made = scalars_of(r, s, z)
        factor = made.scaled_r * pow(r, -1, ORDER) % ORDER
        assert factor * s % ORDER == (-made.scaled_s if made.is_opposite else made.scaled_s) % ORDER
        assert factor * z % ORDER == made.scaled_z
        assert made.scaled_r * z + (made.quotient - QUOTIENT_OFFSET) * ORDER == made.scaled_z * r
        assert 0 <= made.quotient < 1 << 256
        assert all(0 <= carry < 2 * CARRY_OFFSET for carry in made.carries)


def test_carries_are_quotients_without_a_rest() -> None:
    for r, s, z in signatures():
        made = scalars_of(r, s, z)
        for point, carry in zip(POINTS_OF_CHECK, made.carries, strict=False):
            value = made.scaled_r * value_at(parts(z), point)
            value += value_at(parts(made.quotient), point) * value_at(parts(ORDER), point)
            value -= value_at(split(made.scaled_z), point) * value_at(parts(r), point)
            value -= point * (1 << 32) * value_at(parts(ORDER), point)
            assert value == (BASE - point) * (carry - CARRY_OFFSET)


def test_parts_and_halves_make_the_number() -> None:
    for number in (0, 1, ORDER - 1, (1 << 256) - 1, DRAW.randrange(ORDER)):
        assert value_at(parts(number), BASE) == number
        assert value_at(split(number), BASE) == number
