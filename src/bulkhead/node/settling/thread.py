"""The settlement service in a thread of the node: it steps, and leaves a copy of how far everything has come.

`Settlement.status` belongs to the thread that steps; whoever else wants to know reads `standing`, which is replaced
whole and never changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from bulkhead.bridge.errors import ChainError
from bulkhead.bridge.proposals import Proposal
from bulkhead.node.replay import ExchangeError
from bulkhead.node.segment import JournalError
from bulkhead.node.settlement import Settlement
from bulkhead.node.settling.events import (
    BatchStatus,
    Event,
    Fed,
    Halted,
    Held,
    Idle,
    Included,
    OutOfFunds,
    SettlementError,
    Stage,
    Waiting,
)

log = structlog.get_logger("bulkhead.settlement")

NEWEST = 20  # batches whose status is looked up one by one
REFRESH_S = 2.0
PAUSE_MAX_S = 30.0
LATE_S = 86_400


class LastTransaction(NamedTuple):
    """The last transaction of the service that is in a block."""

    step: str
    batch: int
    hash: str
    block: int
    gas_used: int


class Standing(NamedTuple):
    """How far everything has come, as it was looked up last."""

    sealed: int = 0
    settled: int = 0  # in L1's newest block
    final: int = 0  # as deep as was asked for
    newest: tuple[BatchStatus, ...] = ()
    waiting: str = ""  # why nothing is done now; empty when there is nothing to do
    halted: str = ""  # why nothing will be done any more
    last: LastTransaction | None = None
    proposals: tuple[Proposal, ...] = ()  # of L1's council, in order
    is_cut_off: bool = False  # L1 takes no further batch of this exchange
    is_late: bool = False  # the next batch is refused for ever if it does not settle within LATE_S

    def status(self, number: int) -> BatchStatus:
        """Of a batch: what was looked up, or what follows from the numbers."""
        if number <= self.final:
            return BatchStatus(number, Stage.FINAL)
        if number <= self.settled:
            return BatchStatus(number, Stage.SETTLED)
        known = next((each for each in self.newest if each.number == number), None)
        return known or BatchStatus(number, Stage.SEALED)


class SettlementThread:
    """Steps one service from `start` to `stop`. `failure` and `standing` may be read anywhere."""

    def __init__(self, make: Callable[[], Settlement], pause_s: float, listener: Callable[[Event], None]) -> None:
        self.standing = Standing()
        self.failure = ""
        self._make, self._pause_s, self._listener = make, pause_s, listener
        self._over = threading.Event()
        self._looked_s = 0.0
        self._thread = threading.Thread(target=self._run, name="settlement", daemon=True)

    def start(self) -> None:
        """Open the service and begin. Raises SettlementError, and what making a `Settlement` raises."""
        self._service = self._make()
        self._thread.start()

    def stop(self) -> None:
        """End after the step that is being done."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        pause_s = self._pause_s
        with self._service as service:
            while not self._over.is_set():
                try:
                    event = service.step(int(time.time() * 1000))
                    self._look(service, event)
                except (ChainError, SettlementError, JournalError, ExchangeError) as error:
                    if self._over.is_set():
                        break
                    pause_s = min(2 * pause_s, PAUSE_MAX_S)
                    self.failure = str(error)
                    log.warning("settlement", failure=str(error), again_in_s=pause_s)
                    self._over.wait(pause_s)
                    continue
                pause_s = self._pause_s
                self.failure = f"it has stopped: {event.reason}" if isinstance(event, Halted) else ""
                if isinstance(event, Idle | Waiting | OutOfFunds | Held | Halted):
                    self._over.wait(pause_s)
                elif not isinstance(event, Fed):
                    self._listener(event)

    def _look(self, service: Settlement, event: Event) -> None:
        """Keep the copy: anew when something was done, else when it is some seconds old."""
        now_s, before = time.monotonic(), self.standing
        halted, is_cut_off = (event.reason, event.is_cut_off) if isinstance(event, Halted) else ("", False)
        waiting, is_late = "", 0 < service.expires_s <= time.time() + LATE_S
        if isinstance(event, Waiting):
            waiting = f"{event.cause} {event.detail}".strip()
        elif isinstance(event, OutOfFunds):
            waiting = f"{event.address} needs {event.needed} wei and has {event.held}"
        elif isinstance(event, Held):
            waiting = f"{event.queue} {event.l1_number} and those behind it wait: {event.reason}"
        if isinstance(event, Idle | Waiting | Held | OutOfFunds | Halted) and now_s - self._looked_s < REFRESH_S:
            self.standing = before._replace(waiting=waiting, halted=halted, is_cut_off=is_cut_off, is_late=is_late)
            return
        self._looked_s = now_s
        last = before.last
        if isinstance(event, Included):
            last = LastTransaction(
                str(event.step), event.batch, f"0x{event.hash.hex()}", event.block, event.gas_used
            )  # fmt: skip
        counts = service.counts()
        newest, proposals = tuple(service.statuses(NEWEST)), service.proposals(int(time.time()))
        self.standing = Standing(*counts, newest, waiting, halted, last, proposals, is_cut_off, is_late)
