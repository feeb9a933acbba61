"""Against the ECDSA chip: witnesses true but for one lie, each stopped by the rule or the bus that is there for it."""

from __future__ import annotations

from typing import Any

import fast_stark_crypto
import numpy as np
import pytest

from stark.chips.ecdsa import CARRIED, POINT, SIGNED
from stark.chips.ecdsa_rows import (
    CARRIES,
    GROUP_SIZE,
    HIGH,
    KINDS,
    OFFSET,
    ROWS,
    START,
    Affine,
)
from stark.chips.ecdsa_scalars import scalars_of
from stark.chips.ecdsa_table import fill_ecdsa
from stark.curve import GENERATOR, ORDER, lift_x
from stark.ecdsa import ELEMENT_LIMIT, KnownKeys, Signed, verify_batch
from stark.field import from_ints, to_ints
from stark.prime import PRIME
from tests.stark.ecdsa_lies import NOTHING, changed, faults, forged, minus, of_claim, plus, times
from tests.stark.ecdsa_plain import copies_of
from tests.stark.ecdsa_signing import signing
from tests.stark.ecdsa_witness import NAMES, Claim, block, claim_of

PRODUCT, ON_CURVE, STEP = "r' z is z' r modulo the order", "a point lies on the curve", "slope of a sum"
JOIN = "slope from key to nonce"
ENDS = {"slope of the second sum", "y of a step"}


def test_the_witness_of_an_honest_claim_is_the_table() -> None:
    """Twins: the table's kernels and plain integers, cell by cell."""
    signatures = signing(2, seed=8)
    blocks = [block(claim_of(signed), number) for number, signed in enumerate(signatures)]
    assert np.array_equal(np.concatenate(blocks, axis=1), fill_ecdsa(signatures, [1, 1], 8).table)
    assert faults([(signed.public_key, signed.message) for signed in signatures], *blocks) == NOTHING


# --- the equation -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{"message": 7}, {"key": times(3)}, {"nonce": times(3)}, {"r": 7}])
def test_a_forged_signature_does_not_end_where_it_must(changes: dict[str, Any]) -> None:
    """Whichever part is another's: the point that leads to the end is none that is sent."""
    claim = claim_of(signing(1)[0])
    scalars = claim.scalars
    if "message" in changes:
        claim = forged(claim.key, claim.nonce, 7, scalars.scaled_r, scalars.scaled_s)
    elif "r" in changes:
        claim = forged(claim.key, claim.nonce, claim.signed.message, 7, scalars.scaled_s)
    elif "nonce" in changes:
        claim = forged(claim.key, changes["nonce"], claim.signed.message, scalars.scaled_r, scalars.scaled_s)
    else:
        claim = claim._replace(**changes)
    assert of_claim(claim) == (set(), {POINT.name})


def test_no_point_has_x_zero() -> None:
    """So r is never zero: its point lies on the curve."""
    assert lift_x(0) is None
    claim = claim_of(signing(1)[0])
    broken, _ = of_claim(claim._replace(nonce=(0, 5)))
    assert ON_CURVE in broken


def test_s_is_not_zero() -> None:
    """Whoever knows a key's logarithm could find r with r Q + z G = 0, and name any point R that has this x."""
    private, draw = 987654321, 1 << 249
    while True:
        nonce, message = lift_x(draw), -draw * private % ORDER
        if nonce is not None and message < ELEMENT_LIMIT:
            break
        draw += 1
    claim = forged(times(private), nonce, message, 1 << 100, 0)
    assert of_claim(claim) == ({"s is not zero"}, set())


