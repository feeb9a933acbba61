"""The batch prover: proves the sealed batches of a journal, several at once when told, and keeps the proofs.

    replay the journal ──> batch without a proof ──> a worker proves it ──> its file appears, whole

What is on the disk decides what is left to do, so a prover that was killed goes on where it was: a half-made proof is
made again and a finished one never is. A batch that cannot be proven holds up no other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bulkhead.node.batches import Batches, JournalledBatch, Seals, batch_of
from bulkhead.node.proof_file import FOLDER, ProofFile, ProofFileError, Proofs, read_proof, write_proof
from bulkhead.node.workers import Died, Pool, Progressed, Proven, Word
from stark.parameters import PROFILES

ATTEMPTS_MAX = 3  # of a batch whose worker dies
WAIT_S = 1.0


class Outcome(NamedTuple):
    """What became of a batch: the file of its proof, or why there is none."""

    number: int
    path: Path | None
    reason: str = ""
    seconds: float = 0.0  # 0: the proof was there before


Report = Callable[[Word | Outcome], None]
"""Told of every step, death and outcome, as it happens."""


def unheard(word: Word | Outcome) -> None:
    """Report to nobody."""


class _Begun(NamedTuple):
    batch: JournalledBatch
    attempts: int
    since_s: float


class Prover:
    """Proves one journal's batches in a pool. Raises JournalError, ExchangeError, ProofFileError."""

    def __init__(self, folder: Path, profile: str, pool: Pool, report: Report = unheard) -> None:
        self.folder, self.profile, self.pool, self.report = folder, profile, pool, report
        self.proofs = Proofs(folder / FOLDER)
        self._batches = Batches(folder, self.proofs.first_missing(profile))
        self._seals = Seals(folder)
        self._begun: dict[int, _Begun] = {}

    def lag(self) -> int:
        """Sealed batches that have no proof yet."""
        return self.proofs.lag(self._seals.count(), self.profile)

    def catch_up(self) -> list[Outcome]:
        """Prove every batch sealed since the last call that has no proof."""
        return self._prove(self._batches.new())

    def prove(self, number: int) -> Outcome:
        """Prove one batch, unless its proof is there."""
        return self._prove(iter([batch_of(self.folder, number)]))[0]

    def _prove(self, batches: Iterator[JournalledBatch]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        with self.proofs.locked():
            waiting = self._waiting(batches, outcomes)
            try:
                self._fill(waiting)
                while self._begun:
                    for word in self.pool.wait(WAIT_S):
                        outcome = self._hear(word)
                        if outcome is not None:
                            self._tell(outcome, outcomes)
                    self._fill(waiting)
            finally:
                self._begun.clear()
        return outcomes

    def follow(self, pause_s: float, is_over: Callable[[], bool] = lambda: False) -> None:
        """Go on for as long as the exchange runs: prove what was sealed, look again after a pause."""
        while not is_over():
            self.catch_up()
            time.sleep(pause_s)

    def _fill(self, waiting: Iterator[JournalledBatch]) -> None:
        while self.pool.free and (batch := next(waiting, None)) is not None:
            self._begun[batch.number] = _Begun(batch, 1, time.monotonic())
            self.pool.start(batch, self.profile)

    def _waiting(self, batches: Iterator[JournalledBatch], outcomes: list[Outcome]) -> Iterator[JournalledBatch]:
        """Batches to be proven, in order, each replayed when there is room for it. Those that are proven are told."""
        for batch in batches:
            path = self.proofs.path(batch.number, self.profile)
            if path.exists():
                self._check_history(batch, path)
                self._tell(Outcome(batch.number, path), outcomes)
            else:
                yield batch

    def _check_history(self, batch: JournalledBatch, path: Path) -> None:
        """A proof that lies here was made from this journal, not from one that lay here before."""
        record = read_proof(path)
        if (record.batch, record.history) != (batch.number, batch.chain):
            raise ProofFileError(f"{path} is of another history than this journal's: move it away")

    def _hear(self, word: Word) -> Outcome | None:
        """What follows from a word of a worker."""
        self.report(word)
        if isinstance(word, Progressed):
            return None
        begun = self._begun[word.number]
        if isinstance(word, Died) and begun.attempts < ATTEMPTS_MAX:
            self._begun[word.number] = begun._replace(attempts=begun.attempts + 1)
            self.pool.start(begun.batch, self.profile)
            return None
        del self._begun[word.number]
        seconds = time.monotonic() - begun.since_s
        if isinstance(word, Proven):
            path = self.proofs.path(word.number, self.profile)
            write_proof(path, word.proof)
            return Outcome(word.number, path, "", seconds)
        reason = f"{word.reason}, {ATTEMPTS_MAX} times" if isinstance(word, Died) else word.reason
        return Outcome(word.number, None, reason, seconds)

    def _tell(self, outcome: Outcome, outcomes: list[Outcome]) -> None:
        outcomes.append(outcome)
        self.report(outcome)


def prove_here(
    folder: Path, number: int, profile: str, threads: int, progress: Callable[[str, float], None]
) -> tuple[Path, ProofFile]:
    """Prove one batch in this process and keep its proof: where nothing else is to be done meanwhile.

    The key is then at hand for whoever needs it next. Raises Unprovable, and what `Prover` raises.
    """
    from bulkhead.node.prove_batch import prove_batch  # here, for a pool need not load the prover
    from stark.estimate import memory_bytes

    proofs = Proofs(folder / FOLDER)
    batch = batch_of(folder, number)
    with proofs.locked():
        record = prove_batch(batch, profile, threads, progress, memory_bytes())
        path = proofs.path(number, profile)
        write_proof(path, record)
    return path, record


def lag(folder: Path, sealed: int, profile: str) -> int:
    """How far the prover of an exchange is behind: of its `sealed` batches, those without a proof of this profile.

    The node asks with its own count, `state.counters.batches`.
    """
    return Proofs(folder / FOLDER).lag(sealed, profile)


def profiles() -> tuple[str, ...]:
    """Names of the profiles a proof may have."""
    return tuple(PROFILES)
