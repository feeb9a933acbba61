"""The proven world's L1: an embedded Ethereum, at the time of the crash, that holds its money and takes its proof.

    deploy     token, custody, rollup, and the verifier of the venue's key
    ask        the world's own calls, each in a block of its second: deposits, then requests to leave by force
    settle     the proof in several transactions, the statement that moves S, and the claims of who is paid

The chain's file and the record of the deployment stay, for whoever wants to look or to rebuild the state from them.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.artifacts import SystemArtifacts
from bulkhead.bridge.chain import Chain, Receipt, signer_of
from bulkhead.bridge.deploy import deploy
from bulkhead.bridge.open import new_chain, open_embedded
from bulkhead.bridge.record import Deployment, write_record
from bulkhead.lab.signed import L1Call
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.on_chain import beginning_of, settle
from bulkhead.node.proof_file import ProofFile
from bulkhead.units import TimeMs

OPERATOR = 0  # who deploys and settles; no account has this number
ETHER = 10**18
FEE = 10**15  # wei, of a forced request
HOUR_S = 3_600
SETTLES_AFTER_S = 60
CALL_GAS = 300_000  # of the world's own calls, so that none is run twice to be estimated
CHAIN_FILE, RECORD_FILE = "chain.sqlite", "deployment.json"


class Sent(NamedTuple):
    """One transaction: what it did, its calldata's bytes, its gas, and how long it took here."""

    what: str
    octets: int
    gas: int
    seconds: float


def owner_of(account_id: int) -> LocalAccount:
    """The key on L1 of an account's owner, from its number, so that every run has the same addresses."""
    return signer_of("0x" + sha256(f"bulkhead lab, L1 owner {account_id}".encode()).hexdigest())


def address_of(account_id: int) -> int:
    """His address, as a number."""
    return int(str(owner_of(account_id).address), 16)


class Noting(Chain):
    """A chain that notes what is sent through it."""

    def __init__(self, provider: Any) -> None:
        super().__init__(provider)
        self.sent: list[Sent] = []
        self.what = ""  # what the next transactions do

    def transact(
        self, signer: LocalAccount, to: str | None, data: bytes = b"", **options: Any
    ) -> Receipt:
        """Send, wait and note."""
        begun = time.monotonic()
        receipt = super().transact(signer, to, data, **options)
        self.sent.append(Sent(self.what, len(data), receipt.gas_used, time.monotonic() - begun))
        return receipt


@dataclass(slots=True)
class Home:
    """The chain, and what was deployed on it."""

    chain: Noting
    deployment: Deployment
    _clock: list[int] = field(default_factory=list)

    def ask(self, calls: Sequence[L1Call]) -> None:
        """Make the world's calls, in order, each in a block of its second. Money is minted for who deposits."""
        custody, rollup, token = (self.deployment.contract(self.chain, name) for name in ("custody", "rollup", "token"))
        wanted: Counter[int] = Counter()
        for call in calls:
            if call.name.startswith("deposit"):
                wanted[call.owner] += call.words[-1]
        self.chain.what = "token: mint and approve"
        for owner, amount in wanted.items():
            signer = owner_of(owner)
            token.transact(signer, "mint", str(signer.address), amount, gas=CALL_GAS)
            token.transact(signer, "approve", custody.address, amount, gas=CALL_GAS)
        for call in calls:
            self._clock[0] = call.time_s
            is_request = call.name.startswith("request")
            contract, value = (rollup, FEE) if is_request else (custody, 0)
            self.chain.what = f"{'rollup' if is_request else 'custody'}: {call.name.replace('_', ' ')}"
            contract.transact(owner_of(call.owner), call.name, *call.words, value=value, gas=CALL_GAS)

    def settle(self, record: ProofFile, config: VenueConfig, end_ms: TimeMs) -> None:
        """Move S, a minute after the batch was sealed."""
        self._clock[0] = end_ms // 1000 + SETTLES_AFTER_S
        first = len(self.chain.sent)
        settle(self.chain, self.deployment, owner_of(OPERATOR), record, config)
        parts = len(self.chain.sent) - first - 2
        names = ("verifier: open a proof", *["verifier: answer a part"] * parts, "reader: settle, move S")
        for place, name in enumerate(names, first):
            self.chain.sent[place] = self.chain.sent[place]._replace(what=name)

    def claim(self, owners: Sequence[int]) -> dict[int, int]:
        """Claim for each owner; what each has of the token afterwards, in its smallest units."""
        custody, token = (self.deployment.contract(self.chain, name) for name in ("custody", "token"))
        self.chain.what = "custody: claim"
        for owner in owners:
            custody.transact(owner_of(OPERATOR), "claim", str(owner_of(owner).address), gas=CALL_GAS)
        return {owner: int(token.call("balanceOf", str(owner_of(owner).address))) for owner in owners}

    def state(self) -> int:
        """S, as the rollup has it."""
        return int(self.deployment.contract(self.chain, "rollup").call("state"))

    def verifying(self) -> list[Sent]:
        """The transactions that make the rollup take the batch."""
        return [each for each in self.chain.sent if each.what.startswith(("verifier", "reader"))]


@contextmanager
def opened(
    folder: Path, systems: Sequence[SystemArtifacts], config: VenueConfig, begin_ms: TimeMs, owners: Sequence[int]
) -> Iterator[Home]:
    """A new chain in a folder, in the place of an earlier run's, with everything deployed an hour before the world.

    Raises NotHere where this Python has no embedded chain, StoreError where another program holds the file.
    """
    clock = [begin_ms // 1000 - HOUR_S]
    balances = {str(owner_of(owner).address): 100 * ETHER for owner in (OPERATOR, *owners)}
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CHAIN_FILE
    for old in folder.glob(f"{CHAIN_FILE}*"):
        old.unlink()
    with open_embedded(path, lambda: clock[0], genesis=new_chain(balances, clock[0])) as embedded:
        from bulkhead.bridge.embedded.provider import EmbeddedProvider  # here, for it is not to be had everywhere

        chain = Noting(EmbeddedProvider(embedded))
        chain.what = "deployment"
        operator = owner_of(OPERATOR)
        beginning = beginning_of(config, begin_ms, council=str(operator.address), fee=FEE)
        made = deploy(chain, operator, systems, beginning)
        write_record(folder / RECORD_FILE, made)
        yield Home(chain, made, clock)
