"""The server's side of a WebSocket: uvicorn's, but a connection that is to end does end, whether or not it reads.

uvicorn waits for a stalled reader before it closes, and closes only what it could still write. Somebody who stops
reading and keeps his connection open would hold its buffers for as long as he likes.
"""

from __future__ import annotations

from asyncio import TimerHandle
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from bulkhead.node.settings import StreamSettings

MESSAGE_BYTES = 65_536
LINGER_S = 5.0  # from the end of a connection until what it has not read is thrown away


class StreamProtocol(WebSocketsSansIOProtocol):
    """Ends are final: after LINGER_S the connection is cut off."""

    _cut: TimerHandle | None = None

    async def send(self, message: Any) -> None:
        """As the application asks; a close does not wait behind what the reader has not taken."""
        if message["type"] != "websocket.close":
            await super().send(message)
            return
        self.writable.set()  # nothing is sent after this, so the buffer grows no more
        self._end()
        await super().send(message)

    def handle_close(self, event: Any) -> None:
        """The peer closes."""
        super().handle_close(event)
        self._end()

    def keepalive_timeout(self) -> None:
        """The peer is silent: half of the connection is gone."""
        super().keepalive_timeout()
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        if self._cut is not None:
            self._cut.cancel()
        super().connection_lost(exc)

    def _end(self) -> None:
        if self._cut is None:
            self._cut = self.loop.call_later(LINGER_S, self.transport.abort)


def server_options(settings: StreamSettings) -> dict[str, Any]:
    """What `uvicorn.Config` is to be told. Frames are not compressed: that costs 300 kB for each idle connection."""
    return {
        "ws": StreamProtocol,
        "ws_ping_interval": settings.ping_s,
        "ws_ping_timeout": settings.pong_s,
        "ws_max_size": MESSAGE_BYTES,
        "ws_per_message_deflate": False,
    }
