"""Leaving with the operator gone: freeze, settle every account with proofs of the escape, and claim for an owner.

Each step looks at L1 first and does what is left to do; so it can be repeated by anybody, at any point.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.chain import Chain, Receipt
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.payouts import PayoutTree
from bulkhead.bridge.record import Deployment, Exit
from bulkhead.bridge.statements import Pages, Proving, events_of, give_proof
from bulkhead.circuit.escape_batch import ESCAPE_SHAPES, EscapeShape, escape_of, payouts_on
from bulkhead.circuit.escape_payouts import Payout
from bulkhead.circuit.escape_trace import escape_traces
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.rebuild import FromL1
from stark.composition import UnsatisfiedRules
from stark.estimate import NotEnoughMemory
from stark.fixed import prepare
from stark.keccak import keccak256
from stark.parameters import PROFILES
from stark.prover import Fixed, prove
from stark.split import Split, split

WORD_BITS = 256  # payouts whose claims the contract keeps in one word

Report = Callable[[str, int], None]  # what was done, and the gas it took (0: none)


class NoExit(Exception):
    """Nobody can leave, or not yet; the text says why, and what to do."""


class Terms(NamedTuple):
    """How proofs of an escape may be made: one of these shapes must be that of the key whose verifier was deployed."""

    shapes: Collection[EscapeShape] = tuple(ESCAPE_SHAPES.values())
    profile: str = "onchain"
    threads: int = 2


class Errand(NamedTuple):
    """Who leaves from where: he pays for the transactions, and each is reported with its gas."""

    chain: Chain
    deployment: Deployment
    signer: LocalAccount
    report: Report = lambda done, gas: None

    @property
    def exit(self) -> Exit:
        """The escape of the record; NoExit where there is none."""
        if self.deployment.exit is None:
            raise NoExit("the rollup was deployed without an escape, by this record: nobody leaves it after a freeze")
        return self.deployment.exit

    @property
    def escape(self) -> Contract:
        """Its contract."""
        return Contract(self.chain, self.exit.escape.address, self.exit.escape.abi)

    def send(self, contract: Contract, done: str, method: str, *arguments: Any, value: int = 0) -> Receipt:
        """One transaction, reported when it is done."""
        receipt = contract.transact(self.signer, method, *arguments, value=value)
        self.report(done, receipt.gas_used)
        return receipt


class Due(NamedTuple):
    """A payout on L1: on which page and where on it, what it is, and whether it was claimed."""

    chunk: int
    place: int
    payout: Payout
    is_claimed: bool


@lru_cache(maxsize=2)
def escape_key(config: VenueConfig, shape: EscapeShape, profile: str) -> Fixed:
    """The key of a venue's escape, with what its prover needs. NotProvable where no circuit covers the venue."""
    return prepare(escape_of(config, shape), shape.log_heights, PROFILES[profile])


def ask(errand: Errand, account: int, amount: int) -> int:
    """Ask for a withdrawal that the operator cannot refuse, for the contract's fee; answers the request's number.

    The signer is the account's owner on L1, or the circuit will find that he is not.
    """
    rollup = errand.deployment.contract(errand.chain, "rollup")
    done = f"asked for a withdrawal of {amount:,} from account {account}"
    receipt = errand.send(rollup, done, "request_withdrawal", account, amount, value=rollup.call("FEE"))
    [event] = [each for each in rollup.read(receipt.logs) if each.name == "Requested"]
    number: int = event.values["number"]
    return number


def freeze(errand: Errand) -> None:
    """See that the rollup is frozen. NoExit where no request is overdue, for then the operator is not gone."""
    rollup = errand.deployment.contract(errand.chain, "rollup")
    if rollup.call("frozen"):
        return
    if not rollup.call("is_overdue"):
        raise NoExit(
            "the rollup is not frozen and no forced request is overdue: ask for a withdrawal by force, and come back "
            "when seven days have passed without it"
        )
    errand.send(rollup, "froze the rollup", "freeze")


def shape_with(key: str, config: VenueConfig, shapes: Iterable[EscapeShape], profile: str) -> EscapeShape | None:
    """Of which of these shapes a key of the escape is; None: of none. They are tried in turn: a large key takes
    gigabytes, so the smallest stands first."""
    return next((shape for shape in shapes if escape_key(config, shape, profile).key.digest.hex() == key), None)


def shape_of(errand: Errand, found: FromL1, terms: Terms) -> EscapeShape:
    """The shape of statements that the deployed escape takes. NoExit where it is none of these terms."""
    config = found.state.config
    shape = shape_with(errand.exit.key, config, terms.shapes, terms.profile)
    if shape is None:
        made = [escape_key(config, each, terms.profile).key.digest.hex() for each in terms.shapes]
        raise NoExit(
            f"the deployed escape verifies proofs of key 0x{errand.exit.key}, and this program makes those of "
            f"{', '.join(f'0x{key}' for key in made)}: take the program, and the profile, that it was deployed with"
        )
    return shape


