"""What a lying prover claims of a signature, and what the ECDSA chip finds wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from stark.air.check import add_balance, broken_rules, messages_of, stated
from stark.chips.ecdsa_rows import (
    QUOTIENT_OFFSET,
    Affine,
)
from stark.chips.ecdsa_scalars import carries_of, scalars_of
from stark.chips.ranges import LIMB_BITS, range_bus
from stark.curve import GENERATOR, ORDER, add_points, multiply_point, negate_point
from stark.ecdsa import Signed
from stark.field import Felts
from tests.stark.ecdsa_witness import Claim, block
from tests.stark.test_ecdsa_chip import stating_tables

LIMB = range_bus(LIMB_BITS).name
Faults = tuple[set[str], set[str]]
NOTHING: Faults = (set(), set())


def times(scalar: int, point: Affine = GENERATOR) -> Affine:
    """A multiple that is not infinity."""
    found = multiply_point(scalar % ORDER, point)
    assert found is not None
    return found


def plus(*points: Affine) -> Affine:
    """A sum that is not infinity."""
    found = None
    for point in points:
        found = add_points(found, point)
    assert found is not None
    return found


def minus(point: Affine) -> Affine:
    """The opposite."""
    found = negate_point(point)
    assert found is not None
    return found


def faults(stated_pairs: Sequence[tuple[int, int]], *blocks: Felts) -> Faults:
    """The rules that a table breaks when these (key, message) are stated, and the buses that do not balance.

    That of limbs does where all are limbs, for a range table counts as it likes.
    """
    table = np.concatenate(blocks, axis=1)
    system, public = stating_tables(stated_pairs)
    own = messages_of(system.tables[0], public, table)
    add_balance(own, stated(system, public))
    buses = {bus for (bus, values), (surplus, _) in own.items() if surplus and (bus != LIMB or values[0] >> LIMB_BITS)}
    return {each.rule for each in broken_rules(system.tables[0], public, table)}, buses


def of_claim(claim: Claim) -> Faults:
    """Where it is stated as it is."""
    return faults([(claim.key[0], claim.signed.message)], block(claim))


def changed(claim: Claim, **scalars: Any) -> Claim:
    """With other scalars, and carries to suit them as far as any can."""
    made = claim.scalars._replace(**scalars)
    (_, z, r, _) = claim.signed
    carries = carries_of(r, z, made.scaled_r, made.scaled_z, made.quotient)
    return claim._replace(scalars=made._replace(carries=carries) if "carries" not in scalars else made)


def forged(key: Affine, nonce: Affine, message: int, scaled_r: int, scaled_s: int) -> Claim:
    """A claim whose z' is what the message needs, whatever the points are."""
    r = nonce[0]
    scaled_z = scaled_r * pow(r, -1, ORDER) * message % ORDER
    quotient = (scaled_z * r - scaled_r * message) // ORDER + QUOTIENT_OFFSET
    carries = carries_of(r, message, scaled_r, scaled_z, quotient)
    scalars = scalars_of(r, 1, message)._replace(
        scaled_r=scaled_r, scaled_s=scaled_s, scaled_z=scaled_z, quotient=quotient, carries=carries
    )
    return Claim(Signed(key[0], message, r, 1), key, nonce, scalars)
