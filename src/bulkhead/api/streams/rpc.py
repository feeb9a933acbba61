"""The RPC socket: subscriptions by messages, many on one connection, their frames counted together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct
from starlette.websockets import WebSocketDisconnect

from bulkhead.api import errors
from bulkhead.api.errors import ApiError, bad
from bulkhead.api.streams.connect import Doorman
from bulkhead.api.streams.frame import Frame, text_of
from bulkhead.api.streams.hub import Hub
from bulkhead.api.streams.seat import BAD_FRAME, TOO_FAST, Closing, Seat
from bulkhead.api.streams.topic import Topic
from bulkhead.node.store.candles import INDICES, MARKS, TRADES
from bulkhead.node.store.keeper import Unavailable

NOT_JSON, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, INTERNAL = -32700, -32600, -32601, -32602, -32603
UNAUTHORISED = -32001
SUBSCRIPTIONS_MAX = 200
CANDLES = {"last": TRADES, "mark": MARKS, "index": INDICES}


class Selector(Struct, rename="camel", frozen=True, kw_only=True):
    """What a subscription chooses within its scope."""

    market: str | None = None
    depth: Literal["full", "1"] | None = None
    rfq_only: bool | None = None
    type: str | None = None
    interval: str | None = None
    account: str | int | None = None


class Params(Struct, rename="camel", frozen=True, kw_only=True):
    """The parameters of `subscribe` and `unsubscribe`."""

    scope: str
    selector: Selector = Selector()
    api_key: str | None = None


class Request(Struct, frozen=True, kw_only=True):
    """One message of a client."""

    method: str
    id: str | int
    params: msgspec.Raw = msgspec.Raw(b"{}")


_requests = msgspec.json.Decoder(Request)
_params = msgspec.json.Decoder(Params)


class RpcError(Exception):
    """A request that is refused, with the wire's code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Subscription:
    """Hears topics for one subscription of a session."""

    def __init__(self, session: Session, name: str, topics: list[Topic]) -> None:
        self.topics = topics
        self._session = session
        self._name = name

    def hear(self, frame: Frame) -> None:
        """Send it on, under the connection's next number."""
        self._session.seat.offer(frame.rpc(self._name, self._session.next_number()))

    def drop(self, closing: Closing) -> None:
        """End the connection, and every other subscription with it."""
        self._session.seat.close(closing)