def settle(errand: Errand, found: FromL1, terms: Terms) -> None:
    """Prove what nobody has settled yet, and give it to the escape, until no account is left.

    Raises NoExit where the rollup has no escape, or one of another key; and what `Chain` raises.
    """
    escape = errand.escape
    if escape.call("is_finished"):
        return
    shape = shape_of(errand, found, terms)
    key = escape_key(found.state.config, shape, terms.profile)
    gone = [due.payout.account for due in payouts(errand, shape)]
    for public, traces in escape_traces(found.state, shape, gone):
        errand.report("proving a statement", 0)
        try:
            proof = prove(key, public, traces, terms.threads, consume=True)
        except (NotEnoughMemory, UnsatisfiedRules) as error:
            raise NoExit(f"the proof cannot be made: {error}") from error
        _give(errand, split(key.key, public, proof))
    if not escape.call("is_finished"):
        raise NoExit("others settle at the same time, or there are no accounts: begin again")


def _give(errand: Errand, cut: Split) -> None:
    """One statement: its proof, then its pages where others published but did not read them, then itself."""
    escape, place = errand.escape, errand.exit.verifier
    verifier = Contract(errand.chain, place.address, place.abi)
    give_proof(errand.signer, Proving(verifier, cut, escape), errand.report)
    for page in cut.pages:
        root, _ = escape.call("pages", int.from_bytes(keccak256(page), "big"))
        if not any(root):
            errand.send(escape, "read a page", "read", page)
    errand.send(escape, "settled accounts", "settle", cut.said)


def payouts(errand: Errand, shape: EscapeShape) -> list[Due]:
    """Every payout that was settled so far, in the order of pages."""
    return [
        Due(chunk, place, payout, bool(claimed >> place & 1))
        for chunk, listed, claimed in _pages(errand, shape)
        for place, payout in enumerate(listed)
    ]


def _pages(errand: Errand, shape: EscapeShape) -> Iterator[tuple[int, Sequence[Payout], int]]:
    """Number, payouts, and the bits of what was claimed, of each page of the statements that the escape took."""
    chain, escape, place = errand.chain, errand.escape, errand.exit.verifier
    first, last = errand.deployment.block + 1, chain.head().number
    published = Pages(Contract(chain, place.address, place.abi), first)
    for event in events_of(escape, "Settled", first, last):
        for chunk, digest in enumerate(filter(None, event.values["pages"]), event.values["chunk"]):
            listed = payouts_on(published.find(digest, last), shape)
            words = [escape.call("claimed", chunk, word, at=last) for word in range(-(-len(listed) // WORD_BITS))]
            yield chunk, listed, sum(bits << WORD_BITS * word for word, bits in enumerate(words))


def claim(errand: Errand, shape: EscapeShape, owner: str) -> int:
    """Claim all payouts of an owner and have custody send what it owes; answers the amount that was sent.

    Anybody may sign. Raises NoExit where accounts are still to be settled.
    """
    escape = errand.escape
    if not escape.call("is_finished"):
        raise NoExit("not every account is settled yet: nobody knows what a claim is worth")
    total, backing = escape.call("total"), escape.call("backing")
    for chunk, listed, claimed in list(_pages(errand, shape)):
        tree = PayoutTree(listed, shape.log_payouts)
        for place, payout in enumerate(listed):
            if payout.owner != int(owner, 16) or claimed >> place & 1:
                continue
            if min(payout.amount, payout.amount * backing // max(total, 1)) == 0:
                continue  # a payout of nothing cannot be claimed
            done = f"claimed the payout of account {payout.account}"
            errand.send(escape, done, "claim", chunk, place, owner, payout.amount, tree.path(place))
    custody = errand.deployment.contract(errand.chain, "custody")
    owed: int = custody.call("claimable", owner)
    if owed:
        errand.send(custody, f"custody sent {owed:,} smallest units to {owner}", "claim", owner)
    return owed


def take_back(errand: Errand, owner: str) -> None:
    """After a freeze: deposits of an owner that no batch took, and fees of requests that none processed, go back."""
    chain, deployment = errand.chain, errand.deployment
    custody, rollup = (deployment.contract(chain, name) for name in ("custody", "rollup"))
    last, passed = chain.head().number, custody.call("passed")
    for event in events_of(custody, "Deposited", deployment.block + 1, last):
        number, depositor = event.values["number"], event.values["depositor"]
        if number > passed and depositor.lower() == owner.lower() and custody.call("deposit_of", number)[1]:
            errand.send(custody, f"gave deposit {number} back", "finish_cancel", number)
    processed = rollup.call("counters")[2]
    for event in events_of(rollup, "Requested", deployment.block + 1, last):
        number, sender = event.values["number"], event.values["sender"]
        if number > processed and sender.lower() == owner.lower() and rollup.call("request_of", number)[0]:
            errand.send(rollup, f"returned the fee of request {number}", "return_fee", number)
