"""Feeds L1's queues back into the exchange: deposits, gifts to the insurance fund, refunds, and forced requests.

Which entry is next, the exchange's own counters say, so none is lost or doubled whatever happens between two commands.

Forced requests have one number on L1 and L2. Deposits have two: L2 counts those that were taken, and a cancelled one is
stepped over. A deposit whose cancellation is announced may still be credited, as long as a batch with it settles before
the cancellation can be finished; later it is held, and given back when its time has come, by us if nobody does.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.bridge.chain import Block, Chain
from bulkhead.bridge.record import Deployment
from bulkhead.engine.command import Submit, Submitted
from bulkhead.engine.event import Rejected, StateChanged
from bulkhead.ledger.custody import NUMERAIRE
from bulkhead.ledger.state import Kind, State
from bulkhead.ledger.tx import Deposit, ForcedClose, ForcedWithdrawal, FundDeposit, Refund
from bulkhead.node.exchange import Answer
from bulkhead.node.settling.events import Fed, Held, Queue, Unpublishable
from bulkhead.node.settling.intake import Intake
from bulkhead.node.settling.store import Store, Told
from bulkhead.reject import Reject
from bulkhead.units import AccountId, MarketId, Quote, TimeMs

SUBMISSION_WINDOW_S = 3 * 86_400  # of the contracts: how old a batch may be when it settles
AHEAD_S = 900  # and how far ahead of its block
SEALED_WITHIN_S = 3_600  # what is credited is sealed by then
WITHDRAWAL, CLOSE = 1, 2  # kinds of forced requests

RETRY_FIRST_MS, RETRY_MAX_MS = 1_000, 600_000  # a refused command is in the journal too, so it is seldom tried again


class Seen(NamedTuple):
    """What decides about the next entries."""

    deposits: int
    forced: int
    oracle_ms: int
    is_creditable: bool  # the account of the deposit in question


class Due(NamedTuple):
    """A deposit that is to be given back: its cancellation can be finished."""

    l1_number: int


class _Pause:
    """When an entry that was refused is tried again."""

    def __init__(self) -> None:
        self.until_ms = self.pause_ms = 0
        self.held: Held | None = None

    def refuse(self, held: Held, now_ms: int) -> Held:
        self.pause_ms = min(2 * self.pause_ms or RETRY_FIRST_MS, RETRY_MAX_MS)
        self.until_ms, self.held = now_ms + self.pause_ms, held
        return held

    def end(self) -> None:
        self.until_ms = self.pause_ms = 0
        self.held = None


class Feed:
    """Gives one entry at a time to an exchange. Raises Unpublishable where L1 takes back what L2 was credited."""

    def __init__(self, chain: Chain, deployment: Deployment, store: Store, intake: Intake) -> None:
        self.chain, self.store, self.intake = chain, store, intake
        self._custody, self._rollup = (deployment.contract(chain, name) for name in ("custody", "rollup"))
        self._pauses = {queue: _Pause() for queue in Queue}

    def step(self, now_ms: int, head: Block) -> Fed | Held | Due | None:
        """The next entry of either queue; None where there is none, or it is not its time."""
        done = self._request(now_ms)
        if isinstance(done, Fed):
            return done
        return self._deposit(now_ms, head) or done

    def check(self) -> None:
        """Whether L1 still has what the exchange was fed. To be asked when L1 has told something new."""
        seen = self._look()
        for kind, name, count in (("deposit", "deposit", seen.deposits), ("request", "forced request", seen.forced)):
            number = self.store.conflict(kind, count)
            if number is not None:
                raise Unpublishable(
                    0,
                    f"{name} {number}, which the exchange has processed, is another one on L1 now, or was given back: "
                    "batches with it cannot settle",
                )

    # -- forced requests -------------------------------------------------------------------------------------------

    def _request(self, now_ms: int) -> Fed | Held | None:
        pause = self._pauses[Queue.REQUESTS]
        if now_ms < pause.until_ms:
            return pause.held
        seen = self._look()
        number = seen.forced + 1
        asked = self.store.told("request", number)
        if asked is None:
            return None
        body = asked.body
        if seen.oracle_ms <= body["included_ms"]:
            return Held(Queue.REQUESTS, number, "no oracle tick was signed after its inclusion yet")
        self.store.feed(number, asked)

        def make(time_ms: TimeMs) -> Submit:
            included_ms, account = TimeMs(body["included_ms"]), AccountId(body["account"])
            sender, subject = int(body["sender"], 16), int(body["subject"])
            transaction: Submitted
            if body["kind"] == WITHDRAWAL:
                transaction = ForcedWithdrawal(time_ms, number, included_ms, account, NUMERAIRE, subject, sender)
            else:
                transaction = ForcedClose(time_ms, number, included_ms, account, MarketId(subject), sender)
            return Submit(time_ms, transaction)

        return self._conclude(Queue.REQUESTS, number, number, self.intake.submit(make), now_ms)

    # -- deposits --------------------------------------------------------------------------------------------------

    def _deposit(self, now_ms: int, head: Block) -> Fed | Held | Due | None:
        pause = self._pauses[Queue.DEPOSITS]
        if now_ms < pause.until_ms:
            return pause.held
        number = self._look().deposits + 1
        deposit = self._of_l1(number)
        if deposit is None:
            return None
        stopped = self._is_cancelled(deposit.number, head)
        if stopped is not None:
            return stopped
        self.store.feed(number, deposit)
        body = deposit.body
        account, amount, depositor = AccountId(body["account"]), int(body["amount"]), int(body["depositor"], 16)
        is_creditable = self._look(account).is_creditable

        def make(time_ms: TimeMs) -> Submit:
            transaction: Submitted
            if account == 0:
                transaction = FundDeposit(time_ms, number, NUMERAIRE, Quote(amount), depositor)
            elif is_creditable:
                transaction = Deposit(time_ms, number, account, NUMERAIRE, amount, depositor)
            else:
                transaction = Refund(time_ms, number, account, NUMERAIRE, amount, depositor)
            return Submit(time_ms, transaction)

        return self._conclude(Queue.DEPOSITS, deposit.number, number, self.intake.submit(make), now_ms)

    def _of_l1(self, l2_number: int) -> Told | None:
        """The deposit that is next on L2: behind the last one that was credited, cancelled ones left out."""
        before = self.store.fed("deposit", l2_number - 1)
        if before is not None:
            return self.store.deposit_after(before)
        if not self.store.last("deposit"):
            return None
        return self.store.deposit_after(0, l2_number - 1 - self._deposits_at_first())

    def _deposits_at_first(self) -> int:
        """How many deposits L2 had counted when the contracts were deployed: custody counts from there."""
        known, tip = self.store.meta("deposits at first"), self.store.tip()
        if known is None:
            assert tip is not None  # a deposit was read
            known = str(int(self._rollup.call("counters", at=tip[0])[0]) - self.store.taken())
            self.store.put_meta("deposits at first", known)
        return int(known)

    def _is_cancelled(self, number: int, head: Block) -> Held | Due | None:
        """Why a deposit is not credited now, as the newest block has it."""
        if not self._custody.call("deposit_of", number)[1]:
            return Held(Queue.DEPOSITS, number, "it is cancelled, in a block that is not confirmed yet")
        ready_s = int(self._custody.call("cancellable_s", number))
        if not ready_s or ready_s > head.time_s + SUBMISSION_WINDOW_S + AHEAD_S + SEALED_WITHIN_S:
            return None
        if head.time_s >= ready_s:
            return Due(number)
        return Held(Queue.DEPOSITS, number, f"its depositor cancels it; that can be finished at {ready_s} s")

    # -- both ------------------------------------------------------------------------------------------------------

    def _look(self, account_id: AccountId = AccountId(0)) -> Seen:  # noqa: B008 - a number
        def read(state: State) -> Seen:
            account = state.accounts.get(account_id)
            is_creditable = account is not None and account.kind is not Kind.CHILD
            return Seen(state.counters.deposits, state.counters.forced, int(state.oracle.time_ms), is_creditable)

        return self.intake.look(read)

    def _conclude(
        self, queue: Queue, l1_number: int, l2_number: int, answer: Answer | Reject, now_ms: int
    ) -> Fed | Held:
        """What the exchange said of an entry."""
        pause, reason = self._pauses[queue], "the exchange said nothing of it"
        if isinstance(answer, Reject):
            reason = answer.name.lower()
        else:
            for event in answer.events:
                if isinstance(event, StateChanged):
                    pause.end()
                    failed = "" if event.failed is None else event.failed.name.lower()
                    return Fed(queue, l1_number, l2_number, type(event.transaction).__name__, failed)
                if isinstance(event, Rejected):
                    reason = event.reason.name.lower()
        return pause.refuse(Held(queue, l1_number, reason), now_ms)
