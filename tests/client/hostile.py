"""An exchange that answers as a test says: anything but the truth."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from ssl import SSLContext

from aiohttp import WSMsgType, web

from bulkhead.client import Exchange

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def server_of(answer: Answer, tls: SSLContext | None = None) -> AsyncIterator[str]:
    """The address of a server of which every answer is the test's."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def exchange_that(answer: Answer) -> AsyncIterator[Exchange]:
    """An SDK before such a server."""
    async with server_of(answer) as url, Exchange(url) as exchange:
        yield exchange


def says(text: str, status: int = 200) -> Answer:
    """One text to every question."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status, content_type="application/json")

    return answer


def talks(hear: Callable[[web.WebSocketResponse, str], Awaitable[None]]) -> Answer:
    """A socket whose every message is handed on."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await hear(socket, message.data)
        return socket

    return answer


def run(work: Callable[[], Awaitable[None]]) -> None:
    """In a loop of its own, for half a minute at most."""

    async def inside() -> None:
        await asyncio.wait_for(work(), 30)

    asyncio.run(inside())
