"""Sources of prices: a walk by its seed, medians of live venues, and numbers that are no prices."""

from __future__ import annotations

import asyncio
from typing import Any

import ccxt
import ccxt.async_support as venues
import pytest

from bulkhead.ledger.defaults import default_config
from bulkhead.node.app import source_of
from bulkhead.node.clock import index_of
from bulkhead.node.sources import Live, SourceError, Walk
from bulkhead.units import Felt

CONFIG = default_config((Felt(2),), Felt(3))


def test_a_walk_is_its_seeds() -> None:
    async def steps(seed: int) -> list[float]:
        walk = Walk({"BTC-USD": 100.0}, seed)
        return [(await walk.prices())["BTC-USD"] for _ in range(5)]

    one, same, other = asyncio.run(steps(1)), asyncio.run(steps(1)), asyncio.run(steps(2))
    assert one == same != other
    assert all(abs(price / 100 - 1) < 0.05 for price in one)


class Venue:
    """A live venue as ccxt would show it."""

    said: dict[str, dict[str, float | None]] = {}

    def __init__(self, options: dict[str, Any]) -> None:
        self.id = type(self).__name__
        self.markets = {"BTC/USDT": {}, "ETH/USD": {}}

    async def load_markets(self) -> None:
        return None

    async def fetch_ticker(self, symbol: str) -> dict[str, float | None]:
        found = self.said[type(self).__name__].get(symbol, -1.0)
        if found == -1.0:
            raise ccxt.NetworkError("gone")
        return {"last": found}

    async def close(self) -> None:
        return None


def test_live_prices_are_medians_of_a_majority(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("binance", "kraken", "bitfinex")
    for name in names:
        monkeypatch.setattr(venues, name, type(name, (Venue,), {}))
    Venue.said = {
        "binance": {"BTC/USDT": 100.0, "ETH/USD": 5.0},
        "kraken": {"BTC/USDT": 900.0, "ETH/USD": None},
        "bitfinex": {"BTC/USDT": 101.0},
    }

    async def ask() -> Any:
        live = Live(names, ["BTC-USD", "ETH-USD", "XRP-USD"])
        first = await live.prices()
        Venue.said = {name: {} for name in names}
        with pytest.raises(SourceError, match="no market has a price"):
            await live.prices()
        await live.close()
        return first

    assert asyncio.run(ask()) == {"BTC-USD": 101.0}


def test_a_venue_that_does_not_answer_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Venue):
        async def load_markets(self) -> None:
            await asyncio.sleep(60)

    for name, kind in (("binance", Venue), ("kraken", Venue), ("bitfinex", Silent)):
        monkeypatch.setattr(venues, name, type(name, (kind,), {}))
    monkeypatch.setattr("bulkhead.node.sources.LIVE_TIMEOUT_S", 0.1)
    nan = float("nan")
    Venue.said = {
        "binance": {"BTC/USDT": 100.0, "ETH/USD": 5.0}, "kraken": {"BTC/USDT": 102.0, "ETH/USD": nan}, "bitfinex": {},
    }  # fmt: skip

    async def ask() -> tuple[dict[str, float], float]:
        live, began = Live(("binance", "kraken", "bitfinex"), ["BTC-USD", "ETH-USD"]), asyncio.get_running_loop().time()
        return dict(await live.prices()), asyncio.get_running_loop().time() - began

    found, took_s = asyncio.run(ask())
    assert found == {"BTC-USD": 100.0}, "two of three are a majority; one of three, and no number, are none"
    assert took_s < 5


def test_a_venue_whose_markets_take_longer_than_a_tick_has_a_vote_once_they_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = []

    class Slow(Venue):
        async def load_markets(self) -> None:
            began.append(self.id)
            if len(began) == 1:
                raise ccxt.NetworkError("gone")
            await asyncio.sleep(0.25)

    monkeypatch.setattr(venues, "kraken", type("kraken", (Slow,), {}))
    monkeypatch.setattr("bulkhead.node.sources.LIVE_TIMEOUT_S", 0.1)
    Venue.said = {"kraken": {"BTC/USDT": 100.0}}

    async def ask() -> tuple[int, dict[str, float]]:
        live = Live(("kraken",), ["BTC-USD"])
        for tick in range(100):
            try:
                return tick, dict(await live.prices())
            except SourceError:
                continue
        raise AssertionError("never a price")

    tick, found = asyncio.run(ask())
    assert tick >= 2 and found == {"BTC-USD": 100.0}
    assert began == ["kraken", "kraken"], "once where it failed, once to the end"


@pytest.mark.parametrize("answer", [None, {}, {"last": "much"}, {"last": [1]}, {"last": float("inf")}, {"last": -1}])
def test_a_venue_that_answers_garbage_has_no_vote(monkeypatch: pytest.MonkeyPatch, answer: Any) -> None:
    class Garbled(Venue):
        async def fetch_ticker(self, symbol: str) -> Any:
            return answer

    for name, kind in (("binance", Venue), ("kraken", Garbled), ("bitfinex", Venue)):
        monkeypatch.setattr(venues, name, type(name, (kind,), {}))
    Venue.said = {"binance": {"BTC/USDT": 100.0}, "bitfinex": {"BTC/USDT": 102.0}}

    async def ask() -> dict[str, float]:
        return dict(await Live(("binance", "kraken", "bitfinex"), ["BTC-USD"]).prices())

    assert asyncio.run(ask()) == {"BTC-USD": 100.0}


@pytest.mark.parametrize("name", ["", "simulated-", "simulated-x", "live:", "live:nobody,binance", "recorded"])
def test_a_source_that_is_none_is_named(name: str) -> None:
    with pytest.raises(SourceError):
        source_of(name, CONFIG)


@pytest.mark.parametrize("dollars", [0.0, -1.0, float("nan"), float("inf"), 1e15, 5e14])
def test_numbers_that_are_no_prices_reach_no_tick(dollars: float) -> None:
    assert int(index_of(dollars, 1)) == 0


def test_a_price_is_dollars_for_a_coin_in_lots() -> None:
    assert int(index_of(60_000.0, 1_000_000)) == 60_000 << 32
    assert 0 <= (60_000 << 32) - int(index_of(0.6, 10)) < 1 << 20
