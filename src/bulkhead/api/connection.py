"""The server's side of an HTTP connection: uvicorn's, but with bounds on what comes before a request.

uvicorn's parser keeps whatever it is sent until a head is complete, and waits for it as long as it takes: one client
could fill the memory with a header that never ends, and a few thousand could hold every socket by saying nothing.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from collections import Counter
from collections.abc import Collection
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bulkhead.api import errors
from bulkhead.api.call import CLOSE, refused
from bulkhead.api.errors import ApiError
from bulkhead.node.settings import Settings

HEAD_BYTES = 32_768  # request line and headers
HEAD_S = 20.0  # from the connection, or from the first byte of a later request, until its head is complete
LINGER_S = 2.0  # what is still being sent to somebody who is refused is read for so long: a reset would lose the answer
BODYLESS = {"content-type": "application/json", **CLOSE}


def refusal(status: int, message: str, code: int = errors.PARAMETERS) -> bytes:
    """A whole answer, for a request that no router has seen; the connection ends with it."""
    response = refused(ApiError(status, code, message))
    head = {"content-length": str(len(response.body)), **BODYLESS}
    lines = [f"HTTP/1.1 {status} Refused", *(f"{name}: {value}" for name, value in head.items()), "", ""]
    return "\r\n".join(lines).encode() + bytes(response.body)


class Connection(HttpToolsProtocol):
    """Refuses heads that are too long, or too slow in coming, and more sockets than one address may have."""

    # Of all connections of one server: see `connection_type`.
    by_address: Counter[str]
    of_address_max: int
    proxies: Collection[str]

    _head_bytes = 0  # of a head that is not complete; at least that it has begun
    _is_in_head = True
    _has_begun = False  # in the piece that is being parsed
    _is_refused = False
    _late: TimerHandle | None = None
    _address: str | None = None  # while it is counted

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Somebody connects."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self.by_address[self._address] += 1
        self._late = self.loop.call_later(HEAD_S, self._is_late)
        if self.by_address[self._address] > self.of_address_max and self._address not in self.proxies:
            self._refuse(429, f"one address may have {self.of_address_max} connections", errors.APPLICATION)

    def connection_lost(self, exc: Exception | None) -> None:
        """He is gone."""
        self._leave()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """He goes on as a stream, which is counted elsewhere."""
        self._leave()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """What has come is parsed; what is left of a head that is not complete is counted and timed."""
        if self._is_refused:
            return
        self._has_begun = False
        super().data_received(data)
        if self._is_refused:
            return
        if not self._is_in_head:
            self._in_time()
            return
        # Of a piece in which it began, nobody knows what was the request before it.
        self._head_bytes += 1 if self._has_begun else len(data)
        if self._head_bytes > HEAD_BYTES:
            self._refuse(431, f"a request's head has at most {HEAD_BYTES} bytes")
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_S, self._is_late)

    def on_message_begin(self) -> None:
        """A request begins."""
        self._is_in_head, self._has_begun, self._head_bytes = True, True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there. One piece may bring more than the bound, which is then refused like any request."""
        self._is_in_head = False
        length = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if length > HEAD_BYTES:
            self.app = _too_long
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets an envelope as well."""
        self._refuse(400, "this is no HTTP request")

    def _refuse(self, status: int, message: str, code: int = errors.PARAMETERS) -> None:
        if self._is_refused:
            return
        self._is_refused = True
        self._in_time()
        self.transport.write(refusal(status, message, code))
        is_answering = self.cycle is not None and not self.cycle.response_complete  # the request before this one
        if self.transport.can_write_eof() and not is_answering:
            self.transport.write_eof()
            self._late = self.loop.call_later(LINGER_S, self.transport.abort)
        else:
            self.transport.close()

    def _is_late(self) -> None:
        """Nobody waits for an answer who has not asked, but a half-sent request is told."""
        self._late = None
        if self._head_bytes:
            self._refuse(408, "the request's head took too long")
        else:
            self.transport.close()

    def _leave(self) -> None:
        self._in_time()
        if self._address is None:
            return
        self.by_address[self._address] -= 1
        if not self.by_address[self._address]:
            del self.by_address[self._address]
        self._address = None

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


async def _too_long(scope: Any, receive: Any, send: Any) -> None:
    error = ApiError(431, errors.PARAMETERS, f"a request's head has at most {HEAD_BYTES} bytes", headers=CLOSE)
    await refused(error)(scope, receive, send)


def connection_type(settings: Settings) -> type[Connection]:
    """Connections of one server, which count together."""
    shared = {
        "by_address": Counter[str](),
        "of_address_max": settings.limits.connections_of_address,
        "proxies": frozenset(settings.http.trusted_proxies),
    }
    return type("ServerConnection", (Connection,), shared)
