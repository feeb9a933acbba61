"""The node's prover: a process of its own, so that neither its load nor its death is the exchange's. It is started
again after a pause that grows, and is ended with its workers when the node ends, or when the node is gone.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple

import structlog

from bulkhead.node.proof_file import FOLDER, ProofFileError
from bulkhead.node.proving import Outcome, Prover
from bulkhead.node.replay import ExchangeError
from bulkhead.node.segment import JournalError
from bulkhead.node.workers import Died, LocalPool, Progressed, Proven, Word

if TYPE_CHECKING:  # what proves takes seconds to import
    from bulkhead.circuit.batch import Shape

log = structlog.get_logger("bulkhead.prover")

NICE = 10  # the exchange goes first
FOLLOW_PAUSE_S = 0.5
PAUSE_FIRST_S, PAUSE_MAX_S = 1.0, 60.0
WELL_S = 30.0  # who lived so long is started again at once
STOP_S = 8.0
LISTEN_S = 0.5
NOTES = "seconds.txt"  # beside the proofs: a line for each batch, its number and how long its proof took
_NOTE = re.compile(r"^([0-9]{1,10}) ([0-9]{1,9}\.[0-9]{3})\n", re.MULTILINE)  # a line that was cut off is none


class Job(NamedTuple):
    """What is to be proven, and with how much of the machine."""

    folder: Path
    profile: str
    workers: int
    threads: int
    shapes: tuple[Shape, ...] = ()  # one of these; none: see `prove_batch.fill`


class Ended(NamedTuple):
    """Why a prover ends by itself: what is on the disk is not as it must be."""

    reason: str


class Proving(NamedTuple):
    """What the prover is at: a batch, the step and the share that is done."""

    batch: int
    step: str
    share: float


def follow(job: Job, pipe: Connection) -> None:
    """The process: prove what is sealed, for as long as the node lives."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's interrupt reaches everybody; the node ends us
    signal.signal(signal.SIGTERM, _leave)
    os.nice(NICE)
    parent = multiprocessing.parent_process()
    assert parent is not None, "it runs in a process of its own"
    threading.Thread(target=_end_after, args=(parent.sentinel,), daemon=True).start()

    def tell(word: Word | Outcome) -> None:
        if isinstance(word, Proven) or (isinstance(word, Outcome) and word.path is not None and not word.seconds):
            return  # its file says it, and of what was there before there is nothing to tell
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the node is gone, and so are we soon
            pipe.send(word)

    pool = LocalPool(job.workers, job.threads, job.shapes)
    try:
        Prover(job.folder, job.profile, pool, tell).follow(FOLLOW_PAUSE_S)
    except (JournalError, ExchangeError, ProofFileError) as error:
        pipe.send(Ended(str(error)))
        sys.exit(1)
    finally:
        pool.close()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def _end_after(sentinel: int) -> None:
    wait([sentinel])
    os.kill(os.getpid(), signal.SIGTERM)  # so that workers are ended, too


class ProverChild:
    """Keeps one such process alive from `start` to `stop`, in a thread. What is read of it may be read anywhere."""

    def __init__(self, job: Job, run: Callable[[Job, Connection], None] = follow) -> None:
        self.failure = ""  # why there is no prover now
        self.unprovable: dict[int, str] = {}  # batches that it has given up, and why
        self.took_s = noted_s(job.folder)  # by batch, of those that this exchange's own prover proved
        self.proving: Proving | None = None
        self.starts = 0
        self.process_id = 0  # 0: none runs
        self._job, self._run = job, run
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="prover", daemon=True)

    def start(self) -> None:
        """Begin. Call once."""
        self._thread.start()

    def stop(self) -> None:
        """End the process and its workers, and wait for that: some seconds at most."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        pause_s = PAUSE_FIRST_S
        while not self._over.is_set():
            began_s = time.monotonic()
            try:
                reason = self._once()
            except OSError as error:  # no process can be made now
                reason = f"it cannot be started: {error}"
            if self._over.is_set():
                break
            pause_s = PAUSE_FIRST_S if time.monotonic() - began_s > WELL_S else min(2 * pause_s, PAUSE_MAX_S)
            self.failure = reason
            log.warning("the prover ended", reason=reason, again_in_s=pause_s)
            self._over.wait(pause_s)
        self.process_id, self.proving = 0, None

    def _once(self) -> str:
        """One life of the process: why it ended."""
        context = multiprocessing.get_context("spawn")  # of a fork, threads and locks would be half copied
        pipe, theirs = context.Pipe()
        process = context.Process(target=self._run, args=(self._job, theirs), name="prover")
        process.start()
        theirs.close()
        self.starts += 1
        self.process_id = process.pid or 0
        reason = ""
        try:
            while not self._over.is_set():
                if pipe in wait([pipe, process.sentinel], LISTEN_S):
                    try:
                        reason = self._hear(pipe.recv()) or reason
                    except (EOFError, OSError):
                        break
                elif not process.is_alive():
                    break
                else:
                    self.failure = ""  # it lives
        finally:
            pipe.close()
            if self._over.is_set():
                process.terminate()
            process.join(STOP_S)
            if process.exitcode is None:
                process.kill()
                process.join()
            self.process_id, self.proving = 0, None
        return reason or f"its process ended with exit status {process.exitcode}"

    def _hear(self, word: Word | Outcome | Ended) -> str:
        """What it told; the reason, where it is about to end."""
        match word:
            case Ended(reason):
                return reason
            case Progressed(number, step, share):
                self.failure, self.proving = "", Proving(number, step, share)
            case Died(number, reason):
                log.warning("a worker died", batch=number, reason=reason)
            case Outcome(number, None, reason, _):
                self.unprovable[number] = reason
                log.error("a batch is not proven", batch=number, reason=reason)
            case Outcome(number, _, _, seconds):
                self.unprovable.pop(number, None)
                self._note(number, seconds)
                self.proving = None
                log.info("batch proven", batch=number, seconds=round(seconds, 1))
        return ""

    def _note(self, number: int, seconds: float) -> None:
        """Keep how long a proof took. Nothing rests on it, so a disk that is full costs this figure and no more."""
        self.took_s[number] = seconds
        path = self._job.folder / FOLDER / NOTES
        try:
            with path.open("a", encoding="ascii") as file:
                file.write(f"{number} {seconds:.3f}\n")
        except OSError as error:
            log.warning("how long a proof took is not kept", batch=number, reason=error.strerror or str(error))


def noted_s(folder: Path) -> dict[int, float]:
    """How long the proofs of an exchange took, in seconds by batch, as far as its prover noted it."""
    try:
        text = (folder / FOLDER / NOTES).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):  # nothing was proven yet, or it is damaged: then it is not known
        return {}
    return {int(number): float(seconds) for number, seconds in _NOTE.findall(text)}
