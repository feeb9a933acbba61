"""L1's queues fed into the exchange: each entry once, in order, as L1 has it for good; nothing is proven here."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from bulkhead.bridge.errors import Reverted
from bulkhead.engine.command import Submit
from bulkhead.ledger.tx import Deposit, ForcedClose, ForcedWithdrawal, FundDeposit, Refund
from bulkhead.node.exchange import Answer
from bulkhead.node.records import COMMANDS
from bulkhead.node.settlement import Settlement
from bulkhead.node.settling.events import (
    Call,
    Cause,
    Event,
    Fed,
    Followed,
    Halted,
    Held,
    Idle,
    Included,
    Queue,
    Refused,
    Reorganised,
    SettlementError,
    Step,
    Waiting,
)
from bulkhead.node.settling.feed import AHEAD_S, RETRY_FIRST_MS, SEALED_WITHIN_S, SUBMISSION_WINDOW_S
from bulkhead.node.settling.intake import ExchangeIntake, LoopIntake, Make
from bulkhead.node.writer import Busy, Stopped
from bulkhead.reject import Reject
from bulkhead.units import AccountId
from tests.bridge.chains import DEPOSITOR, STRANGER
from tests.contracts import bridge as contracts
from tests.node.exchange_world import USD, small_config
from tests.node.settling_feed_world import FEE, NOBODY, START_S, TERMS, TRADER, Between, between
from tests.node.settling_world import Killed, contents
from tests.programs import L1_KINDS

NOW_MS = START_S * 1000
DEPOSITOR_NUMBER = int(str(DEPOSITOR.address), 16)
DOLLAR = 1_000_000


@pytest.fixture(params=L1_KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Between]:
    """An exchange with one trader, and L1."""
    with between(tmp_path, kind=request.param) as made:
        yield made


def run(service: Settlement, now_ms: int = NOW_MS) -> list[Event]:
    """Step until nothing changes any more."""
    told: list[Event] = []
    while not isinstance(event := service.step(now_ms), Idle | Held | Halted):
        told.append(event)
    return [*told, event]


def fed(told: list[Event]) -> list[tuple[str, int, int, str]]:
    """Transactions, numbers on L1 and L2, and how a forced request failed."""
    return [(each.transaction, each.l1_number, each.l2_number, each.failed) for each in told if isinstance(each, Fed)]


def submitted(at: Between) -> list[object]:
    """Transactions from L1 in the exchange's journal."""
    commands = [COMMANDS.decode(payload) for _, payload in at.exchange.journal.read()]
    kinds = Deposit | FundDeposit | Refund | ForcedWithdrawal | ForcedClose
    return [each.transaction for each in commands if isinstance(each, Submit) and isinstance(each.transaction, kinds)]


def test_deposits_gifts_and_refunds(at: Between) -> None:
    for account, amount in ((TRADER, 300), (0, 20), (NOBODY, 7), (TRADER, 1)):
        at.deposit(account, amount * DOLLAR)
    with at.service() as service:
        told = run(service)
        expected = [("Deposit", 1, 1, ""), ("FundDeposit", 2, 2, ""), ("Refund", 3, 3, ""), ("Deposit", 4, 4, "")]
        assert fed(told) == expected
        assert at.balance() == 301 * DOLLAR and at.exchange.state.funds[USD].insurance == 20 * DOLLAR
        assert at.exchange.state.custody[USD] == 321 * DOLLAR and at.exchange.state.counters.withdrawals == 1
        assert fed(run(service)) == []
        at.deposit(TRADER, 5)
        assert fed(run(service)) == [("Deposit", 5, 5, "")]
    first, gift, refund, *_ = submitted(at)
    time_ms = first.time_ms  # type: ignore[attr-defined]
    assert first == Deposit(time_ms, 1, TRADER, USD, 300 * DOLLAR, DEPOSITOR_NUMBER)
    assert gift == FundDeposit(time_ms, 2, USD, 20 * DOLLAR, DEPOSITOR_NUMBER)  # type: ignore[arg-type]
    assert refund == Refund(time_ms, 3, AccountId(NOBODY), USD, 7 * DOLLAR, DEPOSITOR_NUMBER)


