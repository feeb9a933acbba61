"""What is unlocked stays apart from what was: locking holds for whatever was on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bulkhead.client import OtherExchange
from bulkhead.client.models import SigningDomain
from bulkhead.terminal import session as module
from bulkhead.terminal.keystore import Access, KeyStore, Unlocked
from bulkhead.terminal.session import Session
from bulkhead.terminal.settings import Settings
from tests.client.hostile import server_of
from tests.client.test_identity import KNOWN, Stranger

PASSPHRASE, URL = "correct horse", "http://127.0.0.1:9"
HERE = SigningDomain(name="Perpetuals", version="v0", chain_id="BH_1337_one", revision=1, signing_domain="one.example")


class Followed:
    """A live account, without its streams."""

    def __init__(self, trader: Any, named: Any, link: Any) -> None:
        self.trader, self.account_id = trader, trader.account_id
        self.on_left: list[Callable[[Any], None]] = []

    def start(self) -> None:
        """Nothing to follow."""

    async def stop(self) -> None:
        """Nothing runs."""


class Slow:
    """An exchange whose answers come when a test lets them go. An API key names the account that it opens."""

    def __init__(self) -> None:
        self.transport = SimpleNamespace(url=URL)
        self.asked, self.go = asyncio.Event(), asyncio.Event()

    async def markets(self) -> Any:
        return {"BTC-USD": SimpleNamespace()}

    async def domain(self) -> SigningDomain:
        return HERE

    def expect(self, known: SigningDomain | None) -> None:
        self.expected = known

    async def trader(self, api_key: str, stark_key: str) -> Any:
        async def account() -> Any:
            return SimpleNamespace()

        async def strategies() -> Any:
            return SimpleNamespace(strategies=[])

        self.asked.set()
        await self.go.wait()
        return SimpleNamespace(account_id=int(api_key), account=account, strategies=strategies)


def kept(tmp_path: Path, name: str, account_id: int) -> Unlocked:
    store = KeyStore(tmp_path / "keys", work_factor=1 << 10)
    return store.add_access(name, PASSPHRASE, URL, Access(account_id, str(account_id), "0x1"))


def test_an_account_that_is_locked_while_it_is_entered_stays_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LiveAccount", Followed)
    first, second = kept(tmp_path, "first", 128), kept(tmp_path, "second", 256)

    async def work() -> None:
        session = Session(Settings(exchange_url=URL, keys=tmp_path / "keys"))
        session.exchange = slow = Slow()  # type: ignore[assignment]
        entering = asyncio.create_task(session.adopt(first))
        await slow.asked.wait()
        await session.lock()
        slow.go.set()
        await entering
        assert session.unlocked is None and not session.accounts and session.active is None

        slow.asked.clear()
        slow.go.clear()
        entering = asyncio.create_task(session.adopt(first))
        await slow.asked.wait()
        other = asyncio.create_task(session.adopt(second))
        await asyncio.sleep(0)
        slow.go.set()
        await asyncio.gather(entering, other)
        assert session.unlocked is second and list(session.accounts) == [256], "nobody trades as another one"

    asyncio.run(work())


def test_an_account_that_is_locked_while_it_is_onboarded_keeps_its_key_and_stays_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = asyncio.Event()

    class Onboarding:
        def __init__(self, exchange: Any, ethereum_key: str) -> None: ...

        async def onboard(self, description: str) -> Any:
            await go.wait()
            return SimpleNamespace(account_id=128, api_key="128", private_key=1)

    monkeypatch.setattr(module, "Owner", Onboarding)
    store = KeyStore(tmp_path / "keys", work_factor=1 << 10)
    owner = store.create("owner", PASSPHRASE)

    async def work() -> None:
        session = Session(Settings(exchange_url=URL, keys=tmp_path / "keys"))
        session.exchange = Slow()  # type: ignore[assignment]
        await session.adopt(owner)
        onboarding = asyncio.create_task(session.onboard())
        await asyncio.sleep(0)
        await session.lock()
        go.set()
        await onboarding
        assert session.unlocked is None and not session.accounts
        assert store.unlock("owner", PASSPHRASE).kept.exchanges[URL].account_id == 128

    asyncio.run(work())


def test_only_the_account_of_the_command_line_is_onboarded_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onboarded: list[str] = []
    store = KeyStore(tmp_path / "keys", work_factor=1 << 10)
    named, other = store.create("named", PASSPHRASE), store.create("other", PASSPHRASE)
    monkeypatch.setattr(module, "AGAIN_S", 0.01)

    async def work() -> None:
        settings = Settings(exchange_url=URL, keys=tmp_path / "keys", unlock="named", onboard=True)
        session = Session(settings)

        async def onboard() -> None:
            assert session.unlocked is not None
            onboarded.append(session.unlocked.name)

        session.exchange, session.onboard = Slow(), onboard  # type: ignore[method-assign, assignment]
        preparing = asyncio.create_task(session._prepare())
        for unlocked in (other, named):
            await session.adopt(unlocked)
            await asyncio.sleep(0.05)
        preparing.cancel()
        assert set(onboarded) == {"named"}

    asyncio.run(work())


def test_a_market_that_is_halted_or_new_is_known_without_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MARKETS_S", 0.02)
    monkeypatch.setattr(module, "AGAIN_S", 0.02)
    told = {"BTC-USD": SimpleNamespace(name="BTC-USD", status="ACTIVE")}

    async def markets() -> Any:
        return dict(told)

    async def work() -> None:
        session = Session(Settings(exchange_url=URL, keys=tmp_path / "keys"))
        monkeypatch.setattr(session.exchange, "markets", markets)
        known: list[int] = []
        session.markets_known.listen(lambda: known.append(len(session.markets)))
        task = asyncio.create_task(session._prepare())
        while not session.markets:
            await asyncio.sleep(0.01)
        live, listed = session.market("BTC-USD"), session.markets
        assert live is not None
        assert live.terms.status == "ACTIVE"
        told["BTC-USD"] = SimpleNamespace(name="BTC-USD", status="REDUCE_ONLY")
        told["ETH-USD"] = SimpleNamespace(name="ETH-USD", status="ACTIVE")
        while live.terms.status == "ACTIVE":
            await asyncio.sleep(0.01)
        assert live.terms.status == "REDUCE_ONLY"
        assert set(listed) == {"BTC-USD", "ETH-USD"}
        del told["BTC-USD"]  # positions in it may still be open
        await asyncio.sleep(0.1)
        assert set(listed) == {"BTC-USD", "ETH-USD"}
        assert known == [1]  # pages that wait for markets are built once
        task.cancel()

    asyncio.run(asyncio.wait_for(work(), 10))


def test_keys_of_one_exchange_are_not_used_at_another_one_at_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of a test venue, where a real one answers by now: its owner is told, and the API key stays here."""
    monkeypatch.setattr(module, "LiveAccount", Followed)
    stranger = Stranger()
    stranger.told = KNOWN | {"chainId": "BH_1_real"}

    async def work() -> None:
        async with server_of(stranger.answer) as url:
            store = KeyStore(tmp_path / "keys", work_factor=1 << 10)
            named = store.add_access("named", PASSPHRASE, url, Access(128, "128", "0x1", HERE))
            session = Session(Settings(exchange_url=url, keys=tmp_path / "keys"))
            await session.adopt(named)
            assert session.active is None
            assert "chain BH_1_real, where BH_1337_one is known" in session.problem
            assert "to trade at the other one, use another account" in session.problem
            with pytest.raises(OtherExchange):
                await session.enter()
            assert stranger.paths == {"/api/v1/info/starknet"}
            await session.lock()
            assert (await session.exchange.domain()).chain_id == "BH_1_real", "it may be watched"
            await session.exchange.close()

    asyncio.run(work())


def test_an_account_is_of_the_exchange_that_it_first_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LiveAccount", Followed)
    old = kept(tmp_path, "old", 128)
    assert old.kept.exchanges[URL].domain is None, "as it was kept before this was"

    async def work() -> None:
        session = Session(Settings(exchange_url=URL, keys=tmp_path / "keys"))
        session.exchange = slow = Slow()  # type: ignore[assignment]
        slow.go.set()
        await session.adopt(old)
        again = session.store.unlock("old", PASSPHRASE)
        assert again.kept.exchanges[URL].domain == HERE
        await session.adopt(again)
        assert slow.expected == HERE

    asyncio.run(work())