class Session:
    """One connection and its subscriptions."""

    def __init__(self, hub: Hub, doorman: Doorman, seat: Seat) -> None:
        self.seat = seat
        self._hub = hub
        self._doorman = doorman
        self._number = -1
        self._subscriptions: dict[str, Subscription] = {}

    def next_number(self) -> int:
        """Of the frame that is sent next; the first is 0."""
        self._number += 1
        return self._number

    async def read(self) -> None:
        """Answer requests until the connection ends."""
        while True:
            message = await self.seat.socket.receive()
            if message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code", 1006))
            text = message.get("text")
            if text is None:
                self.seat.close(BAD_FRAME)
                return
            if not self._doorman.may(self.seat.socket):
                self.seat.close(TOO_FAST)
                return
            await self._answer(text)

    def end(self) -> None:
        """Leave every topic."""
        for name in list(self._subscriptions):
            self._drop(name)

    async def _answer(self, text: str) -> None:
        try:
            request = _requests.decode(text)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            is_json = isinstance(error, msgspec.ValidationError)
            self._refuse(None, INVALID_REQUEST if is_json else NOT_JSON, str(error)[:200])
            return
        try:
            await self._run(request)
        except RpcError as error:
            self._refuse(request.id, error.code, str(error))
        except ApiError as error:
            code = UNAUTHORISED if error.status in (401, 403) else INVALID_PARAMS
            self._refuse(request.id, code, error.message)
        except Unavailable as error:
            self._refuse(request.id, INTERNAL, str(error))

    async def _run(self, request: Request) -> None:
        if request.method == "ping":
            self._reply(request.id, {"time": int(self._hub.api.sequencer.time_ms)})
        elif request.method == "list-subscriptions":
            self._reply(request.id, {"subscriptions": list(self._subscriptions)})
        elif request.method == "subscribe":
            await self._subscribe(request.id, _read(request))
        elif request.method == "unsubscribe":
            name, _ = self._find(_read(request), is_ending=True)
            if name not in self._subscriptions:
                raise RpcError(INVALID_PARAMS, f"there is no subscription {name[:80]}")
            self._drop(name)
            self._reply(request.id, {"subscription": name})
        else:
            raise RpcError(NO_METHOD, f"there is no method {request.method[:40]!r}")

    async def _subscribe(self, number: str | int, params: Params) -> None:
        """Subscribe, or begin again: the answer, then what is so now, then changes."""
        name, find = self._find(params)
        if name not in self._subscriptions and len(self._subscriptions) >= SUBSCRIPTIONS_MAX:
            raise RpcError(INVALID_PARAMS, f"a connection has at most {SUBSCRIPTIONS_MAX} subscriptions")
        topics = find()
        for topic in topics:
            await topic.prepare()
        self._drop(name)
        self._reply(number, {"subscription": name})
        subscription = self._subscriptions[name] = Subscription(self, name, topics)
        for topic in topics:
            topic.join(subscription)

    def _drop(self, name: str) -> None:
        found = self._subscriptions.pop(name, None)
        if found is not None:
            for topic in found.topics:
                topic.leave(found)
            self._hub.forget(found.topics)

    # -- scopes ------------------------------------------------------------------------------------------------------

    def _find(self, params: Params, *, is_ending: bool = False) -> tuple[str, Callable[[], list[Topic]]]:
        """The name of a subscription, and how to find its topics."""
        hub, chosen = self._hub, params.selector
        ids = _ids(hub, chosen.market)
        market = chosen.market or "all"
        if params.scope == "orderbooks":
            if chosen.rfq_only:
                if chosen.depth == "1":
                    raise bad("rfqOnly goes with depth full")
                return f"orderbooks.{market}.rfq", list  # no level here is an RFQ's
            if chosen.depth == "1":
                return f"orderbooks.1.{market}", lambda: [hub.books[one].best for one in ids]
            return f"orderbooks.{market}", lambda: [hub.books[one] for one in ids]
        if params.scope == "trades":
            return f"trades.{market}", lambda: [hub.trades[one] for one in ids]
        if params.scope == "funding-rates":
            return f"funding-rates.{market}", lambda: [hub.funding[one] for one in ids]
        if params.scope == "prices":
            kind = chosen.type or ""
            if kind not in ("mark", "index"):
                raise bad("type must be mark or index")
            return f"prices.{kind}.{market}", lambda: [hub.prices[kind, one] for one in ids]
        if params.scope == "candles":
            kind, interval = chosen.type or "", chosen.interval or ""
            if kind not in CANDLES or chosen.market is None:
                raise bad(f"candles need a market, and type {', '.join(CANDLES)}")
            return f"candles.{kind}.{market}.{interval}", lambda: [hub.candles(ids[0], CANDLES[kind], interval)]
        if params.scope == "account":
            return self._account(params, is_ending)
        raise bad(f"there is no scope {params.scope[:40]!r}")

    def _account(self, params: Params, is_ending: bool) -> tuple[str, Callable[[], list[Topic]]]:
        """The account of the key. To end a subscription one needs no key."""
        named = params.selector.account
        if named is None:
            raise bad("account is missing")
        name = f"account.{named}"
        if is_ending:
            return name, list
        key = self._doorman.key(self.seat.socket, params.api_key)
        if str(named) != str(key.account_id):
            raise ApiError(403, errors.NO_ACCOUNT, f"the API key is of account {key.account_id}")
        self._doorman.watch(self.seat, key)
        return name, lambda: [self._hub.account(key.account_id)]

    # -- answers -----------------------------------------------------------------------------------------------------

    def _reply(self, number: str | int, result: dict[str, Any]) -> None:
        self.seat.offer(text_of({"jsonrpc": "2.0", "id": number, "result": result}))

    def _refuse(self, number: str | int | None, code: int, message: str) -> None:
        self.seat.offer(text_of({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}))


def _read(request: Request) -> Params:
    try:
        return _params.decode(request.params)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise RpcError(INVALID_PARAMS, str(error)[:200]) from error


def _ids(hub: Hub, market: str | None) -> list[int]:
    wires = hub.api.markets.all if market is None else [hub.api.market(market)]
    return [int(wire.terms.market_id) for wire in wires]
