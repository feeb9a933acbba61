"""Proven statements as L1 keeps them: given to verifiers in pieces, and found again in calldata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract, Event
from bulkhead.bridge.errors import ChainError
from bulkhead.bridge.record import Place
from stark.split import Split

SPAN = 5_000  # blocks that are asked for events at once: nodes refuse longer ranges
WORD_BYTES = 32

Report = Callable[[str, int], None]  # what was sent, and the gas it took


class Unfindable(ChainError):
    """Calldata that does not hold the statement whose event was seen."""


def events_of(contract: Contract, name: str, first: int, last: int) -> Iterator[Event]:
    """All events of a name in blocks `first` to `last`, in order, however many blocks that are."""
    for start in range(first, last + 1, SPAN):
        yield from contract.events(start, min(last, start + SPAN - 1), name)


def digest_of(statement: Sequence[int]) -> bytes:
    """What `Verifier` knows a statement by."""
    return keccak(b"".join(_word(each) for each in statement))


def statement_in(chain: Chain, transaction: bytes, begins: Sequence[int], length: int) -> list[int]:
    """The statement in a transaction's calldata: so many words, of which the first ones are known.

    Whoever settles through a contract of his own hands it on, mostly as it is; so it is looked for at every place.
    Raises Unfindable where he does not: the words are in what that contract has read, which a node that traces shows.
    """
    data, wanted = chain.calldata(transaction), b"".join(_word(each) for each in begins)
    at = data.find(wanted)
    if at < 0 or len(data) < at + WORD_BYTES * length:
        raise Unfindable(
            f"transaction 0x{transaction.hex()} settles a statement that is not in its calldata: a contract made it; "
            "a node that traces transactions shows it"
        )
    found = data[at : at + WORD_BYTES * length]
    return [int.from_bytes(found[place : place + WORD_BYTES], "big") for place in range(0, len(found), WORD_BYTES)]


def places_in(data: bytes, wanted: bytes) -> Iterator[int]:
    """Where some bytes begin with others, in order; they may overlap."""
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)


def prove_on_chain(
    chain: Chain, signer: LocalAccount, place: Place, statement: Sequence[int], proof: Split,
    report: Report = lambda done, gas: None,
) -> None:  # fmt: skip
    """Give a verifier a proof, in several transactions. Nothing is sent where the statement is proven already.

    Raises Reverted with the contract's reason, and what `Chain` raises.
    """
    verifier = Contract(chain, place.address, place.abi)
    if verifier.call("is_proven", digest_of(statement)):
        return
    opening = (list(statement), list(proof.hints), proof.head)
    claim = verifier.call("open", *opening)
    receipt = verifier.transact(signer, "open", *opening)
    report("opened a proof", receipt.gas_used)
    for number, part in enumerate(proof.parts):
        receipt = verifier.transact(signer, "answer", claim, number, part.hint, part.data)
        report(f"answered part {number + 1} of {len(proof.parts)}", receipt.gas_used)


def _word(value: int) -> bytes:
    return value.to_bytes(WORD_BYTES, "big")