def test_the_key_and_the_nonce_have_either_sign() -> None:
    """Both signs of either are shown, with scalars to suit; what is lent is the same."""
    signed = signing(1)[0]
    claim = claim_of(signed)
    opposite = claim._replace(
        key=minus(claim.key), nonce=minus(claim.nonce),
        scalars=claim.scalars._replace(scaled_z=ORDER - claim.scalars.scaled_z),
    )  # fmt: skip
    (r, z) = signed.r, signed.message
    assert (r * opposite.scalars.scaled_z - z * claim.scalars.scaled_r) % ORDER  # r' is to be taken as negative
    assert of_claim(changed(opposite))[0] == {PRODUCT}
    positive = claim._replace(nonce=minus(claim.nonce))
    assert of_claim(positive) == (set(), {POINT.name})
    assert of_claim(claim) == NOTHING


def test_scalars_may_be_any_multiple() -> None:
    """Another k than the shortest: as valid, while it is short enough for the ladder."""
    claim = claim_of(signing(1)[0])
    scalars = claim.scalars
    twice = scalars._replace(scaled_r=2 * scalars.scaled_r, scaled_s=2 * scalars.scaled_s)
    again = forged(claim.key, claim.nonce, claim.signed.message, twice.scaled_r, twice.scaled_s)
    assert of_claim(again) == NOTHING


# --- the ladder -------------------------------------------------------------------------------------------------------


def test_a_step_adds_nothing_that_is_not_sent() -> None:
    """Another's ladder, on the same number: each step's point is missing."""
    claims = [claim_of(signed) for signed in signing(2, seed=3)]
    stolen = block(claims[0], lent_by=claims[1])
    assert faults([(claims[0].key[0], claims[0].signed.message)], stolen) == (set(), {POINT.name})


def test_points_of_another_signature_are_not_lent() -> None:
    """Two signatures swap their ladders. With one number for both, that alone is wrong; with two, no point is lent."""
    claims = [claim_of(signed) for signed in signing(2, seed=3)]
    pairs = [(claim.key[0], claim.signed.message) for claim in claims]
    for numbers, expected in (((0, 0), ({"numbers count signatures"}, set())), ((0, 1), (set(), {POINT.name}))):
        blocks = [
            block(claim, number, lent_by=other)
            for claim, number, other in zip(claims, numbers, reversed(claims), strict=True)
        ]
        assert faults(pairs, *blocks) == expected


def test_numbers_begin_at_zero_and_rise_by_one() -> None:
    claims = [claim_of(signed) for signed in signing(2, seed=3)]
    pairs = [(claim.key[0], claim.signed.message) for claim in claims]
    for numbers, rules in (
        ((0, 1), set()), ((1, 2), {"the first signature has number 0"}), ((0, 2), {"numbers count signatures"}),
        ((0, PRIME - 1), {"numbers count signatures"}),
    ):  # fmt: skip
        blocks = [block(claim, number) for claim, number in zip(claims, numbers, strict=True)]
        assert faults(pairs, *blocks) == (rules, set())


# --- counts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", range(4))
@pytest.mark.parametrize("place", range(GROUP_SIZE))
def test_false_counts_find_no_partner(one: int, place: int) -> None:
    """A copy of one point sent in place of another's: no rule minds, and the buses do."""
    claim = claim_of(signing(1)[0])
    copies = [list(group) for group in copies_of(claim.scalars)]
    copies[one][place] += 1
    copies[(one + 1) % 4][(place + 1) % GROUP_SIZE] -= 1
    broken, buses = of_claim(claim._replace(copies=copies))
    assert not broken
    assert POINT.name in buses


@pytest.mark.parametrize(("group", "place"), [(2, 0), (3, 1), (3, 3)])
def test_the_counts_are_the_scalars(group: int, place: int) -> None:
    """The steps of other scalars, with copies to suit: r', z0 or z1 of the product are not the sums."""
    claim = claim_of(signing(1)[0])
    copies = [list(each) for each in copies_of(claim.scalars)]
    copies[group][place] += 1
    _, buses = of_claim(claim._replace(copies=copies))
    assert CARRIED.name in buses


def trade(claim: Claim, amount: int, groups: tuple[int, int], places: tuple[int, int]) -> Claim:
    """Copies of one point pass for another's: counts and claimed scalars, but not what the steps take."""
    copies = [list(group) for group in copies_of(claim.scalars)]
    copies[groups[0]][places[0]] += amount
    copies[groups[1]][places[1]] -= amount
    return claim._replace(copies=copies)


