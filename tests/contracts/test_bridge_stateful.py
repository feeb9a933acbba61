"""Anything in any order: the contracts do what a model says, refuse by the same names, and never owe what they lack."""

from __future__ import annotations

from hypothesis import settings, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bulkhead.circuit.escape_batch import NOBODY_LEFT
from tests.contracts.bridge import (
    CANCEL_DELAY,
    CLOSE,
    COUNCIL,
    DAY,
    DEPOSITORS,
    FEE,
    FORCED_DEADLINE,
    HOUR,
    OWNERS,
    STRANGER,
    WITHDRAWAL,
    Batch,
    Request,
    number_of,
)
from tests.contracts.escape import FIRST, Exit, Payout, Statement
from tests.contracts.machine import SENDER, Reverted
from tests.contracts.machines import KINDS, machine_of

RECIPIENTS = (0xABC, 0xDEF)
FIRST_REQUEST = 8  # the head begins with seven that were processed

few = strategies.integers(0, 3)
amounts = strategies.integers(1, 90)
paid_amounts = strategies.integers(1, 30)
payments = strategies.lists(strategies.tuples(strategies.sampled_from(RECIPIENTS), paid_amounts), max_size=2)


class Entry:
    """A deposit in the model's queue."""

    def __init__(self, said: tuple[int, int, int]) -> None:
        self.said = said
        self.waits = True
        self.ready_s = 0


