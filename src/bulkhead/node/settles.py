"""What makes a node settle: the gate of its batches, the prover's process, the settlement service, the faucet on L1.

    open    L1, the record of the deployment, keys; whether the venue can be proven and L1 has its verifiers
    start   prover and service, when the exchange takes commands
    stop    both, before it takes none any more: seconds

Neither can take the exchange down: what is wrong with them is in `failures`, and in time more and more batches wait.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import structlog
from eth_account.signers.local import LocalAccount

from bulkhead import private
from bulkhead.bridge.chain import Chain, signer_of
from bulkhead.bridge.errors import ChainError
from bulkhead.bridge.open import is_url, open_chain
from bulkhead.bridge.record import Deployment, Proposed, check_record, read_record
from bulkhead.circuit.batch import Shape, name_of, shapes_of
from bulkhead.circuit.venue import NotProvable
from bulkhead.node.exchange import Exchange
from bulkhead.node.gate import BatchGate
from bulkhead.node.openings import Openings
from bulkhead.node.proof_file import FOLDER, Proofs
from bulkhead.node.prove_batch import NotEnoughMemory, check_room, pinned_key
from bulkhead.node.settings import Settings, SettlementSettings
from bulkhead.node.settlement import CONFIRMATIONS, Settlement, Terms
from bulkhead.node.settling.child import Job, ProverChild
from bulkhead.node.settling.events import (
    BatchStatus,
    Displaced,
    Event,
    Followed,
    Included,
    Reorganised,
    SettlementError,
    Stage,
    Step,
)
from bulkhead.node.settling.intake import LoopIntake
from bulkhead.node.settling.thread import SettlementThread, Standing
from bulkhead.node.writer import Writer

log = structlog.get_logger("bulkhead.settlement")

GWEI = 10**9
CALL_GAS = 300_000


class Funded(NamedTuple):
    """A deposit on L1: its place in custody's queue, and the transaction."""

    number: int
    hash: str


class L1Faucet:
    """Play money by way of L1: mints the test token and deposits it, so that custody's queue is the only one."""

    def __init__(self, chain: Chain, deployment: Deployment, signer: LocalAccount) -> None:
        self._token, self._custody = (deployment.contract(chain, name) for name in ("token", "custody"))
        self._signer = signer
        self._lock = threading.Lock()  # an account's transactions are numbered

    def deposit(self, account_id: int, amount: int) -> Funded:
        """Deposit for an account; 0 is the insurance fund. Waits for a block. Raises ChainError."""
        address, custody = str(self._signer.address), self._custody
        with self._lock:
            self._token.transact(self._signer, "mint", address, amount, gas=CALL_GAS)
            if int(self._token.call("allowance", address, custody.address)) < amount:
                self._token.transact(self._signer, "approve", custody.address, 1 << 255, gas=CALL_GAS)
            words = (account_id, amount) if account_id else (amount,)
            name = "deposit" if account_id else "deposit_for_insurance"
            receipt = custody.transact(self._signer, name, *words, gas=CALL_GAS)
        [event] = [each for each in custody.read(receipt.logs) if each.name == "Deposited"]
        return Funded(int(event.values["number"]), f"0x{receipt.hash.hex()}")


