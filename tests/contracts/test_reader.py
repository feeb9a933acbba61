"""The reader's packed statements: contract and `circuit.packing` find the same elements, and refuse the same bytes."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkhead.circuit.packing import HEAD, PackingError, pack, packed_bytes_max, unpack
from stark.keccak import keccak256
from stark.prime import PRIME
from tests.circuit.test_packing import SHAPE, spoiled, statements
from tests.contracts.bridge import SHAPE as NUMBER
from tests.contracts.bridge import STRANGER, VERSION, number_of
from tests.contracts.machine import Chain, Reverted, compiled, word
from tests.contracts.statement import PROOFS, Layout

# A verifier that answers every question with a refusal, and says in it what it was asked.
ECHO = bytes.fromhex("600c600c600039600c6000f3" + "60043560005260206000fd")
LAYOUT = Layout(SHAPE.queue, SHAPE.forced, SHAPE.changes)
DIGESTS = LAYOUT.digests([(5, 7), (9, 8)])
FORM = ("reader: number", "reader: not an element", "reader: ends early", "reader: too many entries",
        "reader: bytes after its end")  # fmt: skip


class Asked(Chain):
    """A reader that tells which digest it would look for."""

    def __init__(self) -> None:
        super().__init__()
        code = compiled("Reader", PROOFS, LAYOUT.module)
        self.reader = self.place(code, [number_of(self.machine.deploy(ECHO)), VERSION, NUMBER])

    def digest(self, packed: bytes) -> bytes | str:
        """What the elements hash to, or why there are none."""
        try:
            self.call(self.reader, "settle", [number_of(STRANGER), *DIGESTS], packed)
        except Reverted as error:
            said = str(error)
            return said if said.startswith("reader: ") else bytes.fromhex(said.split("0x")[1][:64])
        raise AssertionError("a statement settled that nobody proved")


@cache
def asked() -> Asked:
    """One for all examples: it keeps nothing."""
    return Asked()


def digest_of(elements: list[int]) -> bytes:
    """What a verifier knows a statement by."""
    return keccak256(b"".join(map(word, elements)))


def same(packed: bytes) -> bool:
    """Whether bytes are a statement; the contract says the same, and has the same elements."""
    found = asked().digest(packed)
    try:
        elements = unpack(packed, SHAPE)
    except PackingError:
        assert found in FORM, packed.hex()
        return False
    assert found == digest_of([*elements, *DIGESTS]), packed.hex()
    return True


@settings(max_examples=60)
@given(statements(), st.randoms(use_true_random=False))
def test_contract_and_program_agree_on_any_bytes(elements: list[int], random: Random) -> None:
    """A statement, and twelve spoiled forms of it: about a fifth of them are another statement."""
    packed = pack(elements, SHAPE)
    assert same(packed)
    for octets in spoiled(packed, random, 12):
        if len(octets) <= packed_bytes_max(SHAPE):
            same(octets)


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_contract_and_program_agree_on_strange_bytes(octets: bytes) -> None:
    same(octets)


HEAD_BYTES = bytes(HEAD)


@pytest.mark.parametrize(
    ("packed", "reason"),
    [
        (b"", "ends early"), (HEAD_BYTES + bytes(2), "ends early"), (b"\1" * 20, "ends early"),
        (HEAD_BYTES + bytes(4), "bytes after its end"), (HEAD_BYTES + bytes(3) + b"\1", "bytes after its end"),
        (b"\2\0\7" + bytes(HEAD + 2), "number"), (b"\1\0" + bytes(HEAD + 2), "number"),
        *((bytes([size]) + b"\1" * size + bytes(HEAD + 2), "number") for size in (33, 34, 128, 255)),
        (bytes([32]) + word(PRIME) + bytes(HEAD + 2), "not an element"),
        (bytes([32]) + b"\xff" * 32 + bytes(HEAD + 2), "not an element"),
        *((HEAD_BYTES + bytes(place) + b"\1" + bytes([room + 1]) + bytes(2 - place), "too many entries")
          for place, room in enumerate((SHAPE.queue, SHAPE.queue, SHAPE.forced))),
        (HEAD_BYTES + b"\1\1\0\0" + b"\2\0\7\0\0", "number"), (HEAD_BYTES + b"\1\1\0\0" + b"\0\0", "ends early"),
        (HEAD_BYTES + b"\0\0\1\1" + b"\0\0\0\0" + bytes([32]) + word(PRIME), "not an element"),
    ],
)  # fmt: skip
def test_what_is_no_packed_form_is_refused_by_name(packed: bytes, reason: str) -> None:
    assert asked().digest(packed) == f"reader: {reason}" and not same(packed)