class Ends(RuleBasedStateMachine):
    """Custody, reader and rollup beside plain Python."""

    MACHINE = "revm"

    def __init__(self) -> None:
        super().__init__()
        self.bridge = Exit(machine=machine_of(self.MACHINE))
        self.queue: list[Entry] = []
        self.passed = self.backing = 0
        self.claimable = dict.fromkeys(RECIPIENTS, 0)
        self.requests: list[Request] = []
        self.processed = 0
        self.returned: set[int] = set()
        self.earned = dict.fromkeys((SENDER, STRANGER), 0)
        self.frozen = self.no_deposits = self.no_batches = False
        self.pages: set[int] = set()  # that the escape has read
        self.settled: list[Statement] = []  # statements of the escape, and which of their payouts were claimed
        self.escaped: set[tuple[int, int]] = set()
        self.ended = False
        self.escape_total = self.escape_backing = 0

    def same(self, expected: str | None, address: str, method: str, *arguments: int, **options: object) -> bool:
        """Whether it was done; that it was, or why it was not, is what the model says."""
        assert self.bridge.refusal(address, method, *arguments, **options) == expected
        return expected is None

    def entry(self, number: int) -> Entry | None:
        """A deposit that waits."""
        found = self.queue[number - 1] if 0 < number <= len(self.queue) else None
        return found if found is not None and found.waits and number > self.passed else None

    @property
    def overdue(self) -> bool:
        """Whether the oldest request that was not processed waits for too long."""
        waiting = self.requests[self.processed :]
        return bool(waiting) and self.bridge.now_s > waiting[0].included_ms // 1000 + FORCED_DEADLINE

    @rule(seconds=strategies.sampled_from((1, HOUR, DAY, CANCEL_DELAY, CANCEL_DELAY)))
    def wait(self, seconds: int) -> None:
        self.bridge.later(seconds)

    @rule(amount=amounts, depositor=strategies.sampled_from(DEPOSITORS), insures=strategies.booleans())
    def deposit(self, amount: int, depositor: str, insures: bool) -> None:
        expected = "custody: paused" if self.frozen or self.no_deposits else None
        method, arguments = ("deposit_for_insurance", [amount]) if insures else ("deposit", [64, amount])
        if self.same(expected, self.bridge.custody, method, *arguments, sender=depositor):
            self.queue.append(Entry((0 if insures else 64, amount, number_of(depositor))))

    @rule(ahead=few, is_his=strategies.integers(0, 3))
    def announce(self, ahead: int, is_his: int) -> None:
        number = self.passed + ahead
        entry = self.entry(number)
        depositor = DEPOSITORS[0] if entry is None or not is_his else f"0x{entry.said[2]:040x}"
        expected = None
        if entry is None:
            expected = "custody: no such deposit"
        elif entry.said[2] != number_of(depositor):
            expected = "custody: not the depositor"
        elif entry.ready_s:
            expected = "custody: announced"
        if self.same(expected, self.bridge.custody, "announce_cancel", number, sender=depositor) and entry is not None:
            entry.ready_s = self.bridge.now_s + CANCEL_DELAY

    @rule(ahead=few)
    def finish(self, ahead: int) -> None:
        number = self.passed + ahead
        entry = self.entry(number)
        expected = None
        if entry is None:
            expected = "custody: no such deposit"
        elif not self.frozen and not entry.ready_s:
            expected = "custody: not announced"
        elif not self.frozen and self.bridge.now_s < entry.ready_s:
            expected = "custody: too early"
        if self.same(expected, self.bridge.custody, "finish_cancel", number, sender=STRANGER) and entry is not None:
            entry.waits = False

    @rule(count=few)
    def step_over(self, count: int) -> None:
        stepped = self.queue[self.passed : self.passed + count]
        expected = None
        if len(stepped) < count:
            expected = "custody: no such deposit"
        elif any(entry.waits for entry in stepped):
            expected = "custody: not cancelled"
        if self.same(expected, self.bridge.custody, "step_over", count):
            self.passed += count

    @rule(account=strategies.sampled_from((64, 128)), subject=strategies.integers(1, 9), closes=strategies.booleans())
    def request(self, account: int, subject: int, closes: bool) -> None:
        kind, method = (CLOSE, "request_close") if closes else (WITHDRAWAL, "request_withdrawal")
        expected = "rollup: frozen" if self.frozen else None
        if self.same(expected, self.bridge.rollup, method, account, subject, sender=OWNERS[0], value=FEE):
            time_ms = self.bridge.now_s * 1000
            self.requests.append(Request(kind, account, subject, number_of(OWNERS[0]), time_ms))

    @rule(
        most=few,
        processes=strategies.sampled_from((0, 0, 0, 1, 3)),
        too_many=strategies.sampled_from(("", "", "", "deposits", "requests")),
        paid=payments,
        settler=strategies.sampled_from((SENDER, STRANGER)),
    )
    def settle(self, most: int, processes: int, too_many: str, paid: list[tuple[int, int]], settler: str) -> None:
        places = [place for place in range(self.passed, len(self.queue)) if self.queue[place].waits][:most]
        deposits = [self.queue[place].said for place in places]
        missing = int(too_many == "deposits" and len(deposits) < most)
        requests = self.requests[self.processed : self.processed + processes]
        forced = len(requests) + int(too_many == "requests" and len(requests) < processes)
        expected = None
        if self.frozen or self.no_batches:
            expected = "rollup: frozen" if self.frozen else "rollup: paused"
        elif len(requests) < forced:
            expected = "rollup: no such request"
        elif missing:
            expected = "custody: no such deposit"
        elif sum(amount for _, amount in paid) > self.backing + sum(said[1] for said in deposits):
            expected = "custody: more than accounts hold"
        deposits += [(64, 1, 1)] * missing
        requests = requests + [Request(CLOSE, 64, 1, 1, 1)] * (forced - len(requests))
        try:
            self.bridge.settle(Batch(deposits, paid, requests), sender=settler)
            outcome = None
        except Reverted as refused:
            outcome = str(refused)
        assert outcome == expected
        if outcome is None:
            for place in places:
                self.queue[place].waits = False
                self.passed = place + 1
            self.backing += sum(said[1] for said in deposits) - sum(amount for _, amount in paid)
            for recipient, amount in paid:
                self.claimable[recipient] += amount
            self.processed += forced
            self.earned[settler] += FEE * forced

    @rule(recipient=strategies.sampled_from(RECIPIENTS))
    def claim(self, recipient: int) -> None:
        expected = None if self.claimable[recipient] else "custody: nothing to claim"
        before = self.bridge.balance("0x" + f"{recipient:040x}")
        if self.same(expected, self.bridge.custody, "claim", recipient):
            assert self.bridge.balance("0x" + f"{recipient:040x}") == before + self.claimable[recipient]
            self.claimable[recipient] = 0

    @rule()
    def freeze(self) -> None:
        expected = None if self.overdue else "rollup: nothing is overdue"
        if self.same("rollup: frozen" if self.frozen else expected, self.bridge.rollup, "freeze", sender=STRANGER):
            self.frozen = True

    @rule(what=strategies.integers(0, 7))
    def pause(self, what: int) -> None:
        deposits, batches = what in (1, 3), what in (2, 3)
        self.bridge.call(self.bridge.rollup, "pause", [deposits, batches], sender=COUNCIL)
        self.no_deposits, self.no_batches = deposits, batches

    @rule(ahead=few)
    def return_fee(self, ahead: int) -> None:
        place = self.processed + ahead - 1
        expected = None
        if not self.frozen:
            expected = "rollup: not frozen"
        elif not self.processed <= place < len(self.requests) or place in self.returned:
            expected = "rollup: no such request"
        if self.same(expected, self.bridge.rollup, "return_fee", FIRST_REQUEST + place):
            self.returned.add(place)

    @rule(settler=strategies.sampled_from((SENDER, STRANGER)))
    def collect(self, settler: str) -> None:
        expected = None if self.earned[settler] else "rollup: nothing to collect"
        if self.same(expected, self.bridge.rollup, "collect", sender=settler):
            self.earned[settler] = 0

    @rule(
        owed=strategies.lists(amounts, min_size=1, max_size=2),
        ends=strategies.booleans(),
        skips=few,
        is_read=strategies.sampled_from((True, True, True, False)),
    )
    def settle_accounts(self, owed: list[int], ends: bool, skips: int, is_read: bool) -> None:
        left = FIRST + len(self.settled)
        after = NOBODY_LEFT if ends else left + 1
        before = left + 1 if skips == 1 else left
        paid = [Payout(64 + at, recipient, owed[at]) for at, recipient in enumerate(RECIPIENTS[: len(owed)])]
        said = self.bridge.said(before, after, paid, state=self.bridge.head.state)
        expected = None
        if not self.frozen:
            expected = "escape: not frozen"
        elif self.ended:
            expected = "escape: finished"
        elif skips == 1:
            expected = "escape: another root"
        [page], [digest] = said.pages, said.digests()
        if is_read:
            self.bridge.read(page)
            self.pages.add(digest)
        if expected is None and digest not in self.pages:
            expected = "escape: a page was not read"
        if self.same(expected, self.bridge.escape, "settle", *said.said):
            self.settled.append(said)
            self.escape_total += sum(owed)
            self.ended = ends
            self.escape_backing = self.backing if ends else 0

    @rule(chunk=few, place=strategies.integers(0, 1))
    def claim_from_escape(self, chunk: int, place: int) -> None:
        if not self.settled:
            return
        chunk %= len(self.settled)
        [page] = self.settled[chunk].payouts
        payout = page[place] if place < len(page) else None
        owed = 0 if payout is None else payout.amount
        if self.escape_total > self.escape_backing:
            owed = owed * self.escape_backing // self.escape_total
        expected = None
        if not self.ended:
            expected = "escape: not finished"
        elif payout is None:
            expected = "escape: path"
        elif (chunk, place) in self.escaped:
            expected = "escape: claimed"
        elif not owed:
            expected = "escape: nothing to claim"
        try:
            self.bridge.claim(chunk, page, place)
            outcome = None
        except Reverted as refused:
            outcome = str(refused)
        assert outcome == expected
        if outcome is None and payout is not None:
            self.escaped.add((chunk, place))
            self.backing -= owed
            self.claimable[payout.owner] += owed

    @invariant()
    def custody_holds_queue_accounts_and_claims(self) -> None:
        queued = sum(entry.said[1] for entry in self.queue[self.passed :] if entry.waits)
        assert self.bridge.balance(self.bridge.custody) == queued + self.backing + sum(self.claimable.values())
        assert self.bridge.number(self.bridge.custody, "backing") == self.backing
        assert self.bridge.number(self.bridge.custody, "passed") == self.passed

    @invariant()
    def the_rollup_holds_fees(self) -> None:
        waiting = len(self.requests) - self.processed - len(self.returned)
        assert self.bridge.machine.wei(self.bridge.rollup) == FEE * waiting + sum(self.earned.values())
        assert self.bridge.number(self.bridge.rollup, "is_overdue") == (self.overdue and not self.frozen)
        assert self.bridge.number(self.bridge.rollup, "state") == self.bridge.head.state


class EndsOnTitanoboa(Ends):
    """The same beside another machine: a few orders of events, for it is slow."""

    MACHINE = "titanoboa"


class Escapes(Ends):
    """The same, from a freeze on: what comes then is rare in an order that is drawn."""

    @initialize(amount=amounts, waits=amounts)
    def end(self, amount: int, waits: int) -> None:
        self.deposit(amount, DEPOSITORS[0], False)
        self.settle(1, 0, "", [], SENDER)
        self.deposit(waits, DEPOSITORS[1], False)
        self.request(64, 1, False)
        self.wait(FORCED_DEADLINE + 1)
        self.freeze()

    @rule(owed=strategies.lists(amounts, min_size=1, max_size=2), ends=strategies.sampled_from((True, True, False)))
    def settle_next_accounts(self, owed: list[int], ends: bool) -> None:
        self.settle_accounts(owed, ends, 0, True)


TestEnds = Ends.TestCase
TestEnds.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
if "titanoboa" in KINDS:
    TestEndsOnTitanoboa = EndsOnTitanoboa.TestCase
    TestEndsOnTitanoboa.settings = settings(max_examples=3, stateful_step_count=30, deadline=None)
TestEscapes = Escapes.TestCase
TestEscapes.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