def test_copies_of_equal_points_trade_only_what_is_true() -> None:
    """With V = G copies of A + V pass for copies of A + G; s' and z0 are then others, of a signature as valid."""
    private, nonce = 424242, GENERATOR
    key, r, amount = times(private), nonce[0], 12345
    for message in range(77, 999):
        s = (-r * private - message) % ORDER
        honest = claim_of_multiple(key, nonce, message, s)
        scaled_z = honest.scalars.scaled_z - amount
        other = scaled_z * pow(honest.scalars.scaled_r, -1, ORDER) * r % ORDER
        if honest.nonce == nonce and other < ELEMENT_LIMIT:
            break
    assert of_claim(honest) == NOTHING
    traded = trade(honest, amount, (0, 3), (0, 1))
    assert of_claim(traded) == (set(), {CARRIED.name})  # only z0 is another
    lent = forged(key, nonce, other, honest.scalars.scaled_r, honest.scalars.scaled_s)
    assert lent.scalars.scaled_z == scaled_z
    made = block(lent._replace(copies=traded.copies), lent_by=honest)
    assert faults([(key[0], other)], made) == NOTHING
    valid = (-r * private - other) % ORDER
    assert verify_batch([Signed(key[0], other, r, min(valid, ORDER - valid))], KnownKeys()) == [True]


def claim_of_multiple(key: Affine, nonce: Affine, message: int, s: int) -> Claim:
    """An honest claim of r Q + s V + z G = 0, for V of either sign."""
    scalars = scalars_of(nonce[0], s, message)
    point = minus(nonce) if scalars.is_opposite else nonce
    return Claim(Signed(key[0], message, nonce[0], s), key, point, scalars)


def test_a_count_that_is_no_sum_of_steps_has_no_limbs() -> None:
    """With V = G - Q the points A + Q + V and A + G are one, under any key.

    r' copies of the one and -r' of the other are none at all, modulo the prime: the ladder would add nothing, and any
    message be signed whose z' is -r'. But z0 is no number of limbs then.
    """
    key = lift_x(signing(1)[0].public_key)
    assert key is not None
    nonce = plus(GENERATOR, minus(key))
    scaled_r = 1 << 100
    claim = forged(key, nonce, PRIME - nonce[0], scaled_r, 0)  # z' / r' is -1, as integers modulo the prime
    copies = [[0] * GROUP_SIZE for _ in range(4)]
    copies[1][0], copies[3][1], copies[3][0] = scaled_r, -scaled_r, (1 << ROWS) - 1
    nothing = claim._replace(scalars=claim.scalars._replace(scaled_r=0, scaled_s=0, scaled_z=0))
    for scaled_z in (claim.scalars.scaled_z, -scaled_r % ORDER):
        made = changed(claim, scaled_z=scaled_z)._replace(copies=copies)
        _, buses = faults([(key[0], claim.signed.message)], block(made, lent_by=nothing))
        assert CARRIED.name in buses  # the halves of z' are not what was counted


# --- points -----------------------------------------------------------------------------------------------------------

KEY = times(99991)
MEETING = {
    "a key is the offset": (OFFSET, times(5)),
    "a nonce is the offset": (KEY, OFFSET),
    "offset + key is the base": (plus(GENERATOR, minus(OFFSET)), times(5)),
    "offset + nonce is the base": (KEY, plus(GENERATOR, minus(OFFSET))),
    "all three are the base": (KEY, plus(GENERATOR, minus(OFFSET), minus(KEY))),
    "offset + key + base is the other base": (plus(HIGH, minus(GENERATOR), minus(OFFSET)), times(5)),
    "a nonce is offset + key": (KEY, plus(OFFSET, KEY)),
}


