"""Pages on chain: what a statement lists is what is published, byte for byte, or the statement stays unproven."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from stark.fixed import prepare
from stark.keccak import keccak256
from stark.parameters import Parameters
from stark.prime import PRIME
from stark.prover import prove
from stark.split import Split, split
from tests.contracts.machine import Deployed, Reverted, word
from tests.stark.listed import LISTING, LOG_HEIGHTS, SYSTEM, listed
from tests.stark.test_listing import ENDS

PARAMETERS = Parameters(log_blowup=2, queries=8, grinding_bits=4, log_final=2, part_queries=4)
SPOILED = 1_500  # pages that both are asked about


class Paged:
    """A proof of a statement with several pages, and the contracts of its key."""

    def __init__(self) -> None:
        fixed = prepare(SYSTEM, LOG_HEIGHTS, PARAMETERS)
        self.case = listed(15)
        self.key = fixed.key
        self.split: Split = split(self.key, self.case.public, prove(fixed, self.case.public, self.case.traces))
        self.chain = Deployed(self.key)
        self.claim = self.chain.open(self.split.said, self.split, self.chain.opening)
        assert len(self.split.pages) >= 3

    def publish(self, chain: Deployed, page: int, data: bytes, claim: list[int] | None = None) -> bytes:
        """One page, to the verifier."""
        return chain.call(chain.verifier, "publish", [*(claim or self.claim), page], data)

    def check(self, page: int, data: bytes, claim: list[int]) -> bytes:
        """One page, by the pure contract."""
        return self.chain.call(self.chain.pages, "check", [*claim, page], data)

    @property
    def at(self) -> int:
        """Where the claim has the first page's digest."""
        return self.claim.index(self.split.said[1])


@pytest.fixture(scope="module")
def paged() -> Iterator[Paged]:
    yield Paged()


def test_parts_and_pages_in_any_order_prove_a_statement(paged: Paged) -> None:
    chain, cut = Deployed(paged.key), paged.split
    digest = int.from_bytes(keccak256(b"".join(map(word, cut.said))), "big")
    with pytest.raises(Reverted, match="verifier: not opened"):
        paged.publish(chain, 0, cut.pages[0])
    chain.open(cut.said, cut)

    def answer(number: int) -> bytes:
        part = cut.parts[number]
        return chain.call(chain.verifier, "answer", [*paged.claim, number, part.hint], part.data)

    done = [paged.publish(chain, len(cut.pages) - 1, cut.pages[-1]), answer(1)]
    chain.open(cut.said, cut)  # again: it takes nothing back
    done += [paged.publish(chain, page, cut.pages[page]) for page in range(len(cut.pages) - 1)]
    assert chain.number(chain.verifier, "is_proven", digest) == 0
    done.append(answer(0))
    assert done == [*[word(0)] * (len(done) - 1), word(1)]
    assert chain.number(chain.verifier, "is_proven", digest) == 1
    for page in (0, len(cut.pages), LISTING.pages, 2**255):
        with pytest.raises(Reverted, match="verifier: no such page to publish"):
            paged.publish(chain, page, cut.pages[0])


def test_a_page_that_is_left_out_leaves_the_statement_unproven(paged: Paged) -> None:
    cut = paged.split
    digest = int.from_bytes(keccak256(b"".join(map(word, cut.said))), "big")
    for left_out in range(len(cut.pages)):
        chain = Deployed(paged.key)
        chain.open(cut.said, cut)
        for number, part in enumerate(cut.parts):
            chain.call(chain.verifier, "answer", [*paged.claim, number, part.hint], part.data)
        for page, data in enumerate(cut.pages):
            if page != left_out:
                assert paged.publish(chain, page, data) == word(0)
        assert chain.number(chain.verifier, "is_proven", digest) == 0
        assert paged.publish(chain, left_out, cut.pages[left_out]) == word(1)


