"""Which call is next for a proof with parts and pages of any length: a verifier that only counts, and cuts by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import pytest
from eth_utils.crypto import keccak

from bulkhead.bridge.chain import Receipt
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.statements import CALLDATA_BYTES, WORD_BYTES, Asked, Proving, digest_of, give_proof
from stark.split import Part, Split
from tests.bridge.chains import DEPLOYER

CLAIM = (11, 12, 13)
ROLLUP, PACKED = "0x" + "ab" * 20, bytes(900)
PARTS_MAX = 4  # of the key; the proofs here have fewer, as where queries met: pages are counted above them all
SHORT, LONG, FULL = 30_000, 70_000, 112_000


def cut(head: int, parts: Sequence[int], pages: Sequence[int], pages_max: int = 3) -> Split:
    """A proof whose pieces have so many bytes, each its own."""
    listed = [bytes([0x70 + number]) * size for number, size in enumerate(pages)]
    digests = [int.from_bytes(keccak(page), "big") for page in listed]
    said = [7, 8, *digests, *[0] * (pages_max - len(digests))]
    answers = [Part(100 + number, bytes([number + 1]) * size) for number, size in enumerate(parts)]
    return Split(said, [1, 2], bytes(head), answers, listed, PARTS_MAX, pages_max)


def encoded(value: Any) -> int:
    """Bytes of an argument as the ABI has it: words as they are, and bytes with where they stand and their length."""
    if isinstance(value, bytes):
        return WORD_BYTES * (2 + -(-len(value) // WORD_BYTES))
    return WORD_BYTES * (len(value) if isinstance(value, list | tuple) else 1)


class Counting:
    """In a verifier's place: takes what it has not, as `Verifier` does, and keeps what was sent."""

    def __init__(self, proof: Split) -> None:
        self.proof = proof
        self.lacks: int | None = None  # as `Verifier.missing`; None before it is opened
        self.sent: list[tuple[str, int | None, int | None]] = []  # function, part, page

    def data(self, name: str, *arguments: Any) -> bytes:
        """As many bytes as calldata would have."""
        return bytes(4 + sum(map(encoded, arguments)))

    def call(self, name: str, *arguments: Any) -> Any:
        """What is asked of a verifier."""
        if name == "open":
            return CLAIM
        known = arguments == (digest_of(self.proof.said if name == "is_proven" else CLAIM),)
        assert known, "asked about another statement or claim"
        if name == "statement_of":
            return bytes(WORD_BYTES) if self.lacks is None else digest_of(self.proof.said)
        return {"is_proven": self.lacks == 0, "missing": self.lacks}[name]

    def transact(self, signer: Any, name: str, *arguments: Any) -> Receipt:
        """What is sent to a verifier."""
        assert name in ("open", "begin", "answer", "publish")
        given: tuple[Any, ...] = (0, 0, b"", 0, b"")
        if name in ("open", "begin"):
            assert self.lacks is None, "a head that was opened is opened again"
            assert arguments[:3] == (self.proof.said, self.proof.hints, self.proof.head)
            self.lacks = (1 << len(self.proof.parts)) - 1 + (((1 << len(self.proof.pages)) - 1) << PARTS_MAX)
            given = arguments[3:] or given
        else:
            assert arguments[0] == CLAIM
            given = (*arguments[1:], 0, b"") if name == "answer" else (0, 0, b"", *arguments[1:])
        self.sent.append((name, self._answer(*given[:3]), self._publish(*given[3:])))
        return cast(Receipt, Fee(len(self.data(name, *arguments))))

    def _answer(self, part: int, hint: int, data: bytes) -> int | None:
        if not data:
            return None
        assert self.proof.parts[part] == (hint, data), "the answers of another part"
        self._take(part)
        return part

    def _publish(self, page: int, listed: bytes) -> int | None:
        if not listed:
            return None
        assert self.proof.pages[page] == listed, "the bytes of another page"
        self._take(PARTS_MAX + page)
        return page

    def _take(self, bit: int) -> None:
        assert self.lacks is not None and self.lacks >> bit & 1, "sent although it was there"
        self.lacks -= 1 << bit


class Fee(NamedTuple):
    """Of a receipt, what is read here."""

    gas_used: int


def made(proof: Split) -> tuple[Proving, Counting]:
    """A proof, and the verifier that it is given to."""
    verifier = Counting(proof)
    return Proving(cast(Contract, verifier), proof), verifier


