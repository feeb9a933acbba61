"""Statements as they are published: one form for each, and a name for whatever is none."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkhead.circuit.batch import LISTS, SMALL, Lists, names_of, public_of
from bulkhead.circuit.packing import (
    HEAD,
    KEY_BYTES,
    PackingError,
    pack,
    packed_bytes_max,
    packed_number,
    unpack,
    unpack_at,
)
from bulkhead.circuit.words import ORDER_RECORD, POSITIONS, WORD_BITS, key_of
from stark.prime import PRIME

SHAPE = SMALL._replace(queue=2, forced=2, changes=5)
NAMES = names_of(SHAPE)
elements = st.one_of(st.integers(0, 300), st.integers(0, PRIME - 1), st.sampled_from([1 << 248, PRIME - 1]))


@st.composite
def statements(draw: st.DrawFn) -> list[int]:
    """Any that has a packed form, whether or not it can be proven."""
    head = dict(zip(NAMES, (draw(elements) for _ in range(HEAD)), strict=False))
    rooms = SHAPE.rooms()
    queues = [
        draw(st.lists(st.tuples(*[elements] * (len(LISTS[name]) - 1)), max_size=rooms[name]))
        for name in ("deposit", "paid", "forced")
    ]
    keys = draw(st.lists(st.integers(1, (1 << 8 * KEY_BYTES) - 1), max_size=rooms["changed"], unique=True))
    changed = [(key, draw(elements)) for key in sorted(keys)]
    return public_of(head, Lists(*queues, changed), SHAPE)


def statement(**values: int) -> list[int]:
    """One with nothing in its lists but what is named."""
    return [values.get(name, 0) for name in NAMES]


@given(statements())
@example([0] * len(NAMES))
@example([PRIME - 1] * HEAD + [0] * (len(NAMES) - HEAD))
def test_a_statement_is_its_packed_form_unpacked(elements: list[int]) -> None:
    packed = pack(elements, SHAPE)
    assert unpack(packed, SHAPE) == elements and len(packed) <= packed_bytes_max(SHAPE)
    assert unpack_at(b"before" + packed + b"after", 6, SHAPE) == (elements, 6 + len(packed))


@given(statements(), st.randoms(use_true_random=False))
def test_bytes_that_are_changed_are_another_statement_or_none(elements: list[int], random: Random) -> None:
    """No two strings of bytes are one statement: what still has a meaning is packed to itself."""
    packed = pack(elements, SHAPE)
    for octets in spoiled(packed, random, 30):
        try:
            found = unpack(octets, SHAPE)
        except PackingError:
            continue
        assert pack(found, SHAPE) == octets and (found != elements or octets == packed)


def spoiled(packed: bytes, random: Random, count: int) -> list[bytes]:
    """Bytes changed, put in, taken out, cut off and put behind."""
    found = []
    for _ in range(count):
        at = random.randrange(len(packed))
        octet = bytes([random.choice((0, 1, 2, 8, 17, 18, 31, 32, 33, 128, 255, random.randrange(256)))])
        found.append(random.choice((
            packed[:at] + octet + packed[at + 1 :], packed[:at] + octet + packed[at:],
            packed[:at] + packed[at + 1 :], packed[:at], packed + octet, b"",
        )))  # fmt: skip
    return found


@given(st.binary(max_size=400))
def test_strange_bytes_are_refused_or_have_one_meaning(octets: bytes) -> None:
    try:
        found = unpack(octets, SHAPE)
    except PackingError:
        return
    assert pack(found, SHAPE) == octets


def test_what_is_no_packed_form_is_named() -> None:
    """Of each way to write one statement in two manners, or none at all, one."""
    head, counts = b"\1\7" + bytes(HEAD - 1), bytes(4)
    assert unpack(head + counts, SHAPE) == statement(state_before=7)
    for octets, reason in (
        (b"", "end before the statement"), (head + counts[:-1], "end before the statement"),
        (b"\2\7", "end before the statement"), (head + counts + b"\0", "1 bytes after"),
        (b"\2\0\7" + bytes(HEAD + 3), "leading zero"), (b"\1\0" + bytes(HEAD + 3), "leading zero"),
        (bytes([33]) + b"\1" * 33 + bytes(HEAD + 3), "a number of 33 bytes"),
        (bytes([32]) + PRIME.to_bytes(32, "big") + bytes(HEAD + 3), "no element"),
        (head + b"\1\3\0\0\0", "3 entries of the list deposit"), (head + b"\0\1\3\0\0", "3 entries of the list paid"),
        (head + b"\0\0\1\3\0", "3 entries of the list forced"), (head + b"\0\0\0\1\6", "6 entries of the list changed"),
        (head + b"\0\0\0\1\1\0\0", "not above"), (head + b"\0\0\0\1\2\1\0\5\0\0", "not above"),
        (head + b"\0\0\0\1\1\2\0\0\5", "leading zero"), (head + b"\0\0\0\1\1\1\2\5\0\7", "leading zero"),
        (head + b"\0\0\0\1\1" + bytes([KEY_BYTES + 1, 0]) + b"\1" * (KEY_BYTES + 1), "a key of 18 bytes"),
        (head + b"\0\0\0\1\1\1" + bytes([33]) + b"\1" * 34, "a number of 33 bytes"),
        (head + b"\0\0\0\1\1\1" + bytes([32]) + b"\1" + PRIME.to_bytes(32, "big"), "no element"),
        (head + b"\0\0\0\1\1\1\1\5", "end before the statement"), (head + b"\0\0\0\1\1\1", "end before the statement"),
    ):  # fmt: skip
        with pytest.raises(PackingError, match=reason):
            unpack(octets, SHAPE)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"state_before": PRIME}, "no element"), ({"state_before": -1}, "no element"),
        ({"deposit_used_0": 2}, "deposit has a gap"), ({"deposit_used_1": 1}, "deposit has a gap"),
        ({"paid_amount_0": 3}, "paid has a gap"), ({"forced_kind_1": 1}, "forced has a gap"),
        ({"changed_used_1": 1, "changed_key_1": 3}, "changed has a gap"), ({"changed_value_4": 3}, "changed has a gap"),
        ({"changed_used_0": 1, "changed_used_1": 1, "changed_key_0": 3, "changed_key_1": 3}, "word 1: its key is not"),
        ({"changed_used_0": 1, "changed_used_1": 1, "changed_key_0": 3, "changed_key_1": 2}, "word 1: its key is not"),
        ({"changed_used_0": 1}, "word 0: its key is not"),
        ({"changed_used_0": 1, "changed_key_0": 1 << 8 * KEY_BYTES}, "a key of 18 bytes"),
    ],
)  # fmt: skip
def test_what_has_no_packed_form_is_named(values: dict[str, int], reason: str) -> None:
    with pytest.raises(PackingError, match=reason):
        pack(statement(**values), SHAPE)


def test_a_statement_of_another_shape_has_no_packed_form() -> None:
    for length in (0, HEAD, len(NAMES) - 1, len(NAMES) + 1):
        with pytest.raises(PackingError, match=f"{length} elements: a statement of this shape has {len(NAMES)}"):
            pack([0] * length, SHAPE)


def test_a_changed_position_takes_at_most_40_bytes() -> None:
    """Whatever came before it, whatever it holds: the bound that was asked for. No key of a word is too long."""
    key, word = key_of((1 << 32) - 1, POSITIONS + 63), (64 << 224) - 1
    first, second = {"changed_key_0": 1, "changed_used_0": 1}, {"changed_key_1": key, "changed_value_1": word}
    before, both = statement(**first), statement(**first, **second, changed_used_1=1)
    assert len(pack(both, SHAPE)) - len(pack(before, SHAPE)) <= 40
    order = key_of(ORDER_RECORD, (1 << 128) - 1)
    assert (order.bit_length() + 7) // 8 == KEY_BYTES and WORD_BITS == 32
    assert packed_number(order)[0] == KEY_BYTES
