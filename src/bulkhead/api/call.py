"""One request on its way: who asks, what is asked, and how it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bulkhead.api import errors
from bulkhead.api.ends import Ends
from bulkhead.api.errors import ApiError, bad
from bulkhead.api.moments import Moments
from bulkhead.api.numbers import Markets, Wire
from bulkhead.client.clock import UNTIL_HEADER
from bulkhead.engine.sequencer import Sequencer
from bulkhead.ledger.state import Account, State
from bulkhead.node.app import Node
from bulkhead.node.directory import READ, ApiKey
from bulkhead.node.writer import Make
from bulkhead.reject import Reject
from bulkhead.units import AccountId

JSON = "application/json"
BODY_TIMEOUT_S = 15.0
DISCARDED_MAX = 32 << 20  # bytes of a body that is refused
CLOSE = {"Connection": "close"}
ID_LIMIT = 1 << 63
LIST_MAX = 1_000

Body = TypeVar("Body")
_encode = msgspec.json.Encoder().encode
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


class Api:
    """What every request shares."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.markets = Markets(node.exchange.state.config)
        self.moments = Moments()
        self.ends = Ends()
        self.levels: dict[int, tuple[float, dict[str, list[dict[str, Any]]]]] = {}  # the same of deleveraging
        self.days: dict[int, tuple[float, dict[str, str]]] = {}  # by market: when they were put together, statistics

    @property
    def state(self) -> State:
        """The ledger's state, to be read only."""
        return self.node.exchange.state

    @property
    def sequencer(self) -> Sequencer:
        """The engine, to be asked only."""
        return self.node.exchange.machine.venue.sequencer

    def market(self, name: str) -> Wire:
        """A market by its name on the wire."""
        found = self.markets.by_name.get(name)
        if found is None:
            raise ApiError(404, errors.MARKET_NOT_FOUND, f"there is no market {name[:40]!r}")
        return found


class Page(NamedTuple):
    """A part of a list, newest first."""

    rows: list[Any]
    cursor: int | None  # to be given for the next part; None: this was the last