@pytest.mark.parametrize("meeting", MEETING)
def test_a_slope_is_not_free_where_points_are_equal(meeting: str) -> None:
    """Keys and nonces chosen so that two points are one: the tangent's slope is right, and no other."""
    key, nonce = MEETING[meeting]
    claim = forged(key, nonce, 678, 12345, 6789)
    rule = JOIN if meeting == "a nonce is offset + key" else ON_CURVE
    broken, _ = of_claim(claim)
    assert rule in broken and broken <= {JOIN, ON_CURVE, STEP, *ENDS}  # what follows is off the curve, and ends nowhere
    assert of_claim(claim._replace(liked=None)) == (set(), {POINT.name})


OPPOSITE = {
    "a key is the offset's opposite": (minus(OFFSET), times(5)),
    "a nonce is the offset's opposite": (KEY, minus(OFFSET)),
    "offset + key is the base's opposite": (minus(plus(GENERATOR, OFFSET)), times(5)),
    "all three are the base's opposite": (KEY, minus(plus(GENERATOR, OFFSET, KEY))),
    "a nonce is the opposite of offset + key": (KEY, minus(plus(OFFSET, KEY))),
}


@pytest.mark.parametrize("liked", [7, None])
@pytest.mark.parametrize("meeting", OPPOSITE)
def test_opposite_points_have_no_slope(meeting: str, liked: int | None) -> None:
    """No line that is not upright goes through them: whatever the slope, a rule is broken."""
    key, nonce = OPPOSITE[meeting]
    broken, _ = of_claim(forged(key, nonce, 678, 12345, 6789)._replace(liked=liked))
    assert broken


def test_a_step_doubles_the_point_it_meets() -> None:
    """Under the key 2 B, a step that adds A leads to A + Q itself; the next adds it by the tangent alone."""
    claim = forged(times(2, START), times(5), 0, 1 << (ROWS - 2), 3)
    broken, _ = of_claim(claim)
    assert STEP in broken and broken <= {STEP, *ENDS}
    assert of_claim(claim._replace(liked=None)) == (set(), {POINT.name})


def test_a_point_off_the_curve_is_refused() -> None:
    claim = claim_of(signing(1)[0])
    for part in ("key", "nonce"):
        x, y = getattr(claim, part)
        broken, _ = of_claim(claim._replace(**{part: (x, y + 1)}))
        assert ON_CURVE in broken


# --- what is carried --------------------------------------------------------------------------------------------------


def test_what_is_carried_arrives() -> None:
    """Each message that one row sends and others receive, changed on its way."""
    claim = claim_of(signing(1)[0])
    table = block(claim)
    sent = {carry.kind: carry for carry in CARRIES if carry.times > 0}
    assert set(sent) == set(KINDS)
    for kind in KINDS:
        receivers = [carry for carry in CARRIES if carry.kind == kind and carry.times < 0]
        assert sum(carry.times for carry in receivers) == -sent[kind].times
    column = NAMES.index("side[1]")
    for row in (68, 57, 94):
        kept = table[column, row].copy()
        table[column, row] = from_ints([to_ints(table[column, row : row + 1])[0] ^ 1])[0]
        broken, buses = faults([(claim.key[0], claim.signed.message)], table)
        assert CARRIED.name in buses, row
        table[column, row] = kept


def test_a_message_is_lent_as_often_as_is_said() -> None:
    claim = claim_of(signing(1)[0])
    pair = (claim.key[0], claim.signed.message)
    assert faults([pair, pair], block(claim, times=2)) == NOTHING
    assert faults([pair], block(claim, times=2)) == (set(), {SIGNED.name})
    assert faults([(pair[0], pair[1] ^ 1)], block(claim)) == (set(), {SIGNED.name})


def test_the_library_in_use_agrees() -> None:
    """What the chip is told to lend is what fast-stark-crypto accepts."""
    signed = signing(1, seed=11)[0]
    assert fast_stark_crypto.verify(signed.public_key, signed.message, signed.r, signed.s)
    assert of_claim(claim_of(signed)) == NOTHING
