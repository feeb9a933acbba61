"""What runs beside the exchange, by itself: a prover that breaks, gives up, hangs; a settlement that halts or fails."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from bulkhead.bridge.errors import Unreachable
from bulkhead.bridge.proposals import Proposal
from bulkhead.node.proof_file import FOLDER
from bulkhead.node.proving import Outcome
from bulkhead.node.settlement import Settlement
from bulkhead.node.settling.child import NOTES, Ended, Job, ProverChild, Proving
from bulkhead.node.settling.events import (
    BatchStatus,
    Cause,
    Event,
    Halted,
    Idle,
    Included,
    OutOfFunds,
    Stage,
    Step,
    Waiting,
)
from bulkhead.node.settling.thread import LATE_S, SettlementThread, Standing
from bulkhead.node.workers import Died, Progressed

JOB = Job(Path("nowhere"), "test", 1, 1)


def breaks(job: Job, pipe: Connection) -> None:
    pipe.send(Ended("the journal is damaged"))
    sys.exit(1)


def gives_up(job: Job, pipe: Connection) -> None:
    for word in (Died(3, "killed"), Progressed(3, "2 trace", 0.25), Outcome(3, None, "no circuit"), Died(4, "again")):
        pipe.send(word)
    pipe.send(Progressed(4, "folding", 0.5))
    time.sleep(60)


def until(holds: Callable[[], Any]) -> None:
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("not within 10 s")


def test_a_prover_that_breaks_is_told_and_started_again_after_a_pause() -> None:
    child = ProverChild(JOB, breaks)
    child.start()
    until(lambda: child.failure)
    assert child.failure == "the journal is damaged"
    until(lambda: child.starts == 2)
    child.stop()
    assert child.starts == 2 and not child.process_id


def test_batches_that_are_given_up_are_named_and_what_hangs_is_ended() -> None:
    child = ProverChild(JOB, gives_up)
    child.start()
    until(lambda: child.proving == Proving(4, "folding", 0.5))
    assert child.unprovable == {3: "no circuit"} and child.failure == ""
    began = time.monotonic()
    child.stop()
    assert time.monotonic() - began < 5


def proves(job: Job, pipe: Connection) -> None:
    for word in (Outcome(7, Path("7"), "", 49.7), Outcome(8, Path("8"), "", 12.25)):
        pipe.send(word)
    time.sleep(60)


def test_how_long_proofs_took_is_known_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    job = Job(tmp_path, "test", 1, 1)
    child = ProverChild(job, proves)
    assert child.took_s == {}
    child.start()
    until(lambda: 8 in child.took_s)
    child.stop()
    assert ProverChild(job, proves).took_s == {7: 49.7, 8: 12.25}
    with (tmp_path / FOLDER / NOTES).open("a", encoding="ascii") as file:
        file.write("9 4")  # of "9 49.700": the machine went down
    assert 9 not in ProverChild(job, proves).took_s
    (tmp_path / FOLDER / NOTES).write_bytes(b"\xff")
    assert ProverChild(job, proves).took_s == {}


class Service:
    """Steps as it is told to; what it is asked for its counts is all that it knows."""

    def __init__(self, *steps: Event | Exception) -> None:
        self.steps = list(steps)
        self.is_closed = False
        self.expires_s = 0

    def step(self, now_ms: int) -> Event:
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    def counts(self) -> tuple[int, int, int]:
        return 40, 7, 5

    def statuses(self, count: int) -> list[BatchStatus]:
        return [BatchStatus(number, Stage.PROVEN) for number in range(41 - count, 41)]

    def proposals(self, now_s: int) -> tuple[Proposal, ...]:
        return ()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.is_closed = True


def run(*steps: Event | Exception) -> tuple[SettlementThread, Service, list[Event]]:
    service, heard = Service(*steps), list[Event]()
    thread = SettlementThread(lambda: cast(Settlement, service), 0.01, heard.append)
    thread.start()
    return thread, service, heard


def test_what_was_looked_up_is_kept_for_other_threads() -> None:
    included = Included(Step.SETTLE, 7, 0, 3, b"\x01" * 32, 99, 21_000, succeeded=True)
    thread, service, heard = run(included, Idle())
    until(lambda: thread.standing.last)
    thread.stop()
    assert service.is_closed and heard == [included] and thread.failure == ""
    found = thread.standing
    assert (found.sealed, found.settled, found.final) == (40, 7, 5)
    assert found.last is not None and (found.last.block, found.last.step) == (99, "settle")
    stages = [found.status(number).stage for number in (1, 5, 6, 8, 30, 41)]
    assert stages == [Stage.FINAL, Stage.FINAL, Stage.SETTLED, Stage.SEALED, Stage.PROVEN, Stage.SEALED]


def test_a_settlement_that_halts_or_waits_says_why() -> None:
    thread, service, _ = run(OutOfFunds("0xabc", 10, 3), Halted(7, "L1 refuses it"))
    until(lambda: thread.failure)
    assert thread.failure == "it has stopped: L1 refuses it" and thread.standing.halted == "L1 refuses it"
    thread.stop()
    assert service.is_closed
    thread, _, _ = run(OutOfFunds("0xabc", 10, 3))
    until(lambda: "0xabc needs 10 wei" in thread.standing.waiting)
    thread.stop()
    assert thread.failure == ""


def test_a_batch_that_is_about_to_be_too_old_is_told_a_day_before() -> None:
    thread, service, _ = run(Waiting(Cause.PAUSED, "batch 8"))
    until(lambda: thread.standing.waiting)
    assert not thread.standing.is_late, "nothing is known of a next batch"
    service.expires_s = int(time.time()) + LATE_S + 60
    assert not thread.standing.is_late
    service.expires_s -= 120
    until(lambda: thread.standing.is_late)
    service.expires_s = 0  # it has settled
    until(lambda: not thread.standing.is_late)
    thread.stop()


def test_a_failure_is_told_tried_again_and_forgotten() -> None:
    thread, _, _ = run(Unreachable("no answer"), Idle())
    until(lambda: thread.failure == "no answer")
    until(lambda: not thread.failure)
    thread.stop()
    assert thread.standing.waiting == "" and thread.standing != Standing()