def test_killed_around_every_command(at: Between) -> None:
    """After the journal has the command, before it, and after every write of the service's own."""
    for amount in (10, 20, 30):
        at.deposit(TRADER, amount)
    seen: set[object] = set()

    def die(*moment: object) -> None:
        if moment not in seen:
            seen.add(moment)
            raise Killed

    class Mortal(ExchangeIntake):
        def submit(self, make: Make) -> Answer | Reject:
            count = self.exchange.state.counters.deposits
            die("before", count)
            answer = super().submit(make)
            die("after", count)
            return answer

    deaths = 0
    while True:
        try:
            with at.service(
                intake=Mortal(at.exchange, at.now), after_commit=lambda: die(contents(at.folder))
            ) as service:
                run(service)
            break
        except Killed:
            deaths += 1
    assert deaths > 8
    assert [each.amount for each in submitted(at)] == [10, 20, 30] and at.balance() == 60  # type: ignore[attr-defined]


def test_what_is_not_confirmed_is_not_fed(at: Between) -> None:
    with at.service(terms=TERMS._replace(confirmations=3)) as service:
        run(service)
        at.deposit(TRADER, 300)
        assert fed(run(service)) == []
        at.mine()
        assert fed(run(service)) == [] and at.balance() == 0
        at.mine()
        assert fed(run(service)) == [("Deposit", 1, 1, "")]


def test_a_deposit_that_l1_loses_before_it_is_confirmed_was_never_fed(at: Between) -> None:
    with at.service(terms=TERMS._replace(confirmations=2)) as service:
        before = at.chain.ask("evm_snapshot")
        at.deposit(TRADER, 300)
        run(service)
        at.chain.ask("evm_revert", before)
        at.deposit(TRADER, 4)
        at.mine()
        told = run(service)
        assert any(isinstance(each, Reorganised) for each in told)
        assert fed(told) == [("Deposit", 1, 1, "")] and at.balance() == 4


def test_a_credited_deposit_may_come_back_as_it_was_but_not_as_another(at: Between) -> None:
    before = at.chain.ask("evm_snapshot")
    at.deposit(TRADER, 300)
    with at.service() as service:
        assert fed(run(service)) == [("Deposit", 1, 1, "")]
        at.chain.ask("evm_revert", before)
        before = at.chain.ask("evm_snapshot")  # a node goes back to one once
        assert isinstance(run(service)[0], Reorganised) and service.halted is None
        at.deposit(TRADER, 300)
        at.deposit(TRADER, 5)
        assert fed(run(service)) == [("Deposit", 2, 2, "")] and at.balance() == 305
        at.chain.ask("evm_revert", before)
        at.deposit(TRADER, 299)
        told = run(service)[-1]
        assert isinstance(told, Halted) and "deposit 1, which the exchange has processed, is another one" in told.reason
    with at.service() as service:
        assert isinstance(run(service)[-1], Halted)


def test_cancelled_deposits_are_stepped_over(at: Between) -> None:
    for amount in (1, 2, 3):
        at.deposit(TRADER, amount)
    for number in (1, 2):
        at.custody.transact(DEPOSITOR, "announce_cancel", number)
    at.pass_time(contracts.CANCEL_DELAY)
    for number in (1, 2):
        at.custody.transact(STRANGER, "finish_cancel", number)
    at.deposit(TRADER, 4)
    with at.service() as service:
        assert fed(run(service)) == [("Deposit", 3, 1, ""), ("Deposit", 4, 2, "")] and at.balance() == 7
        at.deposit(TRADER, 5)
    with at.service() as service:
        assert fed(run(service)) == [("Deposit", 5, 3, "")]