def test_a_page_in_the_place_of_another_or_with_any_byte_changed_is_refused(paged: Paged) -> None:
    pages = paged.split.pages
    for page, data in enumerate(pages):
        assert paged.check(page, data, paged.claim) == word(1)
        for other in (*pages[:page], *pages[page + 1 :], b"", data[:-1], data + b"\0", data * 2):
            with pytest.raises(Reverted, match="pages: other bytes|no reason"):  # longer than any page: not decoded
                paged.check(page, other, paged.claim)
        for place in range(len(data)):
            spoiled = bytearray(data)
            spoiled[place] ^= 1 + place % 255
            with pytest.raises(Reverted, match="pages: other bytes"):
                paged.check(page, bytes(spoiled), paged.claim)


def test_what_pages_sum_to_is_checked(paged: Paged) -> None:
    """Sums are not in the proof: whoever opens says them, and pages that do not sum to them are never published."""
    cut, chain = paged.split, Deployed(paged.key)
    hints = [*cut.hints]
    first = len(hints) - LISTING.pages
    with pytest.raises(Reverted, match="opening: the buses do not balance"):
        chain.open(cut.said, cut._replace(hints=[*hints[:first], hints[first] + 1, *hints[first + 1 :]]))
    with pytest.raises(Reverted, match="opening: sum"):
        chain.open(cut.said, cut._replace(hints=[*hints[:first], hints[first] + PRIME, *hints[first + 1 :]]))
    with pytest.raises(Reverted, match="opening: sum"):  # of a page that there is not
        chain.open(cut.said, cut._replace(hints=[*hints[:-1], 1]))
    shifted = [*hints]
    shifted[first], shifted[first + 1] = (shifted[first] + 1) % PRIME, (shifted[first + 1] - 1) % PRIME
    claim = chain.open(cut.said, cut._replace(hints=shifted))
    assert claim != paged.claim
    for page in (0, 1):
        with pytest.raises(Reverted, match="pages: another sum"):
            paged.publish(chain, page, cut.pages[page], claim)
    assert paged.publish(chain, 2, cut.pages[2], claim) == word(0)


def test_another_statement_is_refused(paged: Paged) -> None:
    """Elements and digests are in the transcript; so no word of them can be another."""
    for place, value in enumerate(paged.split.said):
        spoiled = [*paged.split.said]
        spoiled[place] = value ^ 1
        with pytest.raises(Reverted, match="opening: "):
            paged.chain.open(spoiled, paged.split, paged.chain.opening)


def test_contract_and_python_agree_on_what_is_a_page(paged: Paged) -> None:
    """Differential: honest pages cut and with bytes replaced, each under a claim that has its digest and its sum."""
    draw, seen = random.Random(3), {True: 0, False: 0}
    point = paged.claim.index(paged.split.said[1]) - 2
    challenges = [paged.claim[point], *(pow(paged.claim[point + 1], power, PRIME) for power in range(1, 4))]
    for _ in range(SPOILED):
        page = bytearray(draw.choice(paged.split.pages)[:-64][: draw.choice([3, 40, 100, 300])])
        for _ in range(draw.choice([0, 0, 1, 1, 2])):
            page[draw.randrange(len(page))] = draw.choice([0, 1, 2, 31, 32, 33, 255, draw.randrange(256)])
        claim, data = [*paged.claim], bytes(page) + draw.choice(ENDS)
        claim[paged.at] = int.from_bytes(keccak256(data), "big")
        try:
            told = LISTING.unpack(data)
            accepted = True
            [claim[paged.at + 1]] = LISTING.sums(told, SYSTEM.buses[LISTING.bus], challenges)
        except ValueError:
            accepted = False
        try:
            assert paged.check(0, data, claim) == word(1)
            assert accepted, data.hex()
        except Reverted as refused:
            assert not accepted, (refused, data.hex())
            assert str(refused).startswith("pages: ") and "sum" not in str(refused)
        seen[accepted] += 1
    assert min(seen.values()) > SPOILED // 10
