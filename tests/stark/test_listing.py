"""What a statement lists: one form, in order, bound to the proof entry by entry."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from stark.air.check import check
from stark.air.chip import Bus
from stark.air.system import System
from stark.emit import MISSING_MAX, emit
from stark.fixed import prepare
from stark.keccak import keccak256
from stark.key import Key
from stark.parameters import TEST, Parameters
from stark.prime import PRIME
from stark.prover import prove
from stark.security import shape_of
from stark.verifier import verify
from tests.stark.listed import LAST, LISTING, LOG_HEIGHTS, SYSTEM, Count, Words, environment, listed
from tests.stark.toy import SYSTEM as TOY

PARAMETERS = Parameters(log_blowup=2, queries=8, grinding_bits=4, log_final=2)


@pytest.mark.parametrize("count", [0, 1, 7, 40])
def test_a_statement_lists_as_many_entries_as_there_are(count: int) -> None:
    one = listed(count)
    fixed = prepare(SYSTEM, LOG_HEIGHTS, PARAMETERS)
    assert list(check(SYSTEM, one.public, one.traces)) == []
    proof = prove(fixed, one.public, one.traces)
    assert verify(fixed.key, one.public, proof) is None
    for spoiled in ([*one.public[:-2]], [*one.public, 2**120, 1], [one.public[0] + 1, *one.public[1:]]):
        if spoiled != one.public and len(spoiled) > 0:
            assert verify(fixed.key, spoiled, proof) is not None


def test_every_listed_value_is_bound() -> None:
    one = listed(7)
    fixed = prepare(SYSTEM, LOG_HEIGHTS, PARAMETERS)
    proof = prove(fixed, one.public, one.traces)
    for place in range(1, len(one.public)):
        for value in (one.public[place] ^ 1, one.public[place] + PRIME, -1):
            spoiled = [*one.public]
            spoiled[place] = value
            assert verify(fixed.key, spoiled, proof) is not None


def test_a_list_that_says_something_else_than_the_tables_is_told_by_message() -> None:
    one = listed(3)
    missing = [str(each) for each in check(SYSTEM, one.public[:-2], one.traces)]
    assert len(missing) == 1 and "told" in missing[0] and "sent and not received" in missing[0]
    more = [str(each) for each in check(SYSTEM, [*one.public, 2**120, 5], one.traces)]
    assert len(more) == 1 and f"({2**120}, 5): received and not sent" in more[0]


def test_a_forger_who_proves_a_false_list_is_refused() -> None:
    """The prover makes what he is asked for; the balance of buses tells it."""
    one = listed(5)
    fixed = prepare(SYSTEM, LOG_HEIGHTS, PARAMETERS)
    for false in (one.public[:-2], [*one.public, 2**120, 5], [*one.public[:-1], (one.public[-1] + 1) % PRIME]):
        rejected = verify(fixed.key, false, prove(fixed, false, one.traces))
        assert rejected is not None and "do not balance" in str(rejected)


def test_entries_are_in_order_and_of_the_field() -> None:
    key = Key(SYSTEM, LOG_HEIGHTS, TEST, bytes(32))
    for listed_, reason in (
        ([5, 0, 5, 0], "keys rise"), ([6, 0, 5, 0], "keys rise"), ([0, 1], "keys rise"), ([5], "keys and values"),
        ([5, PRIME], "field element"), ([5, -1], "field element"), ([1 << 240, 0], "at most 30 bytes"),
        ([value for place in range(1, 42) for value in (place, 0)], "room for 40"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=reason):
            key.said([1, *listed_])
    with pytest.raises(ValueError, match="states 1 elements; 0 were given"):
        key.said([])
    with pytest.raises(ValueError, match="states 2 elements; 3 were given"):
        Key(TOY, [6, 6], TEST, bytes(32)).said([1, 2, 3])


entries = some.lists(
    some.tuples(some.integers(1, (1 << 240) - 1), some.integers(0, PRIME - 1)),
    max_size=LISTING.room, unique_by=lambda entry: entry[0],
)  # fmt: skip


@given(entries)
def test_pages_say_what_was_listed_and_each_is_full(told: list[tuple[int, ...]]) -> None:
    flat = [value for entry in sorted(told) for value in entry]
    pages = LISTING.pack(flat)
    assert [value for page in pages for value in LISTING.unpack(page)] == flat
    assert len(pages) <= LISTING.pages
    assert all(0 < len(page) <= LISTING.page_bytes for page in pages)
    for page, after in zip(pages, pages[1:], strict=False):
        first = LISTING.unpack(after)[:2]
        assert len(page) + len(LISTING.pack(first)[0]) - 64 - _spared(page, first[0]) > LISTING.page_bytes
    assert LISTING.digests(flat)[: len(pages)] == [int.from_bytes(keccak256(page), "big") for page in pages]
    assert LISTING.digests(flat)[len(pages) :] == [0] * (LISTING.pages - len(pages))


def _spared(page: bytes, first: int) -> int:
    """What the next page's first entry would have been shorter by on this page."""
    before = LISTING.unpack(page)[-2]
    return (first.bit_length() + 7) // 8 - ((first - before).bit_length() + 7) // 8