class Settles:
    """Made by `open_settles`; `start` and `stop` belong in the node's event loop."""

    def __init__(self, settings: Settings, exchange: Exchange, chain: Chain, deployment: Deployment) -> None:
        terms, self._settings = _terms(settings.settlement), settings
        self.chain, self.deployment, self.exchange = chain, deployment, exchange
        self.profile = settings.settlement.profile
        shapes = _shapes(exchange, chain, deployment, settings.settlement)
        self.gate = BatchGate(exchange, shapes)
        self.openings = Openings(exchange.state, settings.place / FOLDER, self.profile)
        self.faucet: L1Faucet | None = None
        if settings.faucet.enabled:
            self.faucet = L1Faucet(chain, deployment, _signer(settings.settlement.faucet_key_file))
        self.gas: int = 0  # of this run's transactions
        self._proposed, self._record_ns = deployment.proposed, 0
        self._closing = ExitStack()
        self._proofs = Proofs(settings.place / FOLDER)
        self._signer, self._terms = _payer(settings.settlement), terms
        threads = settings.settlement.threads or max(1, (os.cpu_count() or 1) // settings.settlement.workers)
        self.prover = ProverChild(Job(settings.place, self.profile, settings.settlement.workers, threads, shapes))
        self._thread: SettlementThread | None = None

    async def start(self, writer: Writer) -> None:
        """Begin to prove and to settle. Raises SettlementError."""
        loop = asyncio.get_running_loop()

        def make() -> Settlement:
            intake = LoopIntake(loop, self.exchange, writer.send)
            folder = self._settings.place
            return Settlement(folder, self.chain, self.deployment, self._signer, intake=intake, terms=self._terms)

        self._thread = SettlementThread(make, self._settings.settlement.pause_s, self._heard)
        try:
            await asyncio.to_thread(self._thread.start)
        except ChainError as error:
            raise SettlementError(f"L1: {error}") from error
        self.prover.start()

    async def stop(self) -> None:
        """End both, then give L1 back. The writer must still take what the service has asked for."""
        ending = [asyncio.to_thread(self.prover.stop)]
        if self._thread is not None:
            ending.append(asyncio.to_thread(self._thread.stop))
        await asyncio.gather(*ending)
        self.close()

    def close(self) -> None:
        """Give L1 back."""
        self._closing.close()

    def keep(self, resources: ExitStack) -> None:
        """What is to be let go of at the end."""
        self._closing = resources

    def _heard(self, event: Event) -> None:
        match event:
            case Included():
                self.gas += event.gas_used
                if event.step is Step.SETTLE and event.succeeded:
                    log.info("batch settled", batch=event.batch, block=event.block, gas=event.gas_used)
            case Followed(final=final) if final:
                log.info("batches are final", batches=final)
            case Reorganised() | Displaced():
                log.warning("L1 has changed", told=str(event))

    # -- how far it is -------------------------------------------------------------------------------------------------

    @property
    def standing(self) -> Standing:
        """How far everything has come on L1."""
        return Standing() if self._thread is None else self._thread.standing

    @property
    def failures(self) -> dict[str, str]:
        """What is wrong, by part; empty strings where all is well."""
        prover = self.prover.failure
        for number, reason in sorted(self.prover.unprovable.items()):
            prover = prover or f"batch {number} is not proven: {reason}"
        return {
            "prover": prover,
            "settlement": "" if self._thread is None else self._thread.failure,
            "batches": self.gate.overfull,
        }

    @property
    def proposed(self) -> tuple[Proposed, ...]:
        """Verifiers that were proposed, as the record's file has them now: `bulkhead l1 propose` writes it beside a
        running node. A file that cannot be read keeps what was known."""
        path = Path(self._settings.settlement.record)
        try:
            written_ns = path.stat().st_mtime_ns
            if written_ns != self._record_ns:
                self._proposed, self._record_ns = read_record(path).proposed, written_ns
        except (ChainError, OSError) as error:
            log.warning("the record cannot be read again", path=str(path), reason=str(error))
        return self._proposed

    def unproven(self, sealed: int) -> int:
        """How many of the sealed batches have no proof yet. Looks at the folder."""
        return self._proofs.lag(sealed, self.profile)

    def status(self, number: int) -> BatchStatus:
        """How far a sealed batch has come; a proof that has just appeared counts."""
        found = self.standing.status(number)
        if found.stage is Stage.SEALED and self._proofs.path(number, self.profile).exists():
            return BatchStatus(number, Stage.PROVEN)
        return found


def open_settles(settings: Settings, exchange: Exchange) -> Settles:
    """Open what settling needs, and check that it fits. Raises SettlementError; then nothing is left open."""
    settlement = settings.settlement
    with ExitStack() as stack:
        try:
            deployment = read_record(Path(settlement.record))
            chain_id = deployment.chain_id if is_url(settlement.l1) else None
            chain = stack.enter_context(open_chain(settlement.l1, _clock, chain_id=chain_id))
            check_record(chain, deployment)
            made = Settles(settings, exchange, chain, deployment)
        except NotProvable as error:
            raise SettlementError(f"this venue cannot settle: {error}") from error
        except (ChainError, ValueError, OSError) as error:
            raise SettlementError(f"settlement: {error}") from error
        made.keep(stack.pop_all())
        return made


def _clock() -> int:
    return int(time.time())


def _terms(settlement: SettlementSettings) -> Terms:
    depth = settlement.confirmations or (CONFIRMATIONS if is_url(settlement.l1) else 1)
    return Terms(settlement.profile, depth, fee_max=settlement.fee_max_gwei * GWEI or None)


def _payer(settlement: SettlementSettings) -> LocalAccount:
    """Whose account pays for settling."""
    if settlement.key_file:
        return _signer(settlement.key_file)
    beside = Path(settlement.l1).with_suffix(".key")
    if is_url(settlement.l1) or not beside.is_file():
        raise SettlementError("settlement.key_file: name the file with the private key that pays for settling")
    return _signer(str(beside))


def _signer(file: str) -> LocalAccount:
    """With the key in a file that whoever runs this named. Raises SettlementError where others can reach it."""
    try:
        return signer_of(private.read(Path(file), is_named=True).decode().strip())
    except private.Exposed as error:
        raise SettlementError(str(error)) from None


def _shapes(
    exchange: Exchange, chain: Chain, deployment: Deployment, settlement: SettlementSettings
) -> tuple[Shape, ...]:
    """Shapes that batches may have: of those chosen, those of which L1 takes the next batch.

    SettlementError where there is none of this venue, where L1 has none of one that was named, or where this machine
    has too little memory to prove a batch of one.
    """
    config, profile, doors = exchange.state.config, settlement.profile, deployment.every_door
    rollup = deployment.contract(chain, "rollup")
    taken = [door for door in doors if rollup.call("reader_of", door.version, door.shape) == door.reader.address]
    keys, numbers = {door.key for door in doors}, {door.shape for door in doors}
    found = {
        shape: key.digest.hex()
        for shape in shapes_of(settlement.shapes)
        if shape.number in numbers and (key := pinned_key(config, shape, profile, keys)).digest.hex() in keys
    }
    if not found:
        raise SettlementError(
            f"no verifier of the deployment is of this venue's batches at the profile {profile!r}: "
            "deploy them with `bulkhead l1 deploy`"
        )
    now = tuple(shape for shape, key in found.items() if any(door.key == key for door in taken))
    for shape in shapes_of(settlement.shapes) if settlement.shapes and now else ():
        if shape not in now:
            raise SettlementError(
                f"settlement.shapes names {name_of(shape)}, of which L1 takes no batch from this venue: deploy with "
                f"`bulkhead l1 deploy --shape {name_of(shape)}`, or propose it with `bulkhead l1 propose` and wait "
                "until that is enacted, or leave it out"
            )
    chosen = now or tuple(found)  # where L1 takes none any more, settlement says so and the node goes on without it
    try:
        check_room(config, chosen, profile, settlement.workers)
    except NotEnoughMemory as error:
        raise SettlementError(f"settlement.shapes: {error}") from error
    return chosen