def test_an_announced_cancellation_is_credited_while_a_batch_with_it_settles_in_time(at: Between) -> None:
    for amount in (1, 2, 3):
        at.deposit(TRADER, amount)
    at.custody.transact(DEPOSITOR, "announce_cancel", 1)
    at.custody.transact(DEPOSITOR, "announce_cancel", 2)
    with at.service() as service:
        told = run(service)
        assert fed(told) == [("Deposit", 1, 1, ""), ("Deposit", 2, 2, ""), ("Deposit", 3, 3, "")]
    at.deposit(TRADER, 4)
    at.deposit(TRADER, 5)
    at.custody.transact(DEPOSITOR, "announce_cancel", 4)
    ready_s = at.custody.call("cancellable_s", 4)
    at.pass_time(ready_s - at.chain.time_s() - SUBMISSION_WINDOW_S - AHEAD_S - SEALED_WITHIN_S)
    with at.service() as service:
        told = run(service)
        assert fed(told) == [] and told[-1] == Held(
            Queue.DEPOSITS, 4, f"its depositor cancels it; that can be finished at {ready_s} s"
        )
        balance = at.deployment.contract(at.chain, "token").call("balanceOf", DEPOSITOR.address)
        at.pass_time(ready_s - at.chain.time_s())
        told = run(service)  # nobody finishes it, so the service does, and those behind are fed
        assert [each.step for each in told if isinstance(each, Included)] == [Step.FINISH_CANCEL]
        assert fed(told) == [("Deposit", 5, 4, "")]
        assert at.deployment.contract(at.chain, "token").call("balanceOf", DEPOSITOR.address) == balance + 4
    with pytest.raises(Reverted, match="no such deposit"):
        at.custody.transact(STRANGER, "finish_cancel", 4)


def test_delays_are_those_of_the_contracts() -> None:
    text = (Path(__file__).parents[2] / "contracts" / "terms.vy").read_text()
    told = dict(re.findall(r"^(\w+): constant\(uint256\) = ([\w* ]+)", text, re.MULTILINE))
    assert eval(told["SUBMISSION_WINDOW"], {"DAY": 86_400}) == SUBMISSION_WINDOW_S
    assert int(told["AHEAD"]) == AHEAD_S and (told["WITHDRAWAL"], told["CLOSE"]) == ("1", "2")


def test_forced_requests_wait_for_a_tick_and_are_done_or_fail_by_name(at: Between) -> None:
    at.deposit(TRADER, 300)
    with at.service() as service:
        run(service)
        for account, subject, sender in ((TRADER, 120, DEPOSITOR), (TRADER, 7, STRANGER), (NOBODY, 5, STRANGER)):
            at.rollup.transact(sender, "request_withdrawal", account, subject, value=FEE)
        at.rollup.transact(DEPOSITOR, "request_close", TRADER, 2, value=FEE)
        included_ms = at.chain.time_s() * 1000
        count = len(submitted(at))
        waiting = Held(Queue.REQUESTS, 1, "no oracle tick was signed after its inclusion yet")
        assert run(service)[-1] == waiting and len(submitted(at)) == count
        at.deposit(TRADER, 1)  # deposits do not wait for requests
        told = run(service)
        assert fed(told) == [("Deposit", 2, 2, "")] and told[-1] == waiting
        at.tick(1)
        assert fed(run(service)) == [
            ("ForcedWithdrawal", 1, 1, ""),
            ("ForcedWithdrawal", 2, 2, "wrong_owner"),
            ("ForcedWithdrawal", 3, 3, "unknown_account"),
            ("ForcedClose", 4, 4, "no_such_position"),
        ]
        assert at.balance() == 181 and fed(run(service)) == []
    done = submitted(at)[-4]
    assert isinstance(done, ForcedWithdrawal) and done.included_ms % 1000 == 0
    closed = submitted(at)[-1]
    assert closed == ForcedClose(closed.time_ms, 4, included_ms, TRADER, 2, DEPOSITOR_NUMBER)  # type: ignore[attr-defined, arg-type]


def test_a_processed_request_that_is_another_one_after_a_reorganisation_stops_the_service(at: Between) -> None:
    before = at.chain.ask("evm_snapshot")
    at.rollup.transact(STRANGER, "request_withdrawal", TRADER, 7, value=FEE)
    at.tick(1)
    with at.service() as service:
        assert fed(run(service)) == [("ForcedWithdrawal", 1, 1, "wrong_owner")]
        at.chain.ask("evm_revert", before)
        at.rollup.transact(STRANGER, "request_withdrawal", TRADER, 8, value=FEE)
        told = run(service)[-1]
        assert isinstance(told, Halted) and told.reason.startswith("forced request 1, which the exchange has processed")