class Call:
    """A request with its key's account. Handlers take one and return data, a Page, or a Response."""

    __slots__ = ("api", "key", "request")

    def __init__(self, api: Api, request: Request, key: ApiKey | None) -> None:
        self.api = api
        self.request = request
        self.key = key

    # -- who ---------------------------------------------------------------------------------------------------------

    @property
    def account_id(self) -> AccountId:
        """The account that the key selects."""
        assert self.key is not None, "the route asks for a key"
        return AccountId(self.key.account_id)

    @property
    def account(self) -> Account:
        """That account in the ledger."""
        found = self.api.state.accounts.get(self.account_id)
        if found is None:
            raise ApiError(404, errors.ACCOUNT_NOT_FOUND, f"there is no account {self.account_id}")
        return found

    # -- what --------------------------------------------------------------------------------------------------------

    async def body(self, kind: type[Body]) -> Body:
        """The JSON body, checked against its schema."""
        data = await self.octets()
        decoder = _decoders.get(kind)
        if decoder is None:
            decoder = _decoders[kind] = msgspec.json.Decoder(kind)
        try:
            return decoder.decode(data)  # type: ignore[no-any-return]
        except msgspec.MsgspecError as error:
            raise bad(f"body: {error}") from error
        except (RecursionError, UnicodeDecodeError, ValueError) as error:
            raise bad(f"body: {type(error).__name__}") from error

    async def octets(self) -> bytes:
        """The body's bytes, no more and no longer than is allowed.

        What is too large is read on for a while and thrown away: whoever is still sending would not see the answer.
        """
        limit = self.api.node.settings.limits.body_bytes
        length = self.request.headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or len(length) > 18:
            raise bad("content-length is not a number")
        parts: list[bytes] = []
        total = 0
        try:
            async with asyncio.timeout(BODY_TIMEOUT_S):
                async for part in self.request.stream():
                    total += len(part)
                    if total <= limit:
                        parts.append(part)
                    elif total > DISCARDED_MAX:
                        break
        except TimeoutError as error:
            raise ApiError(408, errors.PARAMETERS, "the body took too long", headers=CLOSE) from error
        except ClientDisconnect as error:
            raise bad("the client went away") from error
        if total > limit:
            raise ApiError(413, errors.PARAMETERS, f"a body has at most {limit} bytes", headers=CLOSE)
        self.check_in_time()
        return b"".join(parts)

    def check_in_time(self) -> None:
        """Raises ApiError for what arrives later than its sender wants it, at its first byte or its last."""
        text = self.request.headers.get(UNTIL_HEADER)
        if text is not None:
            until_ms, now_ms = whole(text, UNTIL_HEADER), int(self.api.node.clock_ms())
            if until_ms < now_ms:
                raise errors.too_late(until_ms, now_ms)

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def path_id(self, name: str) -> int:
        """A part of the path that is a number."""
        return whole(self.path(name), name)

    def text(self, name: str) -> str:
        """A query parameter, empty when it is not there."""
        return self.request.query_params.get(name, "")

    def number(self, name: str, default: int) -> int:
        """A query parameter that is a whole number."""
        text = self.text(name)
        return default if text == "" else whole(text, name)

    def word(self, name: str, known: Collection[str]) -> str:
        """A query parameter that is one of a few words, in any case; empty when it is not there."""
        return self._known(name, self.text(name), known)

    def words(self, name: str, known: Collection[str]) -> list[str]:
        """The same of a parameter that may come several times."""
        found = self.request.query_params.getlist(name)
        if len(found) > LIST_MAX:
            raise bad(f"{name}: too many")
        return [self._known(name, text, known) for text in found if text]

    @staticmethod
    def _known(name: str, text: str, known: Collection[str]) -> str:
        found = text.upper()
        if found and found not in known:
            raise bad(f"{name}: {text[:40]!r} is none of {', '.join(known)}")
        return found

    def limit(self, most: int, default: int = 100) -> int:
        """How many are asked for, no more than are given at once."""
        return max(1, min(self.number("limit", default), most))

    def chosen_markets(self) -> list[Wire] | None:
        """The markets named by `market` parameters, each once; None when none is."""
        names = self.request.query_params.getlist("market")
        if len(names) > LIST_MAX:
            raise bad("too many markets")
        return [self.api.market(name) for name in dict.fromkeys(names) if name] or None

    # -- to the exchange ---------------------------------------------------------------------------------------------

    async def send(self, make: Make) -> Any:
        """Have a command journalled and handled: its events. A reject of the door is an error."""
        answer = await self.api.node.writer.send(make)
        if isinstance(answer, Reject):
            raise errors.rejected(answer)
        return answer


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True)
class Endpoint:
    """A route. `scope` empty: public. `body` and `note` are for the documentation.

    `cost` is how many requests it counts for in the rate limit.
    """

    method: str
    path: str
    handler: Handler
    scope: str = READ
    body: type | None = None
    note: str = ""
    query: tuple[str, ...] = ()
    cost: float = 1.0
    media: str = JSON  # of its answer
    is_for_calm: bool = False  # refused while the node is browned out: it makes more to do, and lessens nobody's risk
    words: Mapping[str, Collection[str]] = field(default_factory=dict)  # of query parameters that know a few alone


def whole(text: str, name: str) -> int:
    """A whole number that fits 64 bits, not negative."""
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) >= ID_LIMIT:
        raise bad(f"{name}: a whole number is expected, not {text[:40]!r}")
    return int(text)


def answered(outcome: Any) -> Response:
    """A handler's outcome in the envelope."""
    if isinstance(outcome, Response):
        return outcome
    body: dict[str, Any] = {"status": "OK"}
    if isinstance(outcome, Page):
        body["data"] = outcome.rows
        body["pagination"] = {"count": len(outcome.rows)}
        if outcome.cursor is not None:
            body["pagination"]["cursor"] = outcome.cursor
    elif outcome is not None:
        body["data"] = outcome
    return Response(_encode(body), media_type=JSON)


def refused(error: ApiError) -> Response:
    """An error in the envelope."""
    return Response(_encode(error.body()), error.status, error.headers, JSON)
