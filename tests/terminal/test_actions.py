"""What a click sends: once for each key, and followed until it is known what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from bulkhead.client import Exit, NewOrder, Order, OtherExchange, Refused, Unreachable, Unreadable
from bulkhead.client.clock import SLACK_MS, ExchangeClock
from bulkhead.client.models import Placed
from bulkhead.terminal import actions as module
from bulkhead.terminal.actions import Actions, Stage
from bulkhead.terminal.session import NotReady

ORDER = NewOrder(market="BTC-USD", side="BUY", quantity="1", price=60_000)


def left(order_id: int, reason: str, status: str = "CANCELLED") -> Order:
    return Order(
        id=order_id, external_id="", market="BTC-USD", type="LIMIT", side="BUY", status=status, quantity=Decimal(1),
        status_reason=reason,
    )  # fmt: skip


class Account:
    """Answers as a test says: for `place` and for each look-up, an error or what is found."""

    def __init__(self, placed: Any, *found: Any) -> None:
        self.trader = self
        self.left: list[Order] = []
        self.sent: list[NewOrder] = []
        self._placed, self._found = placed, list(found)
        self.clock = ExchangeClock()  # a second later with each answer
        self.exchange = SimpleNamespace(transport=SimpleNamespace(clock=self.clock))

    async def place(self, order: NewOrder) -> Placed:
        self.sent.append(order)
        await asyncio.sleep(0)
        if isinstance(self._placed, Exception):
            raise self._placed
        return Placed(id=self._placed, external_id=order.external_id)

    async def protect(self, market: str, **given: Any) -> Placed:
        names = {name: given[name] for name in ("replaces", "external_id")}
        return await self.place(NewOrder(market=market, side="SELL", quantity=0, price=0, **names))

    async def orders_named(self, external_id: str) -> list[Order]:
        assert external_id == self.sent[0].external_id
        found = self._found.pop(0) if self._found else []
        if isinstance(found, Exception):
            raise found
        self.clock.told_ms += 1_000
        return list(found)


def run(work: Callable[[Actions], Awaitable[None]]) -> None:
    async def inside() -> None:
        await work(Actions(SimpleNamespace(other=None)))  # type: ignore[arg-type]

    asyncio.run(inside())


def test_one_key_is_sent_once() -> None:
    async def work(actions: Actions) -> None:
        account: Any = Account(7)
        first, second = await asyncio.gather(*(actions.place("key", account, ORDER, "Buy") for _ in range(2)))
        assert first is second and len(account.sent) == 1
        assert account.sent[0].external_id == "terminal-key"
        assert (first.stage, first.order_id) == (Stage.DONE, 7) and "acknowledged" in first.text
        await actions.place("other", account, ORDER, "Buy")
        assert len(account.sent) == 2
        actions.follow_order(left(7, "NO_LIQUIDITY"))
        again = actions.all["other"]
        assert "Then it was cancelled: Nothing more rested" in again.text, "the newest with that order"

    run(work)


def test_exits_that_take_the_place_of_others_are_followed_as_orders_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    monkeypatch.setattr(module, "SLOW_S", 0.01)
    stop = Exit(trigger=55_000, price=54_000)

    async def work(actions: Actions) -> None:
        account: Any = Account(Unreachable("gone"), [], [left(9, "NONE", "UNTRIGGERED")])
        for _ in range(2):
            action = await actions.protect("key", account, "BTC-USD", (None, stop), "Other exits", replaces="old")
        assert action.stage is Stage.LOOKING
        while not action.is_over:
            await asyncio.sleep(0)
        assert (action.stage, action.order_id) == (Stage.DONE, 9)
        assert [(one.replaces, one.external_id) for one in account.sent] == [("old", "terminal-key")]

    run(work)


def test_a_refusal_has_words_and_the_exchange_s_own() -> None:
    async def work(actions: Actions) -> None:
        account: Any = Account(Refused(422, 1140, "insufficient margin", "INSUFFICIENT_MARGIN"))
        action = await actions.place("key", account, ORDER, "Buy")
        assert action.stage is Stage.REFUSED and "free margin does not cover" in action.text
        assert action.details == "insufficient margin, code 1140: insufficient margin"

    run(work)


@pytest.mark.parametrize(
    ("found", "stage"),
    [
        (([], [], [left(9, "NONE", "NEW")]), Stage.DONE),
        (([], [], Unreachable("gone"), [], [], [], [], [left(9, "NONE", "NEW")]), Stage.DONE),
        ((), Stage.UNKNOWN),
    ],
)
def test_without_an_answer_it_is_looked_up(
    found: tuple[Any, ...], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    monkeypatch.setattr(module, "SLOW_S", 0.01)

    async def work(actions: Actions) -> None:
        account: Any = Account(Unreachable("gone"), *found)
        action = await actions.place("key", account, ORDER, "Buy")
        assert action.stage is Stage.LOOKING and "looking it up" in action.text
        assert await actions.place("key", account, ORDER, "Buy") is action, "a second click is the same order"
        while not action.is_over:
            await asyncio.sleep(0)
        assert action.stage is stage and len(account.sent) == 1
        assert action.order_id == (9 if stage is Stage.DONE else 0)

    run(work)


@pytest.mark.parametrize("is_late", [True, False])
def test_it_never_arrived_only_when_it_cannot_arrive_any_more(is_late: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange does not have it, again and again, and is asked on: it may still be on its way."""
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    monkeypatch.setattr(module, "SLOW_S", 0.0)
    until_ms = 20_000
    in_time = 1 + (until_ms + SLACK_MS) // 1_000

    async def work(actions: Actions) -> None:
        found: list[list[Order]] = [[]] * in_time + [[left(9, "NONE", "NEW")] if is_late else []]
        account: Any = Account(Unreachable("gone", until_ms), *found)
        action = await actions.place("key", account, ORDER, "Buy")
        while not action.is_over:
            await asyncio.sleep(0)
        assert action.stage is (Stage.DONE if is_late else Stage.LOST)
        assert account.clock.told_ms == 1_000 * (in_time + 1) and len(account.sent) == 1

    run(work)