@pytest.mark.parametrize(
    ("head", "parts", "pages", "name", "part", "page"),
    [
        (20_000, [SHORT, SHORT], [SHORT, LONG], "begin", 1, 1),
        (20_000, [SHORT, SHORT], [FULL, 900], "begin", 1, 1),  # a short last page, behind a full one
        (20_000, [SHORT, SHORT], [SHORT, FULL], "begin", 1, None),  # a long one
        (20_000, [SHORT, SHORT], [], "begin", 1, None),
        (50_000, [SHORT, 80_000], [SHORT, LONG], "begin", None, 1),
        (50_000, [SHORT, 80_000], [SHORT, FULL], "open", None, None),
        (50_000, [SHORT, 80_000], [], "open", None, None),
        (123_900, [SHORT], [500], "begin", None, 0),  # room for a page of 500 bytes, and for nothing else
    ],
)
def test_a_proof_is_opened_with_what_has_room_beside_its_head(
    head: int, parts: list[int], pages: list[int], name: str, part: int | None, page: int | None
) -> None:
    proving, verifier = made(cut(head, parts, pages))
    asked = proving.opening()
    assert proving.fits(proving.verifier, asked) and asked.name == name
    verifier.transact(DEPLOYER, asked.name, *asked.arguments)
    assert verifier.sent == [(name, part, page)]


def longest(fits: Callable[[int], bool]) -> int:
    """The most bytes with which something still fits."""
    low, high = 0, CALLDATA_BYTES
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def test_a_byte_more_than_nodes_pass_on_does_not_go_with_the_head() -> None:
    def page_of(size: int) -> int | None:
        proving, verifier = made(cut(20_000, [SHORT], [size]))
        asked = proving.opening()
        verifier.transact(DEPLOYER, asked.name, *asked.arguments)
        return verifier.sent[0][2]

    size = longest(lambda each: page_of(each) == 0)
    assert page_of(size + 1) is None
    proving, _ = made(cut(20_000, [SHORT], [size]))
    length = len(proving.verifier.data("begin", *proving.opening().arguments))
    assert CALLDATA_BYTES - WORD_BYTES < length <= CALLDATA_BYTES


def test_parts_are_supplied_first_and_the_first_page_last() -> None:
    proving, verifier = made(cut(20_000, [SHORT] * 3, [FULL, FULL, 900]))
    verifier.transact(DEPLOYER, "open", *proving.opening().arguments[:3])
    order = []
    while verifier.lacks:
        asked, number = proving.supply(CLAIM, verifier.lacks)
        before = verifier.lacks
        verifier.transact(DEPLOYER, asked.name, *asked.arguments)
        assert before - verifier.lacks == 1 << number
        order.append(number)
    assert order == [0, 1, 2, PARTS_MAX + 2, PARTS_MAX + 1, PARTS_MAX]


def page_bits(*pages: int) -> int:
    """What is missing where these pages are."""
    return sum(1 << (PARTS_MAX + page) for page in pages)


def test_a_batch_settles_with_the_one_page_that_is_missing_if_it_has_room() -> None:
    proof = cut(20_000, [SHORT] * 3, [FULL, 124_000, 900])
    proving, verifier = made(proof)
    reader = cast(Contract, verifier)

    def settling(missing: int) -> Asked | None:
        return proving.settling(reader, ROLLUP, PACKED, missing, CLAIM)

    settle = (ROLLUP, proof.said[2:], PACKED)
    assert settling(0) == Asked("settle", settle)
    for page in (0, 2):
        both = settling(page_bits(page))
        assert both == Asked("publish_and_settle", (*settle, CLAIM, page, proof.pages[page]))
    assert settling(page_bits(1)) is None, "it has no room"
    for more in (1, 4, 1 | page_bits(0), page_bits(0, 2), page_bits(0, 1, 2)):
        assert settling(more) is None, "more is missing than a page"


def test_a_byte_more_than_nodes_pass_on_does_not_go_with_the_settlement() -> None:
    def asked(size: int) -> Asked | None:
        proving, verifier = made(cut(20_000, [SHORT], [size]))
        return proving.settling(cast(Contract, verifier), ROLLUP, PACKED, page_bits(0), CLAIM)

    size = longest(lambda each: asked(each) is not None)
    both = asked(size)
    assert both is not None and asked(size + 1) is None
    length = len(Counting(cut(0, [], [])).data(both.name, *both.arguments))
    assert CALLDATA_BYTES - WORD_BYTES < length <= CALLDATA_BYTES


