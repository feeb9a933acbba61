"""Proven statements as L1 keeps them: given to verifiers in pieces, and found again in calldata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from bulkhead.bridge.contract import Contract, Event
from bulkhead.bridge.errors import ChainError
from stark.split import Split

SPAN = 5_000  # blocks that are asked for events at once: nodes refuse longer ranges
WORD_BYTES = 32
CALLDATA_BYTES = 125_000  # of a transaction that every node passes on

Report = Callable[[str, int], None]  # what was sent, and the gas it took


class Asked(NamedTuple):
    """A call that is wanted: a function's name, and what it is given."""

    name: str
    arguments: tuple[Any, ...]


class Unfindable(ChainError):
    """Calldata that does not hold the statement whose event was seen."""


def events_of(contract: Contract, name: str, first: int, last: int) -> Iterator[Event]:
    """All events of a name in blocks `first` to `last`, in order, however many blocks that are."""
    for start in range(first, last + 1, SPAN):
        yield from contract.events(start, min(last, start + SPAN - 1), name)


def digest_of(statement: Sequence[int]) -> bytes:
    """What `Verifier` knows a statement by, as its key says it; and a claim by its words."""
    return keccak(b"".join(_word(each) for each in statement))


def page_in(data: bytes, digest: int) -> bytes | None:
    """Bytes with their length before them, as calldata has them, that have a digest; None where there are none."""
    for at in range(len(data) - WORD_BYTES):
        size = int.from_bytes(data[at : at + WORD_BYTES], "big")
        start = at + WORD_BYTES
        if 0 < size <= len(data) - start and int.from_bytes(keccak(data[start : start + size]), "big") == digest:
            return data[start : start + size]
    return None


class Pages:
    """What a verifier has seen published, in the calldata of whoever published it, from block `first` on."""

    def __init__(self, verifier: Contract, first: int) -> None:
        self._verifier, self._next = verifier, first  # block whose events were not read yet
        self._transactions: dict[bytes, list[bytes]] = {}  # that published a page, by its digest

    def find(self, digest: int, last: int) -> bytes:
        """A page by its digest, from whatever transaction published it, up to block `last`. Raises Unfindable."""
        for event in events_of(self._verifier, "Published", self._next, last):
            self._transactions.setdefault(event.values["digest"], []).append(event.log.transaction)
        self._next = max(self._next, last + 1)
        for transaction in self._transactions.get(_word(digest), ()):
            page = page_in(self._verifier.chain.calldata(transaction), digest)
            if page is not None:
                return page
        raise Unfindable(
            f"what the page of digest 0x{digest:064x} lists is in no transaction's calldata: a contract made it; a "
            "node that traces transactions shows it"
        )


def places_in(data: bytes, wanted: bytes) -> Iterator[int]:
    """Where some bytes begin with others, in order; they may overlap."""
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)


class Proving(NamedTuple):
    """A proof and the verifier that is given it: which call is next follows from what the verifier lacks."""

    verifier: Contract
    cut: Split
    pages: Contract | None = None  # who is given pages in the verifier's place, and hands them on to it

    def is_proven(self) -> bool:
        """Whether the verifier knows the statement as proven."""
        return bool(self.verifier.call("is_proven", digest_of(self.cut.said)))

    def claim(self) -> Any:
        """What the verifier makes of the proof's head, which is given back with all that follows."""
        return self.verifier.call("open", *self._head())

    def opening(self) -> Asked:
        """The call that begins; the last part and the last page go with it where a transaction has room for them."""
        part, page = len(self.cut.parts) - 1, len(self.cut.pages) - 1
        answers = (part, self.cut.parts[part].hint, self.cut.parts[part].data)
        lists = bool(self.cut.pages) and self.pages is None
        listed = (page, self.cut.pages[page]) if lists else (0, b"")
        alone = [(0, 0, b"", *listed)] if lists else []
        for each in ((*answers, *listed), (*answers, 0, b""), *alone):
            asked = Asked("begin", (*self._head(), *each))
            if self.fits(self.verifier, asked):
                return asked
        return Asked("open", self._head())

    def missing(self, claim: Sequence[int]) -> int | None:
        """What is still to be given, one bit for each part, and above these for each page; None before it is opened."""
        digest = digest_of(claim)
        if self.verifier.call("statement_of", digest) == bytes(WORD_BYTES):
            return None
        return int(self.verifier.call("missing", digest))

    def supply(self, claim: Sequence[int], missing: int) -> tuple[Asked, int]:
        """The call that gives what is missing first: parts, then pages, the first page last; and its number."""
        parts = missing & ((1 << self.cut.parts_max) - 1)
        number = ((parts & -parts) if parts else missing).bit_length() - 1
        if number < self.cut.parts_max:
            part = self.cut.parts[number]
            return Asked("answer", (claim, number, part.hint, part.data)), number
        return Asked("publish", (claim, *self._page(number))), number

    def _page(self, number: int) -> tuple[int, bytes]:
        """Of what has a number above those of parts: which page, and its bytes."""
        page = number - self.cut.parts_max
        return page, self.cut.pages[page]

    def settling(
        self, reader: Contract, rollup: str, packed: bytes, missing: int, claim: Sequence[int]
    ) -> Asked | None:
        """The call that settles, if nothing is missing or a page that it has room for; None where more is."""
        digests = self.cut.said[len(self.cut.said) - self.cut.pages_max :]
        settle = Asked("settle", (rollup, digests, packed))
        if not missing:
            return settle
        if missing >> self.cut.parts_max == 0 or missing & (missing - 1):
            return None
        page = self._page(missing.bit_length() - 1)
        both = Asked("publish_and_settle", (*settle.arguments, claim, *page))
        return both if self.fits(reader, both) else None

    def fits(self, contract: Contract, asked: Asked) -> bool:
        """Whether a transaction with this call is passed on by every node."""
        return len(contract.data(asked.name, *asked.arguments)) <= CALLDATA_BYTES

    def _head(self) -> tuple[list[int], list[int], bytes]:
        return list(self.cut.said), list(self.cut.hints), self.cut.head


def give_proof(
    signer: LocalAccount, proving: Proving, report: Report = lambda done, gas: None, *, but_last: bool = False
) -> tuple[int, Any]:
    """Give a verifier a proof, in several transactions; nothing is sent that it has already.

    Answers what is still missing, and the claim to go with it: nothing is, unless `but_last` leaves a last page to
    whoever settles. Raises Reverted with the contract's reason, and what `Chain` raises.
    """
    claim = proving.claim()
    if proving.is_proven():
        return 0, claim
    missing = proving.missing(claim)
    if missing is None:
        _send(signer, proving, proving.opening(), "opened a proof", report)
        missing = proving.missing(claim)
        assert missing is not None, "the verifier notes what it opened"
    while missing:
        asked, number = proving.supply(claim, missing)
        if but_last and missing == 1 << number and number >= proving.cut.parts_max:
            break
        named = f"answered part {number + 1}" if asked.name == "answer" else f"published page {asked.arguments[1] + 1}"
        _send(signer, proving, asked, named, report)
        missing -= 1 << number
    return missing, claim


def _send(signer: LocalAccount, proving: Proving, asked: Asked, done: str, report: Report) -> None:
    contract = proving.pages if proving.pages is not None and asked.name == "publish" else proving.verifier
    receipt = contract.transact(signer, asked.name, *asked.arguments)
    report(done, receipt.gas_used)


def _word(value: int) -> bytes:
    return value.to_bytes(WORD_BYTES, "big")
