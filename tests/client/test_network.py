"""A network that loses, cuts and delays: what was signed counts once, and a client says no more than is so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from aiohttp import web

from bulkhead.client import AssetLeg, Exchange, NewOrder, Owner, Refused, Trader, Unreachable
from bulkhead.client import clock as clock_module
from bulkhead.client import once as once_module
from bulkhead.client import transport as transport_module
from bulkhead.client.clock import TIME_HEADER, TOO_LATE, UNTIL_HEADER, ExchangeClock
from bulkhead.client.orders import body_of
from bulkhead.client.sending import NONCE_STEP
from tests.api.live import Live
from tests.client.hostile import exchange_that
from tests.network import Fault, Network

ORDER, MOVE, WITHDRAWAL = b"POST /api/v1/user/order ", b"POST /api/v1/user/move ", b"POST /api/v1/user/withdrawal "
MODE = b"POST /api/v1/user/configuration "
NUMBERED = (MOVE, MODE)
WALLET = "0x" + "11" * 20
Work = Callable[["Ways"], Awaitable[None]]


class Ways(NamedTuple):
    """The same account through a network that fails, and straight."""

    network: Network
    trader: Trader
    straight: Trader

    async def open_names(self) -> list[str]:
        return [order.external_id for order in await self.straight.orders()]


@pytest.fixture
def through(live: Live, monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], None]:
    """Runs something of a new owner behind a network of its own, by a client of little patience."""
    monkeypatch.setattr(transport_module, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(transport_module, "COMMAND_S", 0.5)
    monkeypatch.setattr(once_module, "PAUSES_S", (0.05, 0.1, 0.1))

    def run(work: Work) -> None:
        async def inside() -> None:
            with Network(int(live.url.rsplit(":", 1)[1])) as network:
                async with Exchange(network.url) as exchange, Exchange(live.url) as near:
                    made = await Owner(near, f"0x{time.time_ns():064x}").onboard()
                    traders = [await one.trader(made.api_key, made.private_key) for one in (exchange, near)]
                    await traders[1].claim_test_money()
                    await work(Ways(network, *traders))

        asyncio.run(asyncio.wait_for(inside(), 30))

    return run


def order(name: str, **more: Any) -> NewOrder:
    given = {"market": "BTC-USD", "side": "BUY", "quantity": "0.01", "price": 59_000, "external_id": name, **more}
    return NewOrder(**given)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.CUT_ANSWER, Fault.HALF_CLOSED, Fault.HELD_ANSWER])
def test_an_order_whose_answer_is_lost_is_found_and_there_once(through: Callable[[Work], None], fault: Fault) -> None:
    async def work(ways: Ways) -> None:
        ways.network.next(ORDER, fault)
        placed = await ways.trader.place(order("mine"))
        assert [one.id for one in await ways.straight.orders()] == [placed.id]
        ways.network.let_go()
        await asyncio.sleep(0.2)
        assert await ways.open_names() == ["mine"] and ways.network.asked(ORDER) == 1

    through(work)


def test_copies_of_an_order_that_come_in_late_count_once_and_not_after_it_was_cancelled(
    through: Callable[[Work], None],
) -> None:
    async def work(ways: Ways) -> None:
        ways.network.next(ORDER, Fault.HELD_QUESTION, 2)
        placed = await ways.trader.place(order("mine"))
        assert ways.network.asked(ORDER) >= 3 and await ways.open_names() == ["mine"]
        await ways.trader.cancel(placed.id)
        ways.network.let_go()
        await asyncio.sleep(0.3)
        assert await ways.open_names() == [], "what was cancelled does not come back"

    through(work)


def test_an_order_that_the_network_keeps_for_longer_than_it_is_valid_is_never_there(
    through: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody had an answer, the look-ups found nothing, and then every copy arrives: the worst that a network does."""
    monkeypatch.setattr(clock_module, "WINDOW_MS", 1_000)
    monkeypatch.setattr(clock_module, "SLACK_MS", 200)

    async def work(ways: Ways) -> None:
        ways.network.next(ORDER, Fault.HELD_QUESTION, 9)
        with pytest.raises(Unreachable) as raised:
            await ways.trader.place(order("mine"))
        clock = ways.trader.exchange.transport.clock
        assert 0 <= raised.value.until_ms - 1_000 * time.time() < 1_000, "of the last copy"
        while not clock.is_past(raised.value.until_ms):
            await asyncio.sleep(0.1)
            assert await ways.trader.orders_named("mine") == []
        ways.network.let_go()
        await asyncio.sleep(0.3)
        assert ways.network.asked(ORDER) >= 2 and await ways.open_names() == []
        assert (await ways.trader.place(order("mine"))).external_id == "mine", "the way is free again"

    through(work)


