"""What is to be sent for the next batch, looked up on L1: open its proof, answer it, publish its pages, settle it.

Nothing is remembered of what was sent: the rollup says which batch is next, the verifier what it lacks of its proof.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.contract import Contract
from bulkhead.bridge.errors import Reverted
from bulkhead.bridge.record import Deployment, Door
from bulkhead.bridge.statements import Proving
from bulkhead.circuit.batch import Shape, shape_named
from bulkhead.circuit.packing import pack
from bulkhead.circuit.venue import NotProvable
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.batches import Seals
from bulkhead.node.proof_file import FOLDER, ProofFile, ProofFileError, Proofs, read_proof
from bulkhead.node.prove_batch import pinned_key
from bulkhead.node.settling.events import Call, Cause, CutOff, Refused, Step, Unpublishable, Waiting
from bulkhead.node.settling.feed import SUBMISSION_WINDOW_S
from bulkhead.node.succession import digest_of, short
from stark.key import Key
from stark.split import split

STEP_OVER_MAX = 1024  # as custody's own loop


class Publication(NamedTuple):
    """A batch's proof, cut for the verifier of its door."""

    record: ProofFile
    door: Door
    proving: Proving
    reader: Contract
    packed: bytes  # the statement's elements, as the reader takes them
    state_before: int
    ends_s: int  # when the batch ended, by its own time

    @property
    def parts(self) -> int:
        """What the verifier is given one by one: the head, its parts, its pages."""
        return 1 + len(self.proving.cut.parts) + len(self.proving.cut.pages)


