"""Letting connections in: how many, how fast, with which key; and ending those whose key is no longer good."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.websockets import WebSocket

from bulkhead.api import errors
from bulkhead.api.errors import ApiError
from bulkhead.api.limits import Limiter
from bulkhead.api.streams.seat import NO_KEY, Seat
from bulkhead.node.app import Node
from bulkhead.node.directory import READ, ApiKey

KEY_HEADER = "x-api-key"
LOOK_S = 10.0  # between two looks at the keys of open connections


class Doorman:
    """Counts connections, limits requests, checks keys."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._limiter = Limiter(node.settings.limits.requests_per_minute, node.settings.limits.burst)
        self._by_address: Counter[str] = Counter()
        self._keyed: dict[Seat, ApiKey] = {}
        self._is_looking = False

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._by_address.total()

    @contextmanager
    def admit(self, socket: WebSocket) -> Iterator[None]:
        """Count a connection while it is open. Raises ApiError where there are too many, or too many at once."""
        address = address_of(socket)
        if not self.may(socket):
            raise ApiError(429, errors.APPLICATION, "too many connections at once", headers={"Retry-After": "1"})
        limits = self._node.settings.streams
        if self._by_address[address] >= limits.connections_of_address or self.connections >= limits.connections:
            raise ApiError(503, errors.APPLICATION, "too many connections are open", headers={"Retry-After": "10"})
        self._by_address[address] += 1
        try:
            yield
        finally:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def seat(self, socket: WebSocket) -> Seat:
        """The outbound side of a connection that is open."""
        return Seat(socket, self._node.settings.streams.queue_bytes)

    def may(self, socket: WebSocket) -> bool:
        """Whether this address may ask for one thing more."""
        return self._limiter.ask(address_of(socket), time.monotonic()).is_allowed

    def key(self, socket: WebSocket, text: str | None) -> ApiKey:
        """The key that is shown for an account. Raises ApiError."""
        if text is None:
            raise ApiError(401, errors.NO_ACCOUNT, "this stream needs an X-Api-Key")
        key = self._node.directory.key(text, int(self._node.clock_ms()))
        if key is None:
            raise ApiError(401, errors.NO_ACCOUNT, "this API key is unknown, revoked or expired")
        if not key.allows(address_of(socket)):
            raise ApiError(403, errors.NO_ACCOUNT, "this API key may not be used from this address")
        if READ not in key.scopes:
            raise ApiError(403, errors.NOT_ALLOWED, f"this API key lacks the scope {READ!r}")
        return key

    def watch(self, seat: Seat, key: ApiKey) -> None:
        """End a connection when its key is revoked or expires."""
        self._keyed[seat] = key
        if not self._is_looking:
            self._is_looking = True
            asyncio.get_running_loop().call_later(LOOK_S, self._look)

    def release(self, seat: Seat) -> None:
        """The connection has ended by itself."""
        self._keyed.pop(seat, None)

    def _look(self) -> None:
        now_ms = int(self._node.clock_ms())
        for seat, key in list(self._keyed.items()):
            is_good = key in self._node.directory.keys_of(key.account_id)
            if not is_good or (key.expires_ms and key.expires_ms <= now_ms):
                seat.close(NO_KEY)
                del self._keyed[seat]
        self._is_looking = bool(self._keyed)
        if self._is_looking:
            asyncio.get_running_loop().call_later(LOOK_S, self._look)


def address_of(socket: WebSocket) -> str:
    """Where a connection comes from."""
    return socket.client.host if socket.client is not None else "unknown"