ENDS = [bytes(64)] * 8 + [bytes(63), bytes(65), bytes(63) + b"\1"]


def test_whatever_bytes_are_a_page_are_the_page_of_what_they_say() -> None:
    """Any bytes: refused by name, or the one form of their entries."""
    draw = random.Random(7)
    honest = LISTING.pack(listed(20).public[1:])
    accepted = 0
    for _ in range(5_000):
        page = bytearray(draw.choice(honest)[:-64][: draw.choice([30, 120, 300])])
        for _ in range(draw.choice([0, 0, 1, 2])):
            page[draw.randrange(len(page))] = draw.choice([0, 1, 2, 32, 33, 255, draw.randrange(256)])
        try:
            told = LISTING.unpack(bytes(page) + draw.choice(ENDS))
        except ValueError:
            continue
        accepted += 1
        assert LISTING.pack(told) == [bytes(page) + bytes(64)]
    assert 50 < accepted < 4_000
    for wrong in (b"", bytes(64), bytes(241), honest[0][:-1]):
        with pytest.raises(ValueError, match="are no page"):
            LISTING.unpack(wrong)


def test_a_system_is_bound_to_what_it_lists() -> None:
    """Other bounds, another sign, no listing: other words, so another digest; and a shape counts its messages."""
    others = [None, *(LISTING._replace(**change) for change in ({"times": 1}, {"room": 41}, {"page_bytes": 241}))]
    made = [System("listed", [Words(), Count()], ["last"], environment, listing=each) for each in [LISTING, *others]]
    words = [each.words() for each in made]
    assert len({tuple(each) for each in words}) == len(words)
    assert shape_of(SYSTEM, LOG_HEIGHTS).outside_fractions == 1 + LISTING.room
    for wrong in ({"times": 0}, {"room": 0}, {"page_bytes": 127}):
        with pytest.raises(ValueError, match="a listing and a page have room"):
            System("listed", [Words(), Count()], ["last"], environment, listing=LISTING._replace(**wrong))
    unknown = LISTING._replace(bus=Bus("other", ("key", "value")))
    with pytest.raises(ValueError, match="entries have a key and a value, not value"):
        System("toy", [Words(), Count()], ["last"], environment, listing=LISTING._replace(bus=LAST))
    with pytest.raises(ValueError, match="lists on other, a bus that no chip knows"):
        System("listed", [Words(), Count()], ["last"], environment, listing=unknown)


def test_contracts_are_made_for_no_more_parts_and_pages_than_a_word_has_bits_for() -> None:
    """A page whose bit is beyond the word would never be missing, and what it sums to taken on trust."""

    def key(parts: int, room: int) -> Key:
        listing = LISTING._replace(room=room, page_bytes=128)  # a page for each 64 bytes that entries may take
        system = System("listed", [Words(), Count()], ["last"], environment, listing=listing)
        parameters = Parameters(log_blowup=2, queries=parts, grinding_bits=4, log_final=2, part_queries=1)
        made = Key(system, LOG_HEIGHTS, parameters, bytes(32))
        assert (made.parameters.parts, listing.pages) == (parts, 64 * room)
        return made

    assert MISSING_MAX < 256
    assert "PAGES: constant(uint256) = 192" in emit(key(MISSING_MAX - 192, 3)).shape
    for parts, room in ((MISSING_MAX - 191, 3), (1, 4), (MISSING_MAX + 1, 1)):
        with pytest.raises(ValueError, match=f"listed: {parts} parts and {64 * room} pages; a contract counts 255"):
            emit(key(parts, room))
