"""The terminal's owner, beside his terminal: what he does by the SDK and what the exchange tells him."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from bulkhead.client import Access, Exchange, Owner, Trader
from tests.terminal.browser import Bench
from tests.terminal.venue import ask, ethereum_key

Answer = TypeVar("Answer")
# By exchange, not by its address, which may be another's later: an account has a limited number of API keys.
_known: WeakKeyDictionary[object, Access] = WeakKeyDictionary()


def by_owner(bench: Bench, work: Callable[[Trader], Awaitable[Answer]]) -> Answer:
    """Do something as the terminal's owner."""

    async def inside(exchange: Exchange) -> Answer:
        access = _known.get(bench.live)
        if access is None:
            access = _known[bench.live] = await Owner(exchange, ethereum_key(bench.terminal.seed)).onboard()
        return await work(await exchange.trader(access.api_key, access.private_key))

    return ask(bench.live.url, inside)
