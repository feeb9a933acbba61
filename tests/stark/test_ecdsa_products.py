"""Against the product modulo the order in the ECDSA chip: wrong ones, aliases, and numbers that are too large."""

from __future__ import annotations

import pytest

from stark.air.check import broken_rules
from stark.chips.ecdsa_rows import (
    CARRY_OFFSET,
    HALF_BITS,
    QUOTIENT_OFFSET,
    limb_rows,
    periodic_columns,
)
from stark.curve import ORDER
from stark.ecdsa import ELEMENT_LIMIT
from stark.prime import PRIME
from tests.stark.ecdsa_lies import LIMB, NOTHING, changed, of_claim
from tests.stark.ecdsa_plain import copies_of
from tests.stark.ecdsa_signing import signing
from tests.stark.ecdsa_witness import block, claim_of
from tests.stark.test_ecdsa_chip import stating_tables

PRODUCT = "r' z is z' r modulo the order"


@pytest.mark.parametrize("modulus", [PRIME, 1 << 96, (1 << 96) - 1, (1 << 96) + 1])
def test_a_product_that_is_right_modulo_one_number_is_wrong_modulo_others(modulus: int) -> None:
    """The quotient chosen so that one of the four holds: the rule is broken in the other three rows."""
    claim = claim_of(signing(1)[0])
    (_, z, r, _), scalars = claim.signed, claim.scalars
    wrong = scalars.scaled_z ^ 1 << 200
    quotient = (wrong * r - scalars.scaled_r * z) * pow(ORDER, -1, modulus) % modulus
    quotient = (quotient + QUOTIENT_OFFSET) if modulus != PRIME else (quotient + QUOTIENT_OFFSET) % PRIME
    system, public = stating_tables([(claim.key[0], z)])
    table = block(changed(claim, scaled_z=wrong, quotient=quotient))
    rows = [each.row for each in broken_rules(system.tables[0], public, table) if each.rule == PRODUCT]
    assert len(rows) == 3


def test_a_quotient_has_256_bits_and_a_carry_144() -> None:
    """A product wrong by a multiple of all moduli but one has a quotient that no limbs make."""
    claim = claim_of(signing(1)[0])
    (_, z, r, _), scalars = claim.signed, claim.scalars
    modulus = PRIME * ((1 << 192) - 1) * (1 << 96)
    wrong = scalars.scaled_z ^ 1 << 200
    quotient = (wrong * r - scalars.scaled_r * z) * pow(ORDER, -1, modulus) % modulus + QUOTIENT_OFFSET
    broken, buses = of_claim(changed(claim, scaled_z=wrong, quotient=quotient))
    assert LIMB in buses and PRODUCT not in broken
    far = scalars.carries[0] + CARRY_OFFSET * 2, *scalars.carries[1:]
    broken, buses = of_claim(changed(claim, carries=far))
    assert LIMB in buses and PRODUCT in broken


def test_other_representatives_are_as_good() -> None:
    """z' + n is z' modulo the order: the same signature, by another ladder."""
    claim = claim_of(next(each for each in signing(40) if claim_of(each).scalars.scaled_z < ORDER >> 2))
    scalars = claim.scalars
    made = changed(claim, scaled_z=scalars.scaled_z + ORDER, quotient=scalars.quotient + claim.signed.r)
    assert of_claim(made) == NOTHING


@pytest.mark.parametrize("part", ["message", "r"])
def test_an_element_has_one_integer(part: str) -> None:
    """z + P is the same element and another number modulo the order; its highest limb is too large."""
    signed = signing(1)[0]
    other = signed._replace(**{part: getattr(signed, part) + PRIME})
    claim = claim_of(signed)
    (_, z, r, _), scaled_r = other, claim.scalars.scaled_r
    scaled_z = scaled_r * pow(r, -1, ORDER) * z % ORDER
    quotient = (scaled_z * r - scaled_r * z) // ORDER + QUOTIENT_OFFSET
    made = changed(claim._replace(signed=other), scaled_z=scaled_z, quotient=quotient)
    assert LIMB in of_claim(made)[1]
    alone = claim._replace(signed=other, scalars=claim.scalars)  # the ladder that was signed, beside the other number
    assert LIMB in of_claim(alone)[1]


@pytest.mark.parametrize("part", ["message", "r"])
@pytest.mark.parametrize("value", [ELEMENT_LIMIT - 1, ELEMENT_LIMIT])
def test_limbs_end_at_the_251st_bit(part: str, value: int) -> None:
    """Whatever else is wrong with it."""
    claim = claim_of(signing(1)[0])
    made = claim._replace(signed=claim.signed._replace(**{part: value}))
    assert (LIMB in of_claim(made)[1]) == (value == ELEMENT_LIMIT)


@pytest.mark.parametrize("place", [0, HALF_BITS])
def test_a_half_scalar_has_144_bits(place: int) -> None:
    claim = claim_of(signing(1)[0])
    scalars = claim.scalars
    for bits in (143, 144):
        if place:
            made = scalars._replace(scaled_z=scalars.scaled_z | 1 << bits + place)
        else:
            made = scalars._replace(scaled_r=scalars.scaled_r | 1 << bits)
        assert (LIMB in of_claim(claim._replace(scalars=made, copies=copies_of(scalars)))[1]) == (bits == 144)


@pytest.mark.parametrize("column", range(3))
def test_limbs_start_from_nothing(column: int) -> None:
    """The row before a number's first limb is empty, or the number would have more of them."""
    rows, columns = limb_rows(column), periodic_columns()
    starts = [row for row in rows if row - 1 not in rows]
    assert len(starts) == {0: 5, 1: 4, 2: 6}[column]
    assert all(columns[f"is_empty{column}"][row] for row in starts)
