"""Where streams are: a path for each topic, below the prefix that client libraries are told, and the RPC socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from bulkhead.api import errors
from bulkhead.api.call import Api, refused
from bulkhead.api.errors import ApiError, bad
from bulkhead.api.streams.connect import KEY_HEADER, Doorman
from bulkhead.api.streams.hub import Hub
from bulkhead.api.streams.markets import KINDS
from bulkhead.api.streams.rpc import Session
from bulkhead.api.streams.seat import TALKATIVE, Seat
from bulkhead.api.streams.topic import PathListener, Topic
from bulkhead.node.directory import ApiKey
from bulkhead.node.store.candles import INDICES, MARKS, TRADES
from bulkhead.node.store.keeper import Unavailable

log = structlog.get_logger("bulkhead.streams")

PREFIX = "/stream.extended.exchange/v1"
RPC_PATH = "/stream.extended.exchange/v2/rpc"
MESSAGES_MAX = 100  # that a client may send where nothing is to be sent


class Asked(NamedTuple):
    """What a connection is for, and the key that it showed where one was needed."""

    topics: list[Topic]
    key: ApiKey | None = None


Find = Callable[["Streams", WebSocket], Asked]


class Streams:
    """The streams of one node."""

    def __init__(self, api: Api) -> None:
        self.hub = Hub(api)
        self.doorman = Doorman(api.node)

    def route(self, path: str, find: Find) -> WebSocketRoute:
        """A path for a topic."""

        async def serve(socket: WebSocket) -> None:
            await self._serve(socket, lambda: self._topic(socket, find(self, socket)))

        return WebSocketRoute(PREFIX + path, serve)

    async def rpc(self, socket: WebSocket) -> None:
        """The socket for everything."""
        await self._serve(socket, lambda: self._session(socket))

    async def _serve(self, socket: WebSocket, work: Callable[[], Awaitable[None]]) -> None:
        """Let a connection in and run it. What is refused before it is open is answered as HTTP."""
        try:
            with self.doorman.admit(socket):
                await work()
        except ApiError as error:
            await socket.send_denial_response(refused(error))
        except Unavailable as error:  # before it was open: what a newcomer is told first is in the database
            await socket.send_denial_response(refused(ApiError(503, errors.MAINTENANCE, str(error))))
        except WebSocketDisconnect:
            return  # it went away before it was open

    async def _topic(self, socket: WebSocket, asked: Asked) -> None:
        for topic in asked.topics:
            await topic.prepare()
        await socket.accept()
        seat = self.doorman.seat(socket)
        listener = PathListener(seat)
        try:
            for topic in asked.topics:
                topic.join(listener)
            if asked.key is not None:
                self.doorman.watch(seat, asked.key)
            await seat.run(_silence(seat))
        finally:
            for topic in asked.topics:
                topic.leave(listener)
            self.hub.forget(asked.topics)
            self.doorman.release(seat)

    async def _session(self, socket: WebSocket) -> None:
        await socket.accept()
        seat = self.doorman.seat(socket)
        session = Session(self.hub, self.doorman, seat)
        try:
            await seat.run(session.read())
        finally:
            session.end()
            self.doorman.release(seat)


async def _silence(seat: Seat) -> None:
    """Read until the connection ends. A few messages are passed over, for clients that ping in words of their own."""
    for _ in range(MESSAGES_MAX):
        message = await seat.socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
    seat.close(TALKATIVE)


# -- topics of paths -----------------------------------------------------------------------------------------------


def _ids(streams: Streams, socket: WebSocket) -> list[int]:
    """The market that the path names; without a name all of them."""
    api, name = streams.hub.api, socket.path_params.get("market")
    wires = api.markets.all if name is None else [api.market(str(name))]
    return [int(wire.terms.market_id) for wire in wires]


def _books(streams: Streams, socket: WebSocket) -> Asked:
    depth = socket.query_params.get("depth", "")
    if depth not in ("", "1", "full"):
        raise bad("depth must be 1, or left out for the whole book")
    books = [streams.hub.books[market_id] for market_id in _ids(streams, socket)]
    return Asked([book.best for book in books] if depth == "1" else list(books))


def _trades(streams: Streams, socket: WebSocket) -> Asked:
    return Asked([streams.hub.trades[market_id] for market_id in _ids(streams, socket)])


def _funding(streams: Streams, socket: WebSocket) -> Asked:
    return Asked([streams.hub.funding[market_id] for market_id in _ids(streams, socket)])


def _prices(streams: Streams, socket: WebSocket) -> Asked:
    kind = str(socket.path_params["kind"])
    if kind not in KINDS:
        raise ApiError(404, errors.PARAMETERS, f"prices are of {' or '.join(KINDS)}")
    return Asked([streams.hub.prices[kind, market_id] for market_id in _ids(streams, socket)])


def _candles(streams: Streams, socket: WebSocket) -> Asked:
    kind = str(socket.path_params["kind"])
    if kind not in (TRADES, MARKS, INDICES):
        raise ApiError(404, errors.PARAMETERS, f"candles are of {TRADES}, {MARKS} or {INDICES}")
    interval = socket.query_params.get("interval", "")
    [market_id] = _ids(streams, socket)
    return Asked([streams.hub.candles(market_id, kind, interval)])


def _account(streams: Streams, socket: WebSocket) -> Asked:
    key = streams.doorman.key(socket, socket.headers.get(KEY_HEADER))
    if key.account_id not in streams.hub.api.state.accounts:
        raise ApiError(404, errors.ACCOUNT_NOT_FOUND, f"there is no account {key.account_id}")
    return Asked([streams.hub.account(key.account_id)], key)


PATHS: dict[str, Find] = {
    "/orderbooks": _books,
    "/orderbooks/{market}": _books,
    "/publicTrades": _trades,
    "/publicTrades/{market}": _trades,
    "/funding": _funding,
    "/funding/{market}": _funding,
    "/candles/{market}/{kind}": _candles,
    "/prices/{kind}": _prices,
    "/prices/{kind}/{market}": _prices,
    "/account": _account,
}


def stream_routes(api: Api) -> list[BaseRoute]:
    """Routes of every stream of a node."""
    streams = Streams(api)
    return [
        *(streams.route(path, find) for path, find in PATHS.items()),
        WebSocketRoute(RPC_PATH, streams.rpc),
    ]
