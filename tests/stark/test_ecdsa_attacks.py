"""Against the ECDSA chip: witnesses true but for one lie, each stopped by the rule or the bus that is there for it."""

from __future__ import annotations

from collections.abc import Sequence

import fast_stark_crypto
import numpy as np
import pytest

from stark.air.check import Broken, Unbalanced, check
from stark.air.chip import Bus, Must, Row
from stark.chips.ecdsa import OFFSET, POINT, START, STEPS, WITH_BASE, WITH_KEY, WITH_NONCE, Affine, Ecdsa
from stark.chips.ecdsa_table import fill_ecdsa, points_of
from stark.curve import GENERATOR, ORDER, add_points, lift_x, multiply_point, negate_point
from stark.ecdsa import ELEMENT_LIMIT, KnownKeys, Signed, verify_batch
from stark.field import Felts
from stark.prime import PRIME
from tests.stark.ecdsa_witness import Claim, block, sums, taken
from tests.stark.test_ecdsa_chip import signing, stating_tables

ENDS = {"x of the end", "y of the end"}
FIRST = "offset and nonce, nonce and base, both and base differ"
SECOND = "key and nonce differ"
THIRD = "offset and key, key and base differ, s is not zero"


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


def claim_of(signed: Signed) -> Claim:
    """What an honest prover claims."""
    key, nonce = points_of([signed])[0]
    return Claim(key, nonce, signed.r, signed.s, signed.message)


def faults(
    stated: Sequence[tuple[int, int]], blocks: Sequence[Felts], chip: Ecdsa | None = None
) -> tuple[set[str], list[Unbalanced]]:
    """The rules that a table breaks when these (key, message) are stated, and what does not balance."""
    table = np.concatenate(blocks, axis=1)
    system, public = stating_tables(stated, chip)
    found = list(check(system, public, [table]))
    return {each.rule for each in found if isinstance(each, Broken)}, [
        each for each in found if isinstance(each, Unbalanced)
    ]


def test_the_witness_of_an_honest_claim_is_the_table() -> None:
    """Twins: the table's kernels and plain integers, cell by cell."""
    signatures = signing(2, seed=8)
    blocks = [block(claim_of(signed), number) for number, signed in enumerate(signatures)]
    assert np.array_equal(np.concatenate(blocks, axis=1), fill_ecdsa(signatures, [1, 1], 9))


def test_no_point_has_x_zero() -> None:
    """So r is never zero: its point lies on the curve."""
    assert lift_x(0) is None
    claim = claim_of(signing(1)[0])
    broken, _ = faults([(claim.key[0], claim.message)], [block(claim._replace(nonce=(0, 5), r=0))])
    assert "nonce: the point lies on the curve" in broken


def test_s_is_not_zero() -> None:
    """Whoever knows a key's logarithm could find r with r Q + z G = 0, and name any point R that has this x."""
    message, private = 55, 1
    while True:
        private += 1
        r = -message * pow(private, -1, ORDER) % ORDER
        nonce = lift_x(r) if r < ELEMENT_LIMIT else None
        if nonce is not None:
            break
    claim = Claim(times(private), nonce, r, 0, message)
    assert faults([(claim.key[0], message)], [block(claim)]) == ({THIRD}, [])


class WithoutSelectors(Ecdsa):
    """The chip, were points known by their coordinates alone."""

    def constrain(self, row: Row, must: Must) -> None:
        """The same rules, and messages without a selector."""
        inner = Must()
        super().constrain(row, inner)
        must.constraints += inner.constraints
        bus = Bus(POINT.name, ("number", "x", "y"))
        for message in inner.messages:
            values = message.values
            is_point = message.bus == POINT
            must.send(*((bus, [values[0], *values[2:]]) if is_point else (message.bus, values)), message.times)


def test_equal_points_are_told_apart_by_their_selectors() -> None:
    """With V = G - Q the points A + Q + V and A + G are one, under any key.

    If copies of one could stand for copies of the other, r of the one and -r of the other would be none at all, and
    P - r a message that nobody signed: the ladder adds nothing.
    """
    key = lift_x(signing(1)[0].public_key)
    assert key is not None
    nonce = plus(GENERATOR, minus(key))
    copies = ((1 << STEPS) - 1, 0, 0, nonce[0], -nonce[0], 0, 0, 0)
    stated = [(key[0], PRIME - nonce[0])]
    forged = [block(Claim(key, nonce, 0, 0, 0, copies=copies))]
    assert faults(stated, forged, WithoutSelectors()) == (set(), [])
    broken, unbalanced = faults(stated, forged)
    point = plus(OFFSET, GENERATOR)
    assert not broken
    assert [each.values for each in unbalanced] == [
        (0, WITH_KEY + WITH_NONCE, *point), (0, WITH_BASE, *point)
    ]  # fmt: skip
    assert {each.bus for each in unbalanced} == {POINT.name}


