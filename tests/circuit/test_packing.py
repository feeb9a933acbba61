"""Statements as they are published: one form for each, and a name for whatever is none."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkhead.circuit.batch import LISTS, SMALL, Lists, names_of, public_of
from bulkhead.circuit.packing import (
    HEAD,
    PackingError,
    pack,
    packed_bytes_max,
    unpack,
    unpack_at,
)
from bulkhead.circuit.words import POSITIONS, key_of
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
    return public_of(head, Lists(*queues, []), SHAPE)


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
    head, counts = b"\1\7" + bytes(HEAD - 1), bytes(3)
    assert unpack(head + counts, SHAPE) == statement(state_before=7)
    for octets, reason in (
        (b"", "end before the statement"), (head + counts[:-1], "end before the statement"),
        (b"\2\7", "end before the statement"), (head + counts + b"\0", "1 bytes after"),
        (b"\2\0\7" + bytes(HEAD + 2), "leading zero"), (b"\1\0" + bytes(HEAD + 2), "leading zero"),
        (bytes([33]) + b"\1" * 33 + bytes(HEAD + 2), "a number of 33 bytes"),
        (bytes([32]) + PRIME.to_bytes(32, "big") + bytes(HEAD + 2), "no element"),
        (head + b"\1\3\0\0", "3 entries of the list deposit"), (head + b"\0\1\3\0", "3 entries of the list paid"),
        (head + b"\0\0\1\3", "3 entries of the list forced"), (head + b"\1\1\0\0\1\5", "end before the statement"),
        (head + b"\1\1\0\0\2\0\5", "leading zero"),
    ):  # fmt: skip
        with pytest.raises(PackingError, match=reason):
            unpack(octets, SHAPE)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"state_before": PRIME}, "no element"), ({"state_before": -1}, "no element"),
        ({"deposit_used_0": 2}, "deposit has a gap"), ({"deposit_used_1": 1}, "deposit has a gap"),
        ({"paid_amount_0": 3}, "paid has a gap"), ({"forced_kind_1": 1}, "forced has a gap"),
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
    """Whatever came before it, whatever it holds: the bound that was asked for."""
    key, word = key_of((1 << 32) - 1, POSITIONS + 63), (64 << 224) - 1
    [before], [both] = SHAPE.listing.pack([1, 0]), SHAPE.listing.pack([1, 0, key, word])
    assert len(both) - len(before) <= 40


def test_a_statement_lists_its_changed_words_behind_its_elements() -> None:
    """As many as the shape has room for, in the order of their keys."""
    words = [(key, key + 7) for key in range(1, SHAPE.changes + 1)]
    made = public_of(dict.fromkeys(NAMES, 0), Lists([], [], [], words), SHAPE)
    assert made == [*statement(), *(value for word in words for value in word)]
    with pytest.raises(ValueError, match="6 changed words: a batch of this shape publishes 5"):
        public_of(dict.fromkeys(NAMES, 0), Lists([], [], [], [*words, (9, 9)]), SHAPE)
