"""The ECDSA chip: every valid signature is proven, no other, and every cell of its rows matters."""

from __future__ import annotations

import random
from collections.abc import Sequence

import fast_stark_crypto
import pytest

from stark.air.check import broken_rules, check
from stark.air.chip import Must
from stark.air.system import Public, System
from stark.chips.ecdsa import SIGNED, Ecdsa
from stark.chips.ecdsa_rows import HALF_BITS, OFFSET, START
from stark.chips.ecdsa_table import fill_ecdsa, nobodys
from stark.chips.ranges import LIMB_BITS, Range
from stark.curve import GENERATOR, ORDER, is_on_curve, multiply_point
from stark.ecdsa import ELEMENT_LIMIT, KnownKeys, Signed, verify_batch
from stark.field import Felts
from stark.fixed import prepare
from stark.parameters import Parameters
from stark.prime import PRIME
from stark.prover import prove
from stark.verifier import verify
from tests.stark.ecdsa_signing import signing
from tests.stark.mutation import unnoticed

QUICK = Parameters(log_blowup=2, queries=6, grinding_bits=0, log_final=1)


def stating_tables(stated: Sequence[tuple[int, int]], chip: Ecdsa | None = None) -> tuple[System, list[int]]:
    """A system that states messages signed under keys, and its statement of these (key, message)."""
    names = [f"{part}{place}" for place in range(len(stated)) for part in ("key", "message")]

    def environment(public: Public, must: Must) -> None:
        for start in range(0, len(names), 2):
            must.receive(SIGNED, [getattr(public, name) for name in names[start : start + 2]])

    chips = [chip or Ecdsa(), Range()]
    return System("signing", chips, names, environment), [value for pair in stated for value in pair]


def stating(signatures: list[Signed], log_rows: int) -> tuple[System, list[int], list[Felts]]:
    """That system with an honest table."""
    system, public = stating_tables([(signed.public_key, signed.message) for signed in signatures])
    table, limbs = fill_ecdsa(signatures, [1] * len(signatures), log_rows)
    return system, public, [table, Range().fill(limbs)]


def test_signatures_are_proven() -> None:
    system, public, traces = stating(signing(3), 9)
    assert not list(check(system, public, traces))
    assert system.tables[0].degree == 5
    assert system.tables[0].trace_width + system.tables[0].bus_width == 11
    fixed = prepare(system, [9, LIMB_BITS], QUICK)
    proof = prove(fixed, public, traces)
    assert verify(fixed.key, public, proof) is None
    for place in range(len(public)):
        assert verify(fixed.key, [value + (index == place) for index, value in enumerate(public)], proof) is not None


def test_many_signatures_of_edge_messages_are_proven() -> None:
    found = []
    for private in (1, 2, ORDER - 1):
        for message in (0, 1, ELEMENT_LIMIT - 1):
            r, s = fast_stark_crypto.sign(private, message)
            if s < ELEMENT_LIMIT:
                found.append(Signed(fast_stark_crypto.get_public_key(private), message, r, s))
            found.append(Signed(found[-1].public_key, message, r, (ORDER - s) % ORDER))  # the twin is as valid
    found = [signed for signed in found if all(verify_batch([signed], KnownKeys()))]
    assert len(found) > 9
    system, public, traces = stating(found, 12)
    assert not list(check(system, public, traces))


def test_signatures_made_to_meet_special_points_are_proven() -> None:
    """Keys and nonces that are the base, its multiple, each other, or opposites: valid, so that they have a table."""
    found, high = [], 1 << HALF_BITS
    for private in (1, ORDER - 1, high, 97):
        for nonce in (1, ORDER - 1, 2, high, private, ORDER - private, 2 * private, high + private):
            point, message = multiply_point(nonce % ORDER, GENERATOR), 3
            assert point is not None
            s = (message + point[0] * private) * pow(nonce, -1, ORDER) % ORDER
            found.append(Signed(fast_stark_crypto.get_public_key(private), message, point[0], min(s, ORDER - s)))
    assert all(verify_batch(found, KnownKeys()))
    table, limbs = fill_ecdsa(found, [1] * len(found), 12)
    system, public = stating_tables([(signed.public_key, signed.message) for signed in found])
    assert len(found) == 32 and max(limbs) < 1 << LIMB_BITS
    assert not list(broken_rules(system.tables[0], public, table))


def test_every_cell_of_a_signature_and_of_an_unused_place_matters() -> None:
    """None is free: each is fixed by a rule, or by what a bus must match."""
    system, public, traces = stating(signing(1), 8)
    assert unnoticed(system, public, traces, {"range": 8}) == []


def test_what_nobody_asked_for_is_not_lent() -> None:
    """Unused places hold a true signature, sent no times."""
    system, public, traces = stating(signing(1), 8)
    nobody = nobodys()
    assert not list(check(system, public, traces))
    assert any("signed" in str(each) for each in check(system, [nobody.public_key, nobody.message], traces))


@pytest.mark.parametrize(
    "change",
    [
        {"r": 0}, {"s": 0}, {"s": ORDER}, {"r": ELEMENT_LIMIT}, {"s": ELEMENT_LIMIT}, {"message": ELEMENT_LIMIT},
        {"message": 5}, {"r": 7}, {"s": 7}, {"public_key": GENERATOR[0]}, {"public_key": 5}, {"public_key": PRIME + 1},
    ],
)  # fmt: skip
def test_what_is_not_valid_has_no_table(change: dict[str, int]) -> None:
    good, other = signing(2)
    with pytest.raises(ValueError, match="signature 1 is not valid"):
        fill_ecdsa([good, other._replace(**change)], [1, 1], 8)


def test_the_chip_lends_what_the_ledger_accepts() -> None:
    """Twins: batch verification and the chip agree on good signatures and on spoiled ones."""
    draw = random.Random(4)
    for signed in signing(6, seed=5):
        twin = signed._replace(s=ORDER - signed.s)
        for spoiled in (signed, twin, signed._replace(message=signed.message ^ draw.randrange(1, 4))):
            accepted = verify_batch([spoiled], KnownKeys())[0]
            if accepted:
                system, public, traces = stating([spoiled], 7)
                assert not list(check(system, public, traces))
            else:
                with pytest.raises(ValueError, match="not valid"):
                    fill_ecdsa([spoiled], [1], 7)


def test_points_that_nobody_knows_are_points() -> None:
    for point in (OFFSET, START):
        assert is_on_curve(point)
    assert len({point[0] for point in (OFFSET, START, GENERATOR)}) == 3


def test_too_many_signatures_are_refused() -> None:
    with pytest.raises(ValueError, match="hold 1"):
        fill_ecdsa(signing(2), [1, 1], 7)
