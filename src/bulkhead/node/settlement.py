"""The settlement service: takes proofs of sealed batches to L1, follows L1, and feeds its queues into the exchange.

    journal ──seal──> proof on disk ──open, answer, settle──> S moves on L1 ──confirmations──> final
    exchange <──deposits, forced requests── confirmed events of L1

`step` does one thing and tells it; who calls it, and how often, is up to the caller, and nothing in it sleeps. It looks
at L1 before it does anything, so it may be killed anywhere, and may find L1 reorganised, or served by somebody else.

It stops, saying why, where trying again cannot help: a proof that is refused, a history that is not this journal's, a
frozen rollup. Everything else is waited for: an empty account, a pause, fees, a node that does not answer.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from eth_account.signers.local import LocalAccount

from bulkhead.bridge.chain import Block, Chain
from bulkhead.bridge.errors import ChainError, Reverted, RpcError, Unreachable
from bulkhead.bridge.proposals import Proposal, Proposals
from bulkhead.bridge.record import Deployment, check_record
from bulkhead.node.replay import read_genesis
from bulkhead.node.settling.events import (
    BatchStatus,
    Call,
    Cause,
    CutOff,
    Event,
    ExchangeBusy,
    Fed,
    Followed,
    Halted,
    Held,
    Idle,
    Included,
    OutOfFunds,
    Queue,
    Refused,
    Reorganised,
    Report,
    SettlementError,
    Stage,
    Step,
    Unpublishable,
    Waiting,
)
from bulkhead.node.settling.feed import Due, Feed
from bulkhead.node.settling.intake import Intake
from bulkhead.node.settling.outbox import Outbox
from bulkhead.node.settling.publish import Publisher
from bulkhead.node.settling.store import FOLDER, Store
from bulkhead.node.settling.watch import Watch

PROFILE = "onchain"
CONFIRMATIONS = 12
STUCK_MS = 120_000  # ten blocks of Ethereum
REFUSALS_MAX = 2  # of one call, one after the other
FAILURES_MAX = 3  # of one call, in blocks, which costs gas each time
CURED_BY_TIME = {"rollup: paused": Cause.PAUSED, "rollup: ahead of its time": Cause.AHEAD}
TOO_OLD = "rollup: too old"
UNDONE = (
    "a batch is refused for ever three days after its end, and none of this exchange follows without it: what was not "
    "settled is undone, and everybody leaves by the escape, after anybody has frozen the rollup for a forced request "
    "that is overdue"
)
STEP_OVER_FIRST = "custody: step over first"


class Terms(NamedTuple):
    """How an operator wants it. `confirmations` counts a block itself; `fee_max` is in wei for a unit of gas."""

    profile: str = PROFILE
    confirmations: int = CONFIRMATIONS
    stuck_ms: int = STUCK_MS
    fee_max: int | None = None


def unheard(event: Event) -> None:
    """Report to nobody."""


class Settlement:
    """The service of one exchange's folder and one deployment, alone in its folder. A context manager.

    Making one raises SettlementError, RecordError, ExchangeError, JournalError, and what `Chain` raises.
    """

    def __init__(
        self,
        folder: Path,
        chain: Chain,
        deployment: Deployment,
        signer: LocalAccount,
        *,
        intake: Intake | None = None,
        terms: Terms = Terms(),  # noqa: B008 - a frozen value
        report: Report = unheard,
        after_commit: Callable[[], None] = lambda: None,
    ) -> None:
        """Without an intake nothing is fed back. `report` hears of every step that did something."""
        if terms.confirmations < 1:
            raise SettlementError(f"confirmations count the block itself: at least 1, not {terms.confirmations}")
        self.folder, self.chain, self.report = folder, chain, report
        check_record(chain, deployment)
        config = read_genesis(folder).config
        self.store = Store(folder / FOLDER, after_commit)
        try:
            self.store.bind("chain", str(chain.chain_id), "chain")
            self.store.bind("rollup", deployment.rollup.address, "rollup")
            self._watch = Watch(chain, deployment, self.store, terms.confirmations)
            self._outbox = Outbox(chain, signer, self.store, stuck_ms=terms.stuck_ms, fee_max=terms.fee_max)
            self._publisher = Publisher(chain, deployment, folder, config, terms.profile)
            self._feed = None if intake is None else Feed(chain, deployment, self.store, intake)
        except BaseException:
            self.store.close()
            raise
        self._proposals = Proposals(chain, deployment, terms.confirmations)
        self.halted: Halted | None = None
        self._told: Event | None = None
        self._refused: tuple[tuple[Step, int, int], int] | None = None
        self._failures: Counter[tuple[Step, int, int]] = Counter()
        self._extra: Call | None = None  # wanted before the next batch can go on
        self._is_checked = False

    def close(self) -> None:
        """Give the folder back."""
        self.store.close()

    def __enter__(self) -> Settlement:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- working ---------------------------------------------------------------------------------------------------

    def step(self, now_ms: int) -> Event:
        """Do one thing, and tell what. `now_ms` is the operator's clock; only stuck transactions are judged by it.

        Raises SettlementError, JournalError and ExchangeError, for what is wrong on this machine.
        """
        if self.halted is not None:
            return self.halted
        try:
            event = self._step(now_ms)
            self._refused = None if isinstance(event, Included | Fed) else self._refused
        except Refused as refused:
            event = self._hear_refusal(refused)
        except Unpublishable as error:
            event = Halted(error.batch, error.reason, isinstance(error, CutOff))
        except (Unreachable, RpcError) as error:
            event = Waiting(Cause.UNREACHABLE, str(error))
        except ExchangeBusy as error:
            event = Waiting(Cause.EXCHANGE, str(error))
        except ChainError as error:
            event = Halted(0, f"L1 said something that it should not: {error}")
        if isinstance(event, Halted):
            self.halted = event
        if event != self._told and not isinstance(event, Idle):
            self.report(event)
        self._told = event
        return event

    def follow(
        self,
        pause_s: float,
        is_over: Callable[[], bool] = lambda: False,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Halted | None:
        """Go on until it is over, or the service halts: for a thread of its own. It pauses when nothing can be done."""
        while not is_over():
            event = self.step(int(clock() * 1000))
            if isinstance(event, Halted):
                return event
            if isinstance(event, Idle | Waiting | OutOfFunds | Held):
                sleep(pause_s)
        return None

    def _step(self, now_ms: int) -> Event:
        head = self.chain.head()
        followed = self._watch.step(head, now_ms)
        if followed is not None:
            self._hear_l1(followed)
            return followed
        if not self._is_checked:
            self._publisher.check()
            if self._feed is not None:
                self._feed.check()
            self._is_checked = True
        held = self._feed_one(now_ms, head)
        if isinstance(held, Fed):
            if held.queue is Queue.REQUESTS:
                self.store.answer(held.l1_number, held.failed, now_ms)
            return held
        done = self._outbox.step(now_ms, self._wanted)
        if isinstance(done, Included):
            self._hear_inclusion(done)
        return done or held or Idle()

    def _feed_one(self, now_ms: int, head: Block) -> Fed | Held | None:
        """Feed something; a deposit that is due to be given back becomes a wanted transaction."""
        done = None if self._feed is None else self._feed.step(now_ms, head)
        if isinstance(done, Due):
            self._extra = self._extra or self._publisher.finish_cancel(done.l1_number)
            return None
        return done

    def _wanted(self) -> Call | Waiting | None:
        return self._extra or self._publisher.wanted()

    # -- hearing ---------------------------------------------------------------------------------------------------

    def _hear_l1(self, followed: Followed | Reorganised) -> None:
        """After what L1 told: what was credited is held to it again, and what is final need not be sent again."""
        self._is_checked = False
        if isinstance(followed, Reorganised):
            self._proposals.forget()
            self._refused = self._extra = None
        elif followed.final:
            self.store.forget(self._outbox.sender, followed.block)

    def _hear_inclusion(self, done: Included) -> None:
        key = (done.step, done.batch, done.part)
        if done.step in (Step.STEP_OVER, Step.FINISH_CANCEL):
            self._extra = None  # whether or not it succeeded: it is looked at anew
        if done.succeeded:
            del self._failures[key]
            return
        self._failures[key] += 1
        if self._failures[key] >= FAILURES_MAX:
            raise Unpublishable(
                done.batch,
                f"{_named(*key)} failed {FAILURES_MAX} times in blocks, at last in "
                f"0x{done.hash.hex()} of block {done.block}",
            )

    def _hear_refusal(self, refused: Refused) -> Event:
        """A call that L1 would refuse. Others may have been faster, so it is looked at once more before it counts."""
        call, reason = refused.call, refused.reason
        if reason in CURED_BY_TIME:
            return Waiting(CURED_BY_TIME[reason], f"batch {call.batch}")
        if call.step in (Step.STEP_OVER, Step.FINISH_CANCEL):
            self._extra = None  # somebody else did it
            return Waiting(Cause.REFUSED, f"{_named(call.step, call.batch, call.part)}: {reason}")
        if reason == STEP_OVER_FIRST:
            self._extra = self._publisher.step_over()
            if self._extra is not None:
                return Waiting(Cause.REFUSED, reason)
        key = (call.step, call.batch, call.part)
        count = self._refused[1] + 1 if self._refused is not None and self._refused[0] == key else 1
        self._refused = key, count
        told = f"L1 refuses to {_named(*key)}: {reason}"
        if count < REFUSALS_MAX:
            return Waiting(Cause.REFUSED, told)
        return Halted(call.batch, f"{told}: {UNDONE}", True) if reason == TOO_OLD else Halted(call.batch, told)

    # -- status ----------------------------------------------------------------------------------------------------

    def status(self, number: int) -> BatchStatus:
        """How far a sealed batch has come. Raises SettlementError where there is none, and as `step` and `Chain` do."""
        sealed = self._publisher.seals.count()
        if not 1 <= number <= sealed:
            raise SettlementError(f"{self.folder} has {sealed} sealed batches: there is none of number {number}")
        if number <= self.store.last("settled"):
            return BatchStatus(number, Stage.FINAL)
        settled = int(self._publisher.rollup.call("batches"))
        if number <= settled:
            return BatchStatus(number, Stage.SETTLED)
        if not self._publisher.proofs.path(number, self._publisher.profile).exists():
            return BatchStatus(number, Stage.SEALED)
        if number > settled + 1 or self.halted is not None:
            return BatchStatus(number, Stage.PROVEN)
        try:
            published, parts = self._publisher.published(number)
        except (Unpublishable, Refused, Reverted):  # what is wrong with it, `step` says
            return BatchStatus(number, Stage.PROVEN)
        return BatchStatus(number, Stage.PUBLISHED if published else Stage.PROVEN, published, parts)

    def counts(self) -> tuple[int, int, int]:
        """How many batches are sealed, settled on L1, and final. Raises as `status` does."""
        final = self.store.last("settled")
        return self._publisher.seals.count(), max(int(self._publisher.rollup.call("batches")), final), final

    def proposals(self, now_s: int) -> tuple[Proposal, ...]:
        """What L1's council has announced, see `bridge.proposals`. Raises what `Chain` raises."""
        return self._proposals.look(now_s)

    @property
    def expires_s(self) -> int:
        """Until when the next batch can settle, by its own time; 0 where none waits with a proof."""
        return self._publisher.expires_s

    def statuses(self, count: int = 20) -> list[BatchStatus]:
        """Of the newest batches, in order."""
        sealed = self._publisher.seals.count()
        return [self.status(number) for number in range(max(1, sealed - count + 1), sealed + 1)]


def _named(step: Step, batch: int, part: int) -> str:
    """A call in words."""
    if step is Step.ANSWER:
        return f"answer part {part + 1} of batch {batch}"
    if step is Step.OPEN:
        return f"open the proof of batch {batch}"
    if step is Step.SETTLE:
        return f"settle batch {batch}"
    return f"{step} (deposit {part})" if step is Step.FINISH_CANCEL else f"{step} {part} deposits"