def test_a_nonce_of_two_signs_lends_what_is_signed() -> None:
    """V in A + Q + V may be the opposite of V in A + V. Then s is a difference, and the signature is as valid."""
    private, secret = 1234567, 7654321
    point, key = times(secret), times(private)
    r = point[0]
    ones = int.from_bytes(b"\x35\xa9\x17\xee" * 8, "big") >> 5  # where V is added, of whichever sign
    s = (ones & ~r) - (ones & r)
    message = (s * secret - r * private) % ORDER
    assert max(r, abs(s), message) < ELEMENT_LIMIT
    claim = Claim(key, minus(point), r, ones, message, nonce_of_both=point)
    assert faults([(key[0], message)], [block(claim)]) == (set(), [])
    assert verify_batch([Signed(key[0], message, r, abs(s))], KnownKeys()) == [True]


KEY = times(99991)
MEETING = {
    "a key is the offset": (OFFSET, times(5), THIRD),
    "a key is the offset's opposite": (minus(OFFSET), times(5), THIRD),
    "a nonce is the offset": (KEY, OFFSET, FIRST),
    "a nonce is the offset's opposite": (KEY, minus(OFFSET), FIRST),
    "offset + key is the base": (plus(GENERATOR, minus(OFFSET)), times(5), THIRD),
    "offset + key is the base's opposite": (minus(plus(GENERATOR, OFFSET)), times(5), THIRD),
    "offset + nonce is the base": (KEY, plus(GENERATOR, minus(OFFSET)), FIRST),
    "offset + nonce is the base's opposite": (KEY, minus(plus(GENERATOR, OFFSET)), FIRST),
    "all three are the base": (KEY, plus(GENERATOR, minus(OFFSET), minus(KEY)), FIRST),
    "all three are the base's opposite": (KEY, minus(plus(GENERATOR, OFFSET, KEY)), FIRST),
    "a nonce is offset + key": (KEY, plus(OFFSET, KEY), SECOND),
    "a nonce is the opposite of offset + key": (KEY, minus(plus(OFFSET, KEY)), SECOND),
}


@pytest.mark.parametrize("meeting", MEETING)
def test_a_slope_is_not_free_where_points_meet(meeting: str) -> None:
    """Keys and nonces chosen so that two points have one x: in deriving them, the inverse alone is missing."""
    key, nonce, rule = MEETING[meeting]
    claim = Claim(key, nonce, nonce[0], 12345, 678)
    broken, unbalanced = faults([(key[0], 678)], [block(claim)])
    assert rule in broken
    opposite_of_base = {"slope to the base"} if meeting.endswith("the base's opposite") else set()
    assert broken == {rule} | opposite_of_base | ENDS
    assert not unbalanced


def test_a_step_does_not_meet_the_point_it_adds() -> None:
    """Under the key 2 B, a step that adds nothing leads to A + Q itself, and the next could add it by any slope."""
    key = times(2, START)
    nonce = times(5)
    r = 1 << (STEPS - 2)
    claim = Claim(key, nonce, r, 3, 5, copies=None)
    broken, _ = faults([(key[0], 5)], [block(claim)])
    assert "the added point differs" in broken
    assert broken <= {"the added point differs", "y of a step", *ENDS}


@pytest.mark.parametrize("changes", [{"r": 7}, {"s": 7}, {"message": 7}, {"key": times(3)}, {"nonce": times(3)}])
def test_a_forged_signature_does_not_end_where_it_must(changes: dict[str, int]) -> None:
    """All rules hold but those of the end, whichever part is another's."""
    claim = claim_of(signing(1)[0])._replace(**changes)  # type: ignore[arg-type]
    broken, unbalanced = faults([(claim.key[0], claim.message)], [block(claim)])
    assert broken == ENDS
    assert bool(unbalanced) == (claim.r != claim.nonce[0])  # r is the x of the nonce, or copies do not match


