"""The same work on a Ray cluster: whole batches to whatever machine has cores free.

`ray` comes with `pip install bulkhead[cluster]`, on this machine and on every one of the cluster.
"""

from __future__ import annotations

import re
import socket
from typing import TYPE_CHECKING, Any

from bulkhead.node.batches import JournalledBatch
from bulkhead.node.workers import Died, Job, Progressed, Proven, Refused, Word, work

if TYPE_CHECKING:  # what proves takes seconds to import
    from bulkhead.circuit.batch import Shape

ANSWER_S = 10.0
_PLACE = re.compile(r"(?:ray://)?\[?([^\[\]/]+)\]?:(\d{1,5})")  # a host and a port


class ClusterError(Exception):
    """The cluster cannot be used; the text says why."""


class Board:
    """An actor on the cluster that workers tell how far they are."""

    def __init__(self) -> None:
        self.words: dict[int, Word] = {}

    def put(self, word: Word) -> None:
        """Keep the last word of each batch."""
        self.words[word.number] = word

    def take(self) -> list[Word]:
        """What was said since the last call."""
        words, self.words = list(self.words.values()), {}
        return words


def work_remotely(job: Job, board: Any) -> Proven | Refused:
    """`work` with its progress written on the board."""
    return work(job, board.put.remote)


class ClusterPool:
    """Places on a Ray cluster. A worker that dies, or whose machine does, costs only its batch."""

    def __init__(
        self, address: str, workers: int = 1, threads: int = 1, shapes: tuple[Shape, ...] = ()
    ) -> None:
        """`address` as Ray takes it: host:port, ray://host:port, auto, or local for one that lives as long as we do."""
        if workers < 1 or threads < 1:
            raise ValueError(f"{workers} workers of {threads} threads prove nothing")
        try:
            import ray
        except ImportError as error:
            raise ClusterError("a cluster needs ray: pip install 'bulkhead[cluster]'") from error
        self._ray = ray
        check_answers(address)
        try:
            ray.init(address=address, log_to_driver=False, ignore_reinit_error=True)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise ClusterError(f"no Ray cluster answers at {address}: {error}") from error
        self.workers, self.threads, self.shapes = workers, threads, shapes
        # Ray would start a dead task again by itself, without end and unseen; here it is counted and told.
        self._work = ray.remote(num_cpus=threads, max_retries=0)(work_remotely)
        self._board = ray.remote(num_cpus=0)(Board).remote()
        self._busy: dict[Any, int] = {}

    @property
    def free(self) -> int:
        """How many more batches can be started now."""
        return self.workers - len(self._busy)

    def start(self, batch: JournalledBatch, profile: str) -> None:
        """Begin to prove a batch where there is room; until then it waits at the cluster."""
        assert self.free > 0, "whoever starts a batch looks for room first"
        job = Job(batch, profile, self.threads, shapes=self.shapes)
        self._busy[self._work.remote(job, self._board)] = batch.number

    def wait(self, timeout_s: float) -> list[Word]:
        """What was heard of batches, after at most so long."""
        done, _ = self._ray.wait(list(self._busy), timeout=timeout_s)
        words: list[Word] = [word for word in self._told() if word.number in self._busy.values()]
        for reference in done:
            number = self._busy.pop(reference)
            try:
                words.append(self._ray.get(reference))
            except self._ray.exceptions.RayError as error:
                words.append(Died(number, f"its worker is gone: {str(error).splitlines()[0]}"))
        return words

    def _told(self) -> list[Progressed]:
        try:
            told: list[Progressed] = self._ray.get(self._board.take.remote())
        except self._ray.exceptions.RayActorError:  # its machine went down; proofs go on, unseen
            self._board = self._ray.remote(num_cpus=0)(Board).remote()
            return []
        return told

    def close(self) -> None:
        """Leave the cluster; what was not finished is cancelled."""
        for reference in self._busy:
            self._ray.cancel(reference, force=True)
        self._busy.clear()
        self._ray.shutdown()


def check_answers(address: str) -> None:
    """Ray would try for minutes, and then end the process, where nobody listens."""
    place = _PLACE.fullmatch(address)
    if place is None:
        return  # auto, local: Ray itself knows at once
    try:
        socket.create_connection((place[1], int(place[2])), ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"no Ray cluster answers at {address}: {error}") from error