def test_many_cancelled_deposits_are_stepped_over_on_l1(at: Between) -> None:
    """Custody passes 32 in a row by itself; when it says that there are more, they are passed by a transaction."""
    for amount in (1, 2, 3):
        at.deposit(TRADER, amount)
    for number in (1, 2):
        at.custody.transact(DEPOSITOR, "announce_cancel", number)
    at.pass_time(contracts.CANCEL_DELAY)
    for number in (1, 2):
        at.custody.transact(STRANGER, "finish_cancel", number)
    with at.service() as service:
        run(service)
        service._hear_refusal(Refused(Call(Step.SETTLE, 1, 0, "", b""), "custody: step over first"))
        included = [each for each in run(service) if isinstance(each, Included)]
        assert [(each.step, each.part) for each in included] == [(Step.STEP_OVER, 2)]
        assert at.custody.call("passed") == 2 and run(service) == [Idle()]


def test_a_deposit_above_the_cap_is_held_and_seldom_tried(tmp_path: Path) -> None:
    config = small_config()
    capped = config._replace(assets=(config.assets[0]._replace(cap=100), *config.assets[1:]))
    with between(tmp_path, capped) as at:
        for amount in (60, 50):
            at.deposit(TRADER, amount)
        held = Held(Queue.DEPOSITS, 2, "value_above_maximum")
        with at.service() as service:
            told = run(service)
            assert fed(told) == [("Deposit", 1, 1, "")] and told[-1] == held
            count = at.exchange.sequence
            for _ in range(5):
                assert service.step(NOW_MS + RETRY_FIRST_MS - 1) == held
            assert at.exchange.sequence == count
            service.step(NOW_MS + RETRY_FIRST_MS)
            assert at.exchange.sequence == count + 1
            service.step(NOW_MS + 2 * RETRY_FIRST_MS)  # the pause has doubled
            assert at.exchange.sequence == count + 1
            at.exchange.state.custody[USD] = 0  # as after a withdrawal
            assert fed([service.step(NOW_MS + 3 * RETRY_FIRST_MS)]) == [("Deposit", 2, 2, "")]


def test_a_journal_that_has_lost_its_end_is_not_fed(tmp_path: Path) -> None:
    with between(tmp_path, settled=2) as at:
        at.deposit(TRADER, 60)
        with at.service() as service:
            told = run(service)
            assert told[-1] == Halted(0, "L1 has settled 2 batches, and this journal has sealed 0")
            assert fed(told) == [] and at.balance() == 0


def test_without_an_intake_l1_is_followed_and_nothing_is_fed(at: Between) -> None:
    at.deposit(TRADER, 300)
    with at.service(intake=None) as service:
        told = run(service)
        assert sum(each.deposits for each in told if isinstance(each, Followed)) == 1 and fed(told) == []


def test_an_exchange_in_an_event_loop_is_fed_from_the_services_thread(
    at: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    at.deposit(TRADER, 300)
    threads: set[int] = set()
    inner = ExchangeIntake(at.exchange, at.now)

    async def send(make: Make) -> Answer | Reject:
        threads.add(threading.get_ident())
        return inner.submit(make)

    async def never(make: Make) -> Answer | Reject:
        await asyncio.sleep(60)
        raise AssertionError

    def raising(error: Exception) -> Callable[[Make], Awaitable[Answer | Reject]]:
        async def send(make: Make) -> Answer | Reject:
            raise error

        return send

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with at.service(intake=LoopIntake(loop, at.exchange, send)) as service:
            assert fed(await loop.run_in_executor(None, run, service)) == [("Deposit", 1, 1, "")]
        at.deposit(TRADER, 1)
        patience = "bulkhead.node.settling.intake.ANSWER_TIMEOUT_S"
        for sending, detail in ((raising(Busy("9 wait")), "9 wait"), (never, "no answer for 0.01 s")):
            if sending is never:
                monkeypatch.setattr(patience, 0.01)
            with at.service(intake=LoopIntake(loop, at.exchange, sending)) as service:
                told = [await loop.run_in_executor(None, service.step, NOW_MS) for _ in range(2)][-1]
                assert told == Waiting(Cause.EXCHANGE, detail)
        monkeypatch.setattr(patience, 60.0)
        with at.service(intake=LoopIntake(loop, at.exchange, raising(Stopped("its disk has failed")))) as service:
            with pytest.raises(SettlementError, match="its disk has failed"):
                await loop.run_in_executor(None, run, service)

    asyncio.run(main())
    assert threads == {threading.get_ident()} and at.balance() == 300