class Publisher:
    """Knows the next transaction. Raises Refused, Unpublishable, JournalError, ExchangeError, and as `Chain` does."""

    def __init__(self, chain: Chain, deployment: Deployment, folder: Path, config: VenueConfig, profile: str) -> None:
        self.chain, self.deployment, self.config, self.profile = chain, deployment, config, profile
        self.rollup, self.custody = (deployment.contract(chain, name) for name in ("rollup", "custody"))
        self.proofs = Proofs(folder / FOLDER)
        self._digest = digest_of(config)
        self._own = deployment.doors_of(self._digest)  # whether or not L1 takes them now
        self.settled = int(self.rollup.call("batches"))
        self.seals = Seals(folder, self.settled)
        self.expires_s = 0  # until when the next batch can settle; 0: none waits with a proof
        self._kept: Publication | None = None
        self._claims: dict[int, Any] = {}

    def check(self) -> None:
        """Whether the journal has all that L1 has settled; one that does not is another's, or has lost its end."""
        settled, sealed = int(self.rollup.call("batches")), self.seals.count()
        if sealed < settled:
            raise Unpublishable(0, f"L1 has settled {settled} batches, and this journal has sealed {sealed}")
        if not self.rollup.call("frozen") and not any(map(self._is_taken, self._own)):
            raise CutOff(
                0,
                f"from batch {settled + 1} on L1 takes none of the readers of this exchange's batches (configuration "
                f"{short(self._digest)}) that the record named when this was opened. Where other circuits of that "
                "configuration were enacted, go on with their program and record; others it cannot follow",
            )

    def wanted(self) -> Call | Waiting | None:
        """The next transaction; None when no proof waits."""
        self.settled = int(self.rollup.call("batches"))
        number, self.expires_s = self.settled + 1, 0
        if self.rollup.call("frozen"):
            raise Unpublishable(0, "the rollup is frozen: no batch settles again")
        if not self.proofs.path(number, self.profile).exists():
            return None
        found = self.publication(number)
        self.expires_s = found.ends_s + SUBMISSION_WINDOW_S
        if self.rollup.call("batches_paused"):
            return Waiting(Cause.PAUSED, f"batch {number} can settle until {_utc(self.expires_s)}")
        if not self._is_taken(found.door):
            raise Unpublishable(
                number,
                f"its proof is for the reader {found.door.reader.address}, which L1 takes no more: remove the file, "
                "and have it proven by a program with the circuits that were enacted",
            )
        state = int(self.rollup.call("state"))
        settle = Call(Step.SETTLE, number, 0, found.reader.address, b"")
        if state != found.state_before:
            raise Refused(settle, f"the batch begins at state {found.state_before:#x}, and L1 is at {state:#x}")
        return self._next(settle, found)

    def published(self, number: int) -> tuple[int, int]:
        """Parts and pages of a batch's proof that the verifier has accepted, and how many there are."""
        found = self.publication(number)
        if found.proving.is_proven():
            return found.parts, found.parts
        missing = found.proving.missing(self._claim(number, found))
        return (0 if missing is None else found.parts - missing.bit_count()), found.parts

    def step_over(self) -> Call | None:
        """Pass cancelled deposits at the head of custody's queue, so many that a batch does not do it by itself."""
        passed, queued = int(self.custody.call("passed")), int(self.custody.call("queued"))
        most, count = min(queued - passed, STEP_OVER_MAX), 0
        while count < most and not self.custody.call("deposit_of", passed + count + 1)[1]:
            count += 1
        if not count:
            return None
        return Call(Step.STEP_OVER, 0, count, self.custody.address, self.custody.data("step_over", count))

    def finish_cancel(self, number: int) -> Call:
        """Give a deposit back whose cancellation is due."""
        return Call(Step.FINISH_CANCEL, 0, number, self.custody.address, self.custody.data("finish_cancel", number))

    def _is_taken(self, door: Door) -> bool:
        """Whether the rollup takes the next batch from a door's reader."""
        return str(self.rollup.call("reader_of", door.version, door.shape)) == door.reader.address

    def publication(self, number: int) -> Publication:
        """A batch's proof, read and held to this journal, this deployment and the verifier's rules. Kept for one."""
        if self._kept is None or self._kept.record.batch != number:
            self._claims.clear()
            self._kept = self._read(number)
        return self._kept

    def _read(self, number: int) -> Publication:
        try:
            record = read_proof(self.proofs.path(number, self.profile))
        except ProofFileError as error:
            raise Unpublishable(number, str(error)) from error
        if record.batch != number or record.profile != self.profile:
            raise Unpublishable(number, f"its file is of batch {record.batch}, profile {record.profile!r:.40}")
        sealed = self.seals.count()
        if number <= sealed and number not in self.seals.chains:  # L1 went back behind where we began to read
            self.seals = Seals(self.proofs.folder.parent, number - 1)
            sealed = self.seals.count()
        if sealed < number or self.seals.chains.get(number) != record.history:
            raise Unpublishable(number, f"its proof is of another history than this journal of {sealed} batches")
        shape = shape_named(record.shape)
        doors = [each for each in self._own if each.key == record.key.hex()]
        if not doors:
            known = ", ".join(f"{each.key[:16]}…" for each in self._own)
            raise Unpublishable(number, f"no verifier on L1 has its key {record.key.hex()[:16]}…; there are {known}")
        key = None if shape is None else self._key(number, shape)
        if shape is None or key is None or key.digest != record.key:
            raise Unpublishable(
                number,
                f"its proof has the key {record.key.hex()[:16]}…, of another version of the circuit than this "
                "program's: settle it with the program that made it, or remove the file",
            )
        try:
            cut = split(key, record.statement, record.proof)
            packed = pack(record.statement[: len(key.system.public)], shape)
        except ValueError as error:
            raise Unpublishable(number, f"its proof does not hold: {error}") from error
        door = doors[0]
        verifier, reader = (Contract(self.chain, each.address, each.abi) for each in (door.verifier, door.reader))
        said = dict(zip(key.system.public, record.statement, strict=False))
        return Publication(
            record, door, Proving(verifier, cut), reader, packed, said["state_before"], said["time_ms_after"] // 1000
        )

    def _key(self, number: int, shape: Shape) -> Key:
        try:
            return pinned_key(self.config, shape, self.profile, {each.key for each in self._own})
        except NotProvable as error:
            raise Unpublishable(number, str(error)) from error

    def _next(self, settle: Call, found: Publication) -> Call:
        """The transaction that comes next; `settle` is the last one, without its bytes."""
        number, proving = settle.batch, found.proving
        claim: Any = ()
        missing: int | None = 0
        if not proving.is_proven():
            claim = self._claim(number, found)
            missing = proving.missing(claim)
        if missing is None:
            return self._open(number, found)
        last = proving.settling(found.reader, self.rollup.address, found.packed, missing, claim)
        if last is not None:
            return settle._replace(data=found.reader.data(last.name, *last.arguments))
        asked, _ = proving.supply(claim, missing)
        step, part = (Step.ANSWER if asked.name == "answer" else Step.PUBLISH), asked.arguments[1]
        data = proving.verifier.data(asked.name, *asked.arguments)
        return Call(step, number, part, proving.verifier.address, data)

    def _open(self, number: int, found: Publication) -> Call:
        asked, verifier = found.proving.opening(), found.proving.verifier
        return Call(Step.OPEN, number, 0, verifier.address, verifier.data(asked.name, *asked.arguments))

    def _claim(self, number: int, found: Publication) -> Any:
        """What the verifier makes of the proof's head: it follows from it, so it is asked for once."""
        if number not in self._claims:
            try:
                self._claims[number] = found.proving.claim()
            except Reverted as error:
                raise Refused(self._open(number, found), error.reason) from error
        return self._claims[number]


def _utc(time_s: int) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
