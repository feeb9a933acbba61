"""Another exchange at the address of the known one is named before anything is signed for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from bulkhead.client import ClientError, OtherExchange, OtherVersion, Refused, Trader, Unreachable
from bulkhead.client import exchange as exchange_module
from bulkhead.client import once as once_module
from bulkhead.client.exchange import HELD_S
from bulkhead.client.models import SigningDomain
from bulkhead.client.signer import Signer
from bulkhead.ledger.commitment import VERSION
from bulkhead.signing import Domain
from tests.client.hostile import exchange_that, run

KNOWN: dict[str, Any] = {
    "name": "Perpetuals", "version": "v0", "chainId": "BH_1337_one", "revision": 1, "signingDomain": "one.example",
    "stateVersion": VERSION,
}  # fmt: skip
OTHERS: list[tuple[dict[str, Any], type[ClientError], str]] = [
    ({"chainId": "BH_1_two"}, OtherExchange, "chain BH_1_two, where BH_1337_one is known"),
    ({"signingDomain": "two.example"}, OtherExchange, "signing domain two.example, where one.example is known"),
    ({"chainId": "SN_MAIN"}, OtherExchange, "belongs to another exchange"),
    ({"version": "v1"}, OtherVersion, "Perpetuals v1, revision 1; this software knows Perpetuals v0"),
    ({"revision": 2}, OtherVersion, "revision 2; this software knows"),
    ({"stateVersion": VERSION + 1}, OtherVersion, f"state version {VERSION + 1}; this software knows {VERSION}"),
]


class Stranger:
    """Answers as whatever exchange a test has there. `sent` are the bodies that it was sent."""

    def __init__(self) -> None:
        self.told = dict(KNOWN)
        self.sent: list[dict[str, Any]] = []
        self.paths: set[str] = set()
        self.asked = 0
        self.refuses = False
        self.hangs_up = False
        self.may_tell = asyncio.Event()
        self.may_tell.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.paths.add(request.path)
        if request.path.endswith("/starknet"):
            self.asked += 1
            await self.may_tell.wait()
            return says(self.told)
        if request.method == "GET":
            return says([])
        if self.refuses:
            return web.json_response({"status": "ERROR", "error": {"code": 1101, "message": "no"}}, status=400)
        self.sent.append(await request.json())
        if self.hangs_up:
            assert request.transport is not None
            request.transport.close()
        return says({"id": 7, "amount": "1"})


class Clock:
    """Stands until a test moves it on."""

    now_s = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(exchange_module, "time", SimpleNamespace(monotonic=lambda: made.now_s))
    return made


def says(data: Any) -> web.Response:
    return web.Response(text=json.dumps({"status": "OK", "data": data}), content_type="application/json")


async def looked(stranger: Stranger, times: int) -> None:
    """Wait until it was asked who it is so many times, and was heard."""
    while stranger.asked < times:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)


@asynccontextmanager
async def trader_at(stranger: Stranger) -> AsyncIterator[Trader]:
    """A trader of the known exchange, who has signed there before."""
    async with exchange_that(stranger.answer) as exchange:
        yield Trader(exchange, "key", Signer((await exchange.domain()).named, 128, 5))


@pytest.mark.parametrize(("change", "error", "said"), OTHERS)
def test_nothing_is_signed_for_another_exchange_and_the_known_one_is_known_again(
    change: dict[str, Any], error: type[ClientError], said: str, clock: Clock
) -> None:
    stranger = Stranger()

    async def work() -> None:
        async with trader_at(stranger) as trader:
            await trader.transfer(256, 9, 1)
            assert len(stranger.sent) == 1
            stranger.told = KNOWN | change
            clock.now_s += HELD_S + 0.1
            await trader.transfer(256, 9, 1)  # the question goes beside it; what was signed is of no use there
            await looked(stranger, 2)
            for send in (trader.transfer(256, 9, 1), trader.withdraw(1, "0x9")):
                with pytest.raises(error, match=said) as found:
                    await send
                assert "nothing is signed for it" in str(found.value), "and what to do"
            assert len(stranger.sent) == 2
            stranger.told = dict(KNOWN)
            await trader.transfer(256, 9, 1)
            assert len(stranger.sent) == 3

    run(work)


def test_whoever_answers_is_asked_no_more_often_than_an_exchange_can_change(clock: Clock) -> None:
    stranger = Stranger()

    async def work() -> None:
        async with trader_at(stranger) as trader:
            for _ in range(5):
                await trader.transfer(256, 9, 1)
            assert stranger.asked == 1
            clock.now_s += HELD_S + 0.1
            await trader.transfer(256, 9, 1)
            await trader.transfer(256, 9, 1)
            await looked(stranger, 2)
            await trader.transfer(256, 9, 1)
            assert stranger.asked == 2

    run(work)


def test_no_order_waits_for_the_question_who_answers(clock: Clock) -> None:
    stranger = Stranger()

    async def work() -> None:
        async with trader_at(stranger) as trader:
            stranger.may_tell.clear()
            clock.now_s += HELD_S + 0.1
            await asyncio.wait_for(trader.transfer(256, 9, 1), 5)
            assert len(stranger.sent) == 1, "it was answered"
            while stranger.asked < 2:
                await asyncio.sleep(0.01)
            stranger.may_tell.set()

    run(work)


def test_a_signature_that_another_exchange_refuses_is_named_too(clock: Clock) -> None:
    stranger = Stranger()

    async def work() -> None:
        async with trader_at(stranger) as trader:
            stranger.refuses = True
            with pytest.raises(Refused, match="code 1101"):
                await trader.transfer(256, 9, 1)
            stranger.told = KNOWN | {"chainId": "BH_1_two"}
            with pytest.raises(OtherExchange, match="BH_1_two"):
                await trader.transfer(256, 9, 1)
            stranger.refuses = False
            with pytest.raises(OtherExchange, match="BH_1_two"):
                await trader.transfer(256, 9, 1)
            assert stranger.sent == []

    run(work)


def test_what_became_of_an_order_only_its_own_exchange_can_say(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """It was sent, no answer came, and another exchange came up: neither sent again there, nor told as never sent."""
    monkeypatch.setattr(once_module, "PAUSES_S", (0.01, 0.01))
    stranger = Stranger()

    async def work() -> None:
        async with trader_at(stranger) as trader:
            stranger.hangs_up = True
            clock.now_s += HELD_S + 0.1
            stranger.told = KNOWN | {"chainId": "BH_1_two"}
            with pytest.raises(Unreachable, match="no answer, and then another exchange"):
                await trader._placed({"id": "mine"})
            assert [body["id"] for body in stranger.sent] == ["mine"]

    run(work)


def test_keys_are_held_to_the_exchange_that_they_were_made_for() -> None:
    stranger = Stranger()

    async def work() -> None:
        async with exchange_that(stranger.answer) as exchange:
            before = await exchange.domain()
            exchange.expect(SigningDomain(name="Perpetuals", version="v0", chain_id="BH_5_x", revision=1))
            with pytest.raises(OtherExchange, match="chain BH_1337_one, where BH_5_x is known"):
                await exchange.trader("key", 5)
            exchange.expect(None)
            assert await exchange.domain() == before
            foreign = Trader(exchange, "key", Signer(Domain("BH_5_x"), 128, 5))
            with pytest.raises(OtherExchange, match="sign for BH_5_x"):
                await foreign.transfer(256, 9, 1)
            assert stranger.sent == []

    run(work)