def test_what_lists_nothing_settles_without_pages() -> None:
    proof = cut(20_000, [SHORT], [], pages_max=0)
    proving, verifier = made(proof)
    assert proving.settling(cast(Contract, verifier), ROLLUP, PACKED, 0, CLAIM) == Asked("settle", (ROLLUP, [], PACKED))


OPENED = ("begin", 2, 2)
ANSWERS = [("answer", 0, None), ("answer", 1, None)]
PAGES = [("publish", None, 1), ("publish", None, 0)]


@pytest.mark.parametrize("but_last", [False, True])
def test_a_proof_of_several_pages_is_given_whole_or_but_for_the_first(but_last: bool) -> None:
    proving, verifier = made(cut(20_000, [SHORT] * 3, [FULL, FULL, 900]))
    heard: list[tuple[str, int]] = []
    missing, claim = give_proof(DEPLOYER, proving, lambda *told: heard.append(told), but_last=but_last)
    assert claim == CLAIM and missing == verifier.lacks == (page_bits(0) if but_last else 0)
    assert verifier.sent == [OPENED, *ANSWERS, *(PAGES[:1] if but_last else PAGES)]
    done = ["opened a proof", "answered part 1", "answered part 2", "published page 2", "published page 1"]
    assert [each for each, _ in heard] == done[: len(verifier.sent)] and all(gas > 4 for _, gas in heard)
    again = len(verifier.sent)
    assert give_proof(DEPLOYER, proving, but_last=but_last) == (missing, CLAIM)
    assert len(verifier.sent) == again, "sent twice"
    assert give_proof(DEPLOYER, proving) == (0, CLAIM) and verifier.lacks == 0


@pytest.mark.parametrize("but_last", [False, True])
@pytest.mark.parametrize("pages", [[], [900]], ids=["no page", "a page that goes with the head"])
def test_a_part_is_never_left_to_whoever_settles(pages: list[int], but_last: bool) -> None:
    proving, verifier = made(cut(20_000, [SHORT] * 3, pages))
    assert give_proof(DEPLOYER, proving, but_last=but_last) == (0, CLAIM)
    assert verifier.sent == [("begin", 2, 0 if pages else None), *ANSWERS]


def test_what_others_have_given_is_not_given_again() -> None:
    proving, verifier = made(cut(20_000, [SHORT] * 3, [FULL, FULL, 900]))
    verifier.transact(DEPLOYER, "open", *proving.opening().arguments[:3])
    verifier.lacks = 2 + page_bits(0, 2)
    verifier.sent.clear()
    assert give_proof(DEPLOYER, proving, but_last=True) == (page_bits(0), CLAIM)
    assert verifier.sent == [("answer", 1, None), ("publish", None, 2)]
    verifier.lacks = 0
    assert give_proof(DEPLOYER, proving, but_last=True) == (0, CLAIM) and len(verifier.sent) == 2


class Reading:
    """In the escape's place: hands pages on to a verifier, and keeps which."""

    def __init__(self, verifier: Counting) -> None:
        self.verifier = verifier
        self.read: list[int] = []

    def transact(self, signer: Any, name: str, *arguments: Any) -> Receipt:
        """What is sent to it."""
        assert name == "publish"
        self.read.append(arguments[1])
        return self.verifier.transact(signer, name, *arguments)


@pytest.mark.parametrize("pages", [[900], [FULL, 900], [FULL, FULL, 900]])
def test_whoever_reads_pages_is_given_all_of_them(pages: list[int]) -> None:
    """None goes with the head, past him, however short it is."""
    proving, verifier = made(cut(20_000, [SHORT] * 3, pages))
    reading = Reading(verifier)
    proving = proving._replace(pages=cast(Contract, reading))
    assert give_proof(DEPLOYER, proving) == (0, CLAIM)
    assert verifier.sent[:3] == [("begin", 2, None), *ANSWERS]
    assert reading.read == [*reversed(range(len(pages)))] and verifier.lacks == 0


def test_a_head_that_has_room_for_no_part_is_opened_alone_where_pages_go_elsewhere() -> None:
    proving, verifier = made(cut(50_000, [SHORT, 80_000], [900]))
    assert proving._replace(pages=cast(Contract, Reading(verifier))).opening().name == "open"