def test_a_refusal_counts_when_no_copy_can_come_in_any_more(
    through: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second copy is refused for a reason that goes away before the first arrives: then it was not refused."""
    monkeypatch.setattr(clock_module, "WINDOW_MS", 3_000)
    monkeypatch.setattr(clock_module, "SLACK_MS", 200)

    async def work(ways: Ways) -> None:
        await ways.straight.withdraw(99_950, WALLET)
        ways.network.next(ORDER, Fault.HELD_QUESTION)
        placing = asyncio.create_task(ways.trader.place(order("mine", quantity="1")))
        while ways.network.asked(ORDER) < 2:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert not placing.done(), "refused, and not told yet"
        await ways.straight.claim_test_money()
        ways.network.let_go()
        placed = await placing
        assert [one.id for one in await ways.straight.orders()] == [placed.id]
        with pytest.raises(Refused):
            await ways.trader.place(order("other", quantity="500"))

    through(work)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.HELD_QUESTION])
def test_money_and_modes_move_once_without_an_answer(through: Callable[[Work], None], fault: Fault) -> None:
    async def work(ways: Ways) -> None:
        strategy = await ways.straight.add_strategy("second")
        own = ways.trader.account_id
        looked_for = fault is Fault.LOST_ANSWER  # by the number that a message bears: those without one are sent again
        for begins, send in (
            (MOVE, lambda: ways.trader.move([AssetLeg(own, strategy.account_id, Decimal(10))])),
            (WITHDRAWAL, lambda: ways.trader.withdraw(5, WALLET)),
            (b"POST /api/v1/user/transfer", lambda: ways.trader.transfer(strategy.account_id, strategy.signer.key, 7)),
            (MODE, lambda: ways.trader.choose_mode("BTC-USD", "isolated")),
        ):
            ways.network.next(begins, fault)
            await send()
            ways.network.let_go()
            await asyncio.sleep(0.2)
            assert ways.network.asked(begins) == (1 if looked_for and begins in NUMBERED else 2)
        held = await ways.straight.compartments()
        assert [held.of(one).balance for one in (own, strategy.account_id)] == [100_000 - 10 - 5 - 7, 10 + 7]
        assert (await ways.straight.leverage("BTC-USD")).margin_mode == "ISOLATED"

    through(work)


def test_a_mode_that_another_overtook_is_not_said_to_be_done(through: Callable[[Work], None]) -> None:
    """Its question never arrived; what was signed after it, elsewhere, has used up its number."""

    async def work(ways: Ways) -> None:
        ways.network.next(MODE, Fault.HELD_QUESTION, 9)
        choosing = asyncio.create_task(ways.trader.choose_mode("BTC-USD", "isolated", leverage=7))
        while not ways.network.asked(MODE):
            await asyncio.sleep(0.01)
        while (await ways.straight.configuration()).next_nonce <= NONCE_STEP:  # beyond any that was drawn above
            await ways.straight.choose_mode("ETH-USD", "isolated")
        with pytest.raises(Unreachable, match="something else was signed"):
            await choosing
        ways.network.let_go()
        await asyncio.sleep(0.3)
        assert [one.market for one in (await ways.straight.configuration()).choices] == ["ETH-USD"]

    through(work)


def test_a_cancellation_without_an_answer_is_sent_again_and_one_of_all_is_not(through: Callable[[Work], None]) -> None:
    async def work(ways: Ways) -> None:
        placed = await ways.straight.place(order("mine"))
        ways.network.next(b"DELETE", Fault.LOST_ANSWER)
        await ways.trader.cancel(placed.id)
        assert await ways.open_names() == [] and ways.network.asked(b"DELETE") == 2
        with pytest.raises(Refused, match="1142"):
            await ways.trader.cancel(placed.id)
        ways.network.cut()
        assert await ways.trader.orders() == [], "a question is asked again on another connection"
        ways.network.next(b"POST /api/v1/user/order/massCancel", Fault.LOST_ANSWER)
        with pytest.raises(Unreachable):
            await ways.trader.cancel_all()
        assert ways.network.asked(b"POST /api/v1/user/order/massCancel") == 1, "it would take with it what came since"

    through(work)


def test_a_request_that_is_valid_no_more_does_nothing(live: Live) -> None:
    client = live.client()
    now_ms = int(client.get("/api/v1/info/markets").headers[TIME_HEADER])
    assert abs(now_ms - 1_000 * time.time()) < 2_000
    for until, status in ((now_ms - 1, 422), (now_ms + 60_000, 400), ("soon", 400)):
        made = client.post("/auth/onboard", json={}, headers={UNTIL_HEADER: str(until)})
        assert made.status_code == status and (made.json()["error"]["code"] == TOO_LATE) == (status == 422)


def test_the_exchange_s_clock_is_read_by_the_quickest_answer_and_not_by_nonsense(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 1_000_000.0
    monkeypatch.setattr(time, "time", lambda: now_s)
    clock = ExchangeClock()
    assert clock.until_ms() == 0 and not clock.is_past(0)
    clock.heard(str(round(1000 * now_s) + 3_600_000), now_s - 0.1)
    assert clock.ahead_ms == 3_600_050 and clock.until_ms() == 1_003_610_050
    for told in ("soon", "-5", "9" * 16, "", "٣"):
        clock.heard(told, now_s)
    clock.heard(str(round(1000 * now_s) + 3_600_000), now_s - 8)
    assert clock.ahead_ms == 3_600_050, "an answer that took eight seconds says less"
    clock.heard(str(round(1000 * now_s)), now_s - 2)
    assert clock.ahead_ms == 1_000, "but a clock that was set is seen at once"
    now_s += clock_module.KEPT_S
    clock.heard(str(round(1000 * now_s) - 500), now_s - 3)
    assert clock.ahead_ms == 1_000, "and what is old is read again: 1,000 it is by both"
    clock.heard(str(round(1000 * now_s)), now_s - 2.5)
    assert clock.ahead_ms == 1_250


def test_a_clock_that_was_wrong_is_put_right_by_the_refusal_and_nothing_is_sent_twice() -> None:
    sent: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        now_ms, until = round(1000 * time.time()) + 3_600_000, request.headers.get(UNTIL_HEADER, "")
        headers = {TIME_HEADER: str(now_ms)}
        if request.method == "GET":
            return web.json_response({"status": "OK", "data": []}, headers=headers)
        sent.append(until)
        if int(until) < now_ms:
            error = {"code": TOO_LATE, "message": "late"}
            return web.json_response({"status": "ERROR", "error": error}, status=422, headers=headers)
        return web.json_response({"status": "OK", "data": {}}, headers=headers)

    async def work() -> None:
        async with exchange_that(answer) as exchange:
            transport = exchange.transport
            await transport.ask("GET", "/", list[Any])
            transport.clock.ahead_ms = 0  # this machine's clock was set an hour back
            await transport.ask("POST", "/", dict[str, Any], body={})
            assert len(sent) == 2 and int(sent[1]) - int(sent[0]) > 3_500_000

    asyncio.run(work())


@pytest.mark.parametrize("hours", [-1, 1, 3])
def test_what_is_signed_lives_as_long_as_meant_by_the_exchange_s_clock(
    hours: int, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose clock is an hour off onboards, and its orders expire when they should; three hours are not
    followed, and the exchange says so."""
    true_ms = live.node.clock_ms
    monkeypatch.setattr(live.node, "clock_ms", lambda: true_ms() + hours * 3_600_000 + 60_000)

    async def work() -> None:
        async with Exchange(live.url) as exchange:
            await exchange.markets()
            owner = Owner(exchange, f"0x{time.time_ns():064x}")
            if hours > 2:
                with pytest.raises(Refused, match="signed too long ago, or in the future"):
                    await owner.trader()
                return
            trader = await owner.trader()
            expiry_ms = body_of(order("mine"), await exchange.market("BTC-USD"), trader.signer)["expiryEpochMillis"]
            assert abs(expiry_ms - 3_600_000 - live.node.clock_ms()) < 2_000
            assert (await trader.operations()) == []

    asyncio.run(work())