def test_a_point_off_the_curve_is_refused() -> None:
    claim = claim_of(signing(1)[0])
    x, y = claim.key
    broken, _ = faults([(x, claim.message)], [block(claim._replace(key=(x, y + 1)))])
    assert "key: the point lies on the curve" in broken
    x, y = claim.nonce
    broken, _ = faults([(claim.key[0], claim.message)], [block(claim._replace(nonce=(x, y + 1)))])
    assert {"nonce: the point lies on the curve", "nonce, with the key: the point lies on the curve"} <= broken


@pytest.mark.parametrize(
    ("one", "other"), [(0, 4), (4, 0), (1, 5), (2, 6), (3, 7), (0, 1), (0, 2), (5, 6), (7, 4), (1, 2)]
)
def test_false_counts_find_no_partner(one: int, other: int) -> None:
    """A copy of one point sent in place of another's: no rule minds, and the bus does."""
    claim = claim_of(signing(1)[0])
    copies = taken(claim)
    copies[one] -= 1
    copies[other] += 1
    r, message = sum(copies[kind] for kind in (1, 3, 5, 7)), sum(copies[kind] for kind in (4, 5, 6, 7))
    broken, unbalanced = faults([(claim.key[0], message)], [block(claim._replace(copies=tuple(copies)))])
    points = sums(claim)
    said = {each.values[1]: (each.values[2:], each.surplus) for each in unbalanced}
    assert not broken
    expected = {one: -1, other: 1}
    if r != claim.r:  # copies of A + Q + V are what the others leave of r
        expected[3] = expected.get(3, 0) + claim.r - r
    assert said == {kind: (points[kind].point, surplus) for kind, surplus in expected.items() if surplus}


def test_points_of_another_signature_are_not_lent() -> None:
    """Two signatures swap their ladders. With one number for both, that alone is wrong; with two, no point is lent."""
    claims = [claim_of(signed) for signed in signing(2, seed=3)]
    stated = [(claim.key[0], claim.message) for claim in claims]
    for numbers, rules in (((0, 0), {"numbers count signatures"}), ((0, 1), set())):
        blocks = [
            block(claim, number, lent_by=other)
            for claim, number, other in zip(claims, numbers, reversed(claims), strict=True)
        ]
        broken, unbalanced = faults(stated, blocks)
        assert broken == rules
        assert {each.bus for each in unbalanced} == (set() if rules else {POINT.name})


def test_numbers_begin_at_zero_and_rise_by_one() -> None:
    claims = [claim_of(signed) for signed in signing(2, seed=3)]
    stated = [(claim.key[0], claim.message) for claim in claims]
    for numbers, rules in (
        ((0, 1), set()), ((1, 2), {"the first signature has number 0"}), ((0, 2), {"numbers count signatures"}),
        ((0, PRIME - 1), {"numbers count signatures"}),
    ):  # fmt: skip
        blocks = [block(claim, number) for claim, number in zip(claims, numbers, strict=True)]
        assert faults(stated, blocks) == (rules, [])


@pytest.mark.parametrize(("name", "buses"), [("r", {POINT.name}), ("s", set()), ("message", {"signed"})])
def test_a_scalar_has_251_bits(name: str, buses: set[str]) -> None:
    """Relations that hold of longer integers: their highest bit has no step, and copies cannot make up for it."""
    private, secret, s = 4321, 5, 99
    point = times(secret)
    r = point[0] + (PRIME if name == "r" else 0)  # as a field element the same
    message = (s * secret - r * private) % ORDER
    if name == "s":
        s += ELEMENT_LIMIT
        message = (s * secret - r * private) % ORDER
    if name == "message":
        message = ELEMENT_LIMIT + 17
        s = (message + r * private) * pow(secret, -1, ORDER) % ORDER
    broken, unbalanced = faults(
        [(times(private)[0], message)], [block(Claim(times(private), minus(point), r, s, message))]
    )
    assert broken == ENDS
    assert {each.bus for each in unbalanced} == buses


def test_the_library_in_use_agrees() -> None:
    """What the chip is told to lend is what fast-stark-crypto accepts."""
    signed = signing(1, seed=11)[0]
    assert fast_stark_crypto.verify(signed.public_key, signed.message, signed.r, signed.s)
    assert faults([(signed.public_key, signed.message)], [block(claim_of(signed))]) == (set(), [])
