"""The terminal's owner, beside his terminal: what he does by the SDK and what the exchange tells him."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bulkhead.client import Access, Exchange, Owner, Trader
from tests.terminal.browser import Bench
from tests.terminal.venue import ask, ethereum_key

Answer = TypeVar("Answer")
_known: dict[str, Access] = {}  # by exchange: an account has a limited number of API keys


def by_owner(bench: Bench, work: Callable[[Trader], Awaitable[Answer]]) -> Answer:
    """Do something as the terminal's owner."""

    async def inside(exchange: Exchange) -> Answer:
        url = bench.live.url
        if url not in _known:
            _known[url] = await Owner(exchange, ethereum_key(bench.terminal.seed)).onboard()
        access = _known[url]
        return await work(await exchange.trader(access.api_key, access.private_key))

    return ask(bench.live.url, inside)
