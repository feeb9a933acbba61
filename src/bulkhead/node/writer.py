"""The one writer: commands of everybody in one order, journalled in groups, then handled, then answered.

What arrives while a group is being synced is the next group, so that a slow disk makes groups larger instead of
answers fewer. The sync runs beside the event loop; everything else here runs in it, so readers of the state never see
a command half handled.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from bulkhead.codec import CodecError
from bulkhead.engine.command import Command, SealBatch
from bulkhead.node.exchange import Answer, Exchange
from bulkhead.node.signatures import Signatures
from bulkhead.reject import Reject
from bulkhead.units import TimeMs

GROUP_MAX = 128
"""Commands of one group: what is handled without letting the event loop do anything else, some ten milliseconds."""

Make = Callable[[TimeMs], Command]
"""Makes a command for the moment at which it enters, just before it is journalled. Called in order; again where a batch
must end before the command."""
Listener = Callable[[Sequence[Answer]], None]
"""Hears of every group that was handled, in order, before anybody else is answered. Must not raise."""


class Busy(Exception):
    """More is waiting than the node takes in; the caller may try again soon."""


class Stopped(Exception):
    """The node takes no more commands: it is shutting down, or its disk has failed."""


class Malformed(Exception):
    """A command with a field that its type does not allow; it never reached the journal."""


class Entry(Enum):
    """What a gate has done with a command."""

    TAKE = "take it into this group"
    LAST = "take it, and end the group"
    WAIT = "end the group before it"
    SEAL = "end the batch before it"


class Oversized(Exception):
    """A command that is more than a batch could prove, however empty; the text says what it would take."""


class Gate(Protocol):
    """Whoever says where batches must end; see `bulkhead.node.gate`."""

    def ask(self, command: Command) -> Entry:
        """What to do with the next command of a group. Raises Oversized."""


class Writer:
    """Feeds one exchange. `send` from anywhere in the event loop; `run` is the task that does the work."""

    def __init__(self, exchange: Exchange, clock: Callable[[], TimeMs], queue_max: int) -> None:
        self.exchange = exchange
        self.listeners: list[Listener] = []
        self.gate: Gate | None = None  # of a venue whose batches are proven
        self.failure = ""  # why nothing more is taken, once the disk has failed
        self.groups = 0
        self._clock = clock
        self._queue_max = queue_max
        self._waiting: deque[tuple[Make, asyncio.Future[Answer | Reject]]] = deque()
        self._snapshots: deque[asyncio.Future[Path]] = deque()
        self._wake = asyncio.Event()
        self._is_closing = False
        self._signatures = Signatures(exchange)
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="journal")

    @property
    def depth(self) -> int:
        """Commands that wait for their turn."""
        return len(self._waiting)

    def now(self) -> TimeMs:
        """The clock, which never goes back behind what was journalled."""
        return max(self._clock(), self.exchange.machine.venue.sequencer.time_ms)

    @property
    def clock_behind_ms(self) -> int:
        """How far the machine's clock is behind what was journalled: it was set back, or the machine changed. Until it
        has caught up no time passes here, and no price of the moment is new."""
        return max(0, int(self.exchange.machine.venue.sequencer.time_ms) - int(self._clock()))

    async def send(self, make: Make) -> Answer | Reject:
        """Journal and handle one command: what came of it, or why the door refused it.

        Raises Busy, Stopped or Malformed; then nothing was journalled, but for a Stopped that comes of a failed disk:
        whether such a command is in the journal, only the next start can tell.
        """
        self._check_open()
        if len(self._waiting) >= self._queue_max:
            raise Busy(f"{self._queue_max} commands are waiting")
        answer: asyncio.Future[Answer | Reject] = asyncio.get_running_loop().create_future()
        self._waiting.append((make, answer))
        self._wake.set()
        return await answer

    async def snapshot(self) -> Path:
        """Have one written between two groups: while a group is being synced, what is handled lags what is journalled.

        Raises Stopped where the node stops before it came to it.
        """
        self._check_open()
        taken: asyncio.Future[Path] = asyncio.get_running_loop().create_future()
        self._snapshots.append(taken)
        self._wake.set()
        return await taken

    async def run(self) -> None:
        """Until `close`: group after group."""
        try:
            while not (self._is_closing and not self._waiting):
                await self._wake.wait()
                self._wake.clear()
                self._take_snapshots()
                while self._waiting:
                    await self._group()
                    self._take_snapshots()
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._is_closing = True
            self._refuse_waiting()
            self._disk.shutdown()

    def close(self) -> None:
        """Take nothing more; what was taken is still done."""
        self._is_closing = True
        self._wake.set()

    async def _group(self) -> None:
        now = self.now()
        made: list[tuple[Command, asyncio.Future[Answer | Reject]]] = []
        while self._waiting and len(made) < GROUP_MAX:
            make, answer = self._waiting.popleft()
            try:
                command = make(now)
                entry = Entry.TAKE if self.gate is None else self.gate.ask(command)
            except Oversized as error:
                _fail(answer, Malformed(str(error)))
                continue
            except Exception as error:  # the maker's own: it must not cost the others their turn
                _fail(answer, error)
                continue
            if entry in (Entry.WAIT, Entry.SEAL):
                self._waiting.appendleft((make, answer))
                if entry is Entry.SEAL:
                    made.append((SealBatch(now), _unheard()))
                break
            made.append((command, answer))
            if entry is Entry.LAST:
                break
        submitted: dict[int, asyncio.Future[Answer | Reject]] = {}
        try:
            self._signatures.verify(command for command, _ in made)
            for command, answer in made:
                self._submit(command, answer, submitted)
            if submitted:
                await asyncio.get_running_loop().run_in_executor(self._disk, self.exchange.journal.commit)
            answers = self.exchange.commit()
            self.groups += 1
            for listener in self.listeners:
                listener(answers)
        except BaseException as error:
            for _, answer in made:
                _fail(answer, Stopped(f"the command may or may not have been journalled ({error})"))
            raise
        for done in answers:
            waiting = submitted.get(done.sequence)
            if waiting is not None and not waiting.done():
                waiting.set_result(done)

    def _take_snapshots(self) -> None:
        """One file answers everybody who has asked. Where the disk fails, nothing more is taken."""
        if not self._snapshots:
            return
        path = self.exchange.snapshot()
        while self._snapshots:
            taken = self._snapshots.popleft()
            if not taken.done():
                taken.set_result(path)

    def _submit(
        self,
        command: Command,
        answer: asyncio.Future[Answer | Reject],
        submitted: dict[int, asyncio.Future[Answer | Reject]],
    ) -> None:
        try:
            outcome = self.exchange.submit(command)
        except CodecError as error:
            _fail(answer, Malformed(str(error)))
            return
        if not isinstance(outcome, Reject):
            submitted[outcome] = answer
        elif not answer.done():
            answer.set_result(outcome)

    def _check_open(self) -> None:
        if self.failure:
            raise Stopped(f"the node has stopped: {self.failure}")
        if self._is_closing:
            raise Stopped("the node is shutting down")

    def _refuse_waiting(self) -> None:
        while self._waiting:
            _fail(self._waiting.popleft()[1], Stopped("the node has stopped"))
        while self._snapshots:
            _fail(self._snapshots.popleft(), Stopped("the node has stopped"))


def _unheard() -> asyncio.Future[Answer | Reject]:
    """The answer to a command that nobody asked for."""
    answer: asyncio.Future[Answer | Reject] = asyncio.get_running_loop().create_future()
    answer.add_done_callback(lambda done: done.exception())
    return answer


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
