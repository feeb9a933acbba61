"""A connection's outbound side: a queue of bounded size, and a task that empties it. Who does not read is dropped.

Nothing that publishes ever waits for a reader. When a reader is so far behind that its queue is full, the queue is
thrown away and the connection closed with a code of its own: the client connects again and gets a snapshot.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, NamedTuple

from starlette.websockets import WebSocket, WebSocketDisconnect

FRAME_BYTES = 100  # what a frame costs beside its text
PATIENCE_S = 5.0  # for a close frame to be written


class Closing(NamedTuple):
    """Why the node ends a connection: a code that clients can tell apart, and words for people."""

    code: int
    reason: str


SLOW = Closing(4008, "slow reader: too much was waiting; connect again for a snapshot")
NO_KEY = Closing(4001, "the API key was revoked, or its time is up")
TALKATIVE = Closing(4009, "nothing is to be sent on this socket")
TOO_FAST = Closing(4029, "too many requests")
FAILED = Closing(4011, "the stream failed, and it has been logged; connect again for a snapshot")
BAD_FRAME = Closing(1003, "text is expected")


class Seat:
    """One connection. `offer` never waits."""

    def __init__(self, socket: WebSocket, queue_bytes: int) -> None:
        self.socket = socket
        self._queue_bytes = queue_bytes
        self.closing: Closing | None = None
        self.waiting_bytes = 0
        self._queue: deque[str] = deque()
        self._wake = asyncio.Event()
        self._ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def offer(self, text: str) -> None:
        """Send this after everything before it; or mark the connection as too slow."""
        if self.closing is not None:
            return
        self._queue.append(text)
        self.waiting_bytes += len(text) + FRAME_BYTES
        if self.waiting_bytes > self._queue_bytes:
            self.close(SLOW)
        else:
            self._wake.set()

    def close(self, closing: Closing) -> None:
        """End the connection; what still waits is forgotten."""
        if self.closing is None:
            self.closing = closing
            self._queue.clear()
            self.waiting_bytes = 0
            if not self._ended.done():
                self._ended.set_result(None)

    async def write(self) -> None:
        """Empty the queue, for ever. Raises WebSocketDisconnect when the connection is gone."""
        queue, send = self._queue, self.socket.send_text
        while True:
            await self._wake.wait()
            self._wake.clear()
            while queue:
                text = queue.popleft()
                self.waiting_bytes -= len(text) + FRAME_BYTES
                await send(text)

    async def run(self, read: Coroutine[Any, Any, None]) -> None:
        """Write while `read` reads; ends when either does, or when the connection is told to close."""
        tasks = [asyncio.create_task(read), asyncio.create_task(self.write())]
        try:
            await asyncio.wait([*tasks, self._ended], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()  # a send may be stuck
            results = await asyncio.gather(*tasks, return_exceptions=True)
        if self.closing is not None:
            with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):  # it has gone by itself
                async with asyncio.timeout(PATIENCE_S):
                    await self.socket.close(*self.closing)
        for result in results:
            if isinstance(result, Exception) and not isinstance(result, WebSocketDisconnect):
                raise result