def test_an_order_whose_answer_is_held_back_is_found_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLOW_S", 0.0)

    async def work(actions: Actions) -> None:
        account: Any = Account(7, [left(7, "NONE", "NEW")])
        held, place = asyncio.Event(), account.place

        async def slow(order: NewOrder) -> Placed:
            placed = await place(order)
            await held.wait()
            return placed  # type: ignore[no-any-return]

        account.place = slow
        sending = asyncio.create_task(actions.place("key", account, ORDER, "Buy"))
        while "key" not in actions.all or not actions.all["key"].is_over:
            await asyncio.sleep(0)
        assert (await sending).stage is Stage.DONE, "the ticket is free again"
        held.set()
        await asyncio.sleep(0.01)
        assert (actions.all["key"].stage, len(account.sent)) == (Stage.DONE, 1)

    run(work)


@pytest.mark.parametrize("is_done", [True, False])
def test_what_has_no_name_is_looked_for_by_what_it_does(is_done: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    monkeypatch.setattr(module, "SLOW_S", 0.0)

    async def work(actions: Actions) -> None:
        clock, asked = ExchangeClock(), 0

        async def send() -> None:
            raise Unreachable("gone", 10_000)

        async def find() -> bool:
            nonlocal asked
            asked += 1
            clock.told_ms += 1_000
            return is_done and asked == 5

        action = await actions.run("key", "Cancel all", send, (clock, find))
        assert action.stage is Stage.LOOKING
        while not action.is_over:
            await asyncio.sleep(0)
        assert (action.stage, asked) == ((Stage.DONE, 5) if is_done else (Stage.LOST, 14))

    run(work)


def test_an_exchange_that_knows_the_account_no_more_leaves_it_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its journal was lost, and the API key with it: nobody may say that the order never arrived, or look for ever."""
    monkeypatch.setattr(module, "LOOK_S", 0.0)
    monkeypatch.setattr(module, "SLOW_S", 0.01)

    async def work(actions: Actions) -> None:
        account: Any = Account(Unreadable("?"), *([Refused(401, 1001, "no such key")] * module.LOOKS))
        action = await actions.place("key", account, ORDER, "Buy")
        assert action.stage is Stage.LOOKING, "an answer that cannot be read says nothing of what became of it"
        while not action.is_over:
            await asyncio.sleep(0)
        assert action.stage is Stage.UNKNOWN and "no such key" in action.details

    run(work)


def test_another_exchange_is_not_believed_that_an_order_never_arrived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.0)

    async def work(actions: Actions) -> None:
        account: Any = Account(Unreachable("gone"))
        actions._link.other = OtherExchange("another exchange answers")
        action = await actions.place("key", account, ORDER, "Buy")
        for _ in range(20 * module.LOOKS):
            await asyncio.sleep(0)
        assert action.stage is Stage.LOOKING
        actions._link.other = None
        while not action.is_over:
            await asyncio.sleep(0)
        assert action.stage is Stage.UNKNOWN

    run(work)


def test_a_mistake_of_ours_leaves_no_action_that_says_sent() -> None:
    async def work(actions: Actions) -> None:
        async def send() -> None:
            raise KeyError("a mistake")

        with pytest.raises(KeyError):
            await actions.run("key", "Sign", send)
        assert actions.all["key"].stage is Stage.UNKNOWN

        async def early() -> None:
            raise NotReady("unlock an account first")

        action = await actions.run("other", "Onboard", early)
        assert action.stage is Stage.REFUSED and "Unlock an account first. Nothing was sent" in action.text

    run(work)


def test_what_was_refused_may_be_sent_again_and_what_may_have_been_done_may_not() -> None:
    async def work(actions: Actions) -> None:
        answers: list[Any] = [Refused(429, 1006, "too many"), "", Unreadable("HTTP 200: no JSON"), ""]

        async def send() -> str:
            found = answers.pop(0)
            if isinstance(found, Exception):
                raise found
            return str(found)

        assert (await actions.run("key", "Move", send)).stage is Stage.REFUSED
        assert (await actions.run("key", "Move", send)).stage is Stage.DONE and len(answers) == 2
        assert (await actions.run("key", "Move", send)).stage is Stage.DONE and len(answers) == 2, "it was done"
        assert (await actions.run("other", "Move", send)).stage is Stage.UNKNOWN
        assert (await actions.run("other", "Move", send)).stage is Stage.UNKNOWN and len(answers) == 1

    run(work)


def test_what_cannot_be_looked_up_stays_unknown() -> None:
    async def work(actions: Actions) -> None:
        async def send() -> None:
            raise Unreachable("gone")

        action = await actions.run("key", "Sign", send)
        assert action.stage is Stage.UNKNOWN and "may or may not have been done" in action.text
        for place in range(module.KEPT + 5):
            await actions.run(f"{place}", "Sign", send)
        assert len(actions.all) == module.KEPT

    run(work)
