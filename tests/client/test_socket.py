"""The connection of the feeds against a server that does what networks and sleeping machines do to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bulkhead.client.errors import ClientError
from bulkhead.client.socket import Socket
from tests.client.hostile import server_of

PINGS = 8  # more than are answered before the connection is seen to be gone
Handle = Callable[[web.Request, web.WebSocketResponse, int], Awaitable[None]]


async def answer(socket: web.WebSocketResponse) -> None:
    """Every request, as an exchange does."""
    async for message in socket:
        number = message.json()["id"]
        await socket.send_json({"jsonrpc": "2.0", "id": number, "result": {"time": 7, "subscription": "quiet"}})


async def against(handle: Handle, client: Callable[[Socket], Awaitable[None]]) -> int:
    """Run a client against a server whose connections are handled so; how many there were."""
    count = 0

    async def connected(request: web.Request) -> web.WebSocketResponse:
        nonlocal count
        count += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await handle(request, socket, count)
        return socket

    async with server_of(connected) as url, aiohttp.ClientSession() as session:
        socket = Socket(lambda: session, url)
        await socket.open()
        try:
            await asyncio.wait_for(client(socket), 20)
        finally:
            await socket.close()
    return count


class Quiet:
    """A feed that hears nothing, and says why it ended."""

    name = "quiet"

    def __init__(self) -> None:
        self.begun = 0
        self.error: ClientError | None = None

    def params(self) -> dict[str, Any]:
        """Of the request."""
        return {"scope": "quiet"}

    def begin(self) -> None:
        """Subscribed."""
        self.begun += 1

    def hear(self, kind: str, data: Any, time_ms: int) -> None:
        """Nothing."""

    def fail(self, error: ClientError) -> None:
        """It ended."""
        self.error = error


def test_pings_that_waited_while_the_machine_slept_do_not_end_the_feeds() -> None:
    async def handle(request: web.Request, socket: web.WebSocketResponse, count: int) -> None:
        if count > 1:
            await answer(socket)
            return
        for _ in range(PINGS):
            await socket.ping()
        assert request.transport is not None
        request.transport.abort()

    async def client(socket: Socket) -> None:
        feed = Quiet()
        await socket.add(feed)  # now, or with the next connection
        while feed.begun == 0:
            await asyncio.sleep(0.01)
        assert await socket.ping() == 7
        assert socket.reconnects == 1
        assert feed.error is None

    assert asyncio.run(against(handle, client)) == 2


def test_a_reader_that_fails_says_so_to_every_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handle(request: web.Request, socket: web.WebSocketResponse, count: int) -> None:
        await answer(socket)

    async def client(socket: Socket) -> None:
        feed = Quiet()
        await socket.add(feed)

        async def fault() -> None:
            raise RuntimeError("a fault of its own")

        monkeypatch.setattr(socket, "_read", fault)
        await socket.break_off()
        while feed.error is None:
            await asyncio.sleep(0.01)
        told.append(str(feed.error))

    told: list[str] = []
    with pytest.raises(RuntimeError, match="a fault of its own"):  # and whoever closes it is told
        asyncio.run(against(handle, client))
    assert told == ["frames are read no more: RuntimeError: a fault of its own"]
