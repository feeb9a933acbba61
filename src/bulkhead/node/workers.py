"""Processes that prove batches beside the exchange: one batch each at a time, and a death costs only that batch.

A worker is started when a batch waits and is kept for the next one, since its kernels and keys are then at hand. It
ends with whoever started it, also when that one is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import TYPE_CHECKING, NamedTuple, Protocol

from bulkhead.node.batches import JournalledBatch
from bulkhead.node.proof_file import ProofFile

if TYPE_CHECKING:  # what proves takes seconds to import
    from bulkhead.circuit.batch import Shape

STOP_S = 5.0


class Job(NamedTuple):
    """A batch to be proven."""

    batch: JournalledBatch
    profile: str
    threads: int
    sharers: int = 1  # so many such jobs share the machine, and its memory
    shapes: tuple[Shape, ...] = ()  # one of these; none: see `prove_batch.fill`


class Progressed(NamedTuple):
    """What is being done for a batch, and the share of the whole that is done."""

    number: int
    step: str
    share: float


class Proven(NamedTuple):
    """A batch's proof."""

    number: int
    proof: ProofFile


class Refused(NamedTuple):
    """There is no proof of this batch, and trying again would not help."""

    number: int
    reason: str


class Died(NamedTuple):
    """A worker ended before its proof was made."""

    number: int
    reason: str


Word = Progressed | Proven | Refused | Died


class Pool(Protocol):
    """Where proofs are made: processes of this machine, or a cluster."""

    @property
    def free(self) -> int:
        """How many more batches can be started now."""

    def start(self, batch: JournalledBatch, profile: str) -> None:
        """Begin to prove a batch; at least one place must be free."""

    def wait(self, timeout_s: float) -> list[Word]:
        """What was heard of batches, after at most so long."""

    def close(self) -> None:
        """End the work; what was not finished is lost."""


class Worker:
    """One process and the pipe to it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # of a fork, threads and locks would be half copied
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=serve, args=(theirs,), daemon=True, name="prover")
        self.process.start()
        theirs.close()

    def end(self) -> None:
        """End the process, whatever it is doing, and wait for it."""
        self.pipe.close()
        self.process.terminate()
        self.process.join(STOP_S)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()


class LocalPool:
    """Processes of this machine."""

    def __init__(self, workers: int = 1, threads: int = 1, shapes: tuple[Shape, ...] = ()) -> None:
        """At most so many batches at once, each on so many threads, in one of these shapes."""
        if workers < 1 or threads < 1:
            raise ValueError(f"{workers} workers of {threads} threads prove nothing")
        self.workers, self.threads, self.shapes = workers, threads, shapes
        self.busy: dict[int, Worker] = {}  # by batch
        self.idle: list[Worker] = []

    @property
    def free(self) -> int:
        """How many more batches can be started now."""
        return self.workers - len(self.busy)

    def start(self, batch: JournalledBatch, profile: str) -> None:
        """Begin to prove a batch."""
        assert self.free > 0 and batch.number not in self.busy, "whoever starts a batch looks for room first"
        worker = self.idle.pop() if self.idle else Worker()
        self.busy[batch.number] = worker
        with suppress(BrokenPipeError, ConnectionResetError):  # a dead one is heard of in `wait`
            worker.pipe.send(Job(batch, profile, self.threads, self.workers, self.shapes))

    def wait(self, timeout_s: float) -> list[Word]:
        """What was heard of batches, after at most so long."""
        numbers = {worker.pipe: number for number, worker in self.busy.items()}
        ready = wait(list(numbers), timeout_s)
        return [self._hear(numbers[pipe]) for pipe in ready if isinstance(pipe, Connection)]

    def _hear(self, number: int) -> Word:
        worker = self.busy[number]
        try:
            word: Word = worker.pipe.recv()
        except (EOFError, OSError):  # in the middle of a word, or between two
            del self.busy[number]
            worker.process.join(STOP_S)
            worker.end()
            return Died(number, f"its process ended with exit status {worker.process.exitcode}")
        if not isinstance(word, Progressed):
            self.idle.append(self.busy.pop(number))
        return word

    def close(self) -> None:
        """End all processes."""
        for worker in [*self.busy.values(), *self.idle]:
            worker.end()
        self.busy.clear()
        self.idle.clear()


def serve(pipe: Connection) -> None:
    """A worker's life: take a job, tell how it goes, answer, until the other end is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's interrupt reaches everybody; the parent ends us
    parent = multiprocessing.parent_process()
    assert parent is not None, "serve runs in a process of its own"
    threading.Thread(target=_end_after, args=([parent.sentinel],), daemon=True).start()
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            pipe.send(work(pipe.recv(), pipe.send))


def _end_after(sentinels: Iterable[int]) -> None:
    """A prover whose parent was killed would go on for nobody, beside the one that takes over."""
    wait(list(sentinels))
    os._exit(1)


def work(job: Job, tell: Callable[[Word], object]) -> Proven | Refused:
    """Prove one batch and tell how it goes. A failure of the program itself is told as a refusal, by its name."""
    # Here, for a pool need not load the prover.
    from bulkhead.node.prove_batch import Unprovable, prove_batch
    from stark.estimate import memory_bytes

    number = job.batch.number

    def report(step: str, share: float) -> None:
        tell(Progressed(number, step, share))

    try:
        limit = memory_bytes() // job.sharers
        proof = prove_batch(job.batch, job.profile, job.threads, report, limit, job.shapes)
    except Unprovable as error:
        return Refused(number, str(error))
    except OSError:
        raise  # nobody listens any more
    except Exception as error:
        return Refused(number, f"the prover failed: {type(error).__name__}: {error}")
    return Proven(number, proof)
