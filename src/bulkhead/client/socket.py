"""One connection to the RPC socket that is made again whenever it breaks, with every subscription on it.

Frames are counted by the exchange. A frame that is missing, or a new connection, begins every subscription anew: its
first frames then say what is so now, and each feed repairs what it has missed.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import aiohttp
import msgspec

from bulkhead.client.errors import ClientError, Refused, Unreachable, Unreadable
from bulkhead.client.transport import unreached

PATIENCE_S = 20.0  # a network that takes five seconds each way is slow, and not broken
HEARTBEAT_S = 30.0  # the library hangs up where half of it passes without an answer
PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 10.0
FRAME_MAX_BYTES = 64 << 20  # as of an answer
_REFUSALS = (-32601, -32602, -32001)  # will not be otherwise the next time


class Feed(Protocol):
    """A subscription. `hear` and `begin` may not wait, and may not raise."""

    name: str

    def params(self) -> dict[str, Any]:
        """Of the request."""

    def begin(self) -> None:
        """It was (again) subscribed: frames from here on are of a new beginning."""

    def hear(self, kind: str, data: Any, time_ms: int) -> None:
        """One frame."""

    def fail(self, error: ClientError) -> None:
        """There will be no more frames."""


class Socket:
    """Runs from `open` to `close`. `reconnects` and `gaps` say how often it had to begin again."""

    def __init__(self, session: Callable[[], aiohttp.ClientSession], url: str) -> None:
        self.reconnects = 0
        self.gaps = 0
        self.error: ClientError | None = None  # why the last attempt to connect again failed
        self._session = session
        self._url = url
        self._feeds: dict[str, Feed] = {}
        self._asked: dict[str, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._connection: aiohttp.ClientWebSocketResponse | None = None
        self._next: int | None = None  # number of the frame that is due; None: whatever comes
        self._task: asyncio.Task[None] | None = None
        self._repairs: set[asyncio.Task[None]] = set()
        self._is_closing = False

    async def open(self) -> None:
        """Connect. Raises Unreachable when the exchange cannot be reached now."""
        await self._connect()
        self._task = asyncio.create_task(self._run(), name="bulkhead feeds")

    async def close(self) -> None:
        """End every feed."""
        self._is_closing = True
        for task in (self._task, *self._repairs):
            if task is not None:
                task.cancel()
        if self._connection is not None:
            await self._connection.close()
        for feed in list(self._feeds.values()):
            feed.fail(ClientError("the connection was closed"))
        if self._task is not None:
            with suppress(asyncio.CancelledError):
                await self._task  # raises what ended it, if that was a fault of ours

    async def add(self, feed: Feed) -> None:
        """Subscribe. Raises Refused or Unreadable; a connection that breaks meanwhile is made again, this with it."""
        self._feeds[feed.name] = feed
        try:
            await self._subscribe(feed)
        except Unreachable:
            return  # subscribed with all others when the connection is there again
        except ClientError:
            del self._feeds[feed.name]
            raise

    async def remove(self, feed: Feed) -> None:
        """Unsubscribe."""
        if self._feeds.pop(feed.name, None) is not None:
            with suppress(ClientError):  # a connection that broke has no subscriptions
                await self._ask("unsubscribe", feed.params())

    @property
    def is_connected(self) -> bool:
        """There is a connection, as far as this machine knows: `ping` finds out."""
        return self._connection is not None and not self._connection.closed

    async def ping(self) -> int:
        """The exchange's clock in milliseconds. Raises Unreachable, which also ends the connection: it is made anew."""
        answer = await self._ask("ping", {})
        try:
            return int(answer["time"])
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise Unreadable(f"ping: {str(answer)[:200]}") from error

    async def break_off(self) -> None:
        """Drop the connection, as a network does; for tests of what then happens."""
        if self._connection is not None:
            await self._connection.close()

    # -- connection --------------------------------------------------------------------------------------------------

    async def _connect(self) -> None:
        try:
            self._connection = await self._session().ws_connect(
                self._url, heartbeat=HEARTBEAT_S, max_msg_size=FRAME_MAX_BYTES, compress=0
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise unreached(self._url, error) from error
        self._next = None

    async def _run(self) -> None:
        try:
            await self._keep()
        except Exception as error:  # a fault of ours: nobody may wait for frames that nobody reads
            for feed in list(self._feeds.values()):
                feed.fail(ClientError(f"frames are read no more: {type(error).__name__}: {error}"))
            raise

    async def _keep(self) -> None:
        pause_s = PAUSE_MIN_S
        while not self._is_closing:
            connection = self._connection
            if connection is None or connection.closed:
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))
                pause_s = min(PAUSE_MAX_S, 2 * pause_s)
                try:
                    await self._connect()
                except Unreachable as error:
                    self.error = error
                    continue
                self.error = None
                self.reconnects += 1
                self._again()
            if await self._read():
                pause_s = PAUSE_MIN_S  # whoever takes a connection and says nothing on it is not called without end

    async def _read(self) -> bool:
        """Hear until the connection breaks; whether anything was said that could be read."""
        assert self._connection is not None, "connected just now"
        is_heard = False
        # A ping that was waiting here while this machine slept is answered on a connection that is gone by then, which
        # the library raises where it reads.
        with suppress(aiohttp.ClientError, OSError):
            async for message in self._connection:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                is_heard = self._heard(message.data) or is_heard
        await self._connection.close()
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(Unreachable("the connection broke"))
        self._asked.clear()
        return is_heard

    def _heard(self, text: str) -> bool:
        try:
            self._frame(msgspec.json.decode(text))
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            for feed in self._feeds.values():
                feed.fail(Unreadable(f"{type(error).__name__}: {error}: {text[:200]}"))
            return False
        return True

    def _frame(self, frame: dict[str, Any]) -> None:
        number = frame.get("id")
        if number is not None:
            waiting = self._asked.pop(str(number), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(frame)
            return
        due, self._next = self._next, frame["seq"] + 1
        if due is not None and frame["seq"] != due:
            self.gaps += 1
            for each in self._feeds.values():
                each.begin()
            self._again()
        feed = self._feeds.get(frame["subscription"])
        if feed is not None:
            feed.hear(frame["type"], frame["data"], frame["ts"])

    # -- requests ----------------------------------------------------------------------------------------------------

    def _again(self) -> None:
        """Begin every subscription anew, beside the reading of frames."""
        repair = asyncio.create_task(self._subscribe_all())
        self._repairs.add(repair)
        repair.add_done_callback(self._repairs.discard)

    async def _subscribe_all(self) -> None:
        for feed in list(self._feeds.values()):
            try:
                await self._subscribe(feed)
            except Unreachable:
                return  # the next connection does it
            except ClientError as error:
                if self._feeds.pop(feed.name, None) is not None:
                    feed.fail(error)

    async def _subscribe(self, feed: Feed) -> None:
        await self._ask("subscribe", feed.params(), feed.begin)

    async def _ask(self, method: str, params: dict[str, Any], begin: Callable[[], None] | None = None) -> Any:
        connection, number = self._connection, str(next(self._numbers))
        if connection is None or connection.closed:
            raise Unreachable("there is no connection just now")
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if begin is not None:
            # The frames of a new beginning follow the answer at once: they may not be heard before `begin`.
            answer = _Beginning(begin)
        self._asked[number] = answer
        try:
            await connection.send_str(
                msgspec.json.encode({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).decode()
            )
            frame = await asyncio.wait_for(answer, PATIENCE_S)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._asked.pop(number, None)
            await connection.close()
            raise Unreachable(f"{method}: no answer") from error
        return _result(frame)


class _Beginning(asyncio.Future[Any]):
    """An answer that says at once, to whoever it concerns, that it is here."""

    def __init__(self, begin: Callable[[], None]) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._begin = begin

    def set_result(self, result: Any) -> None:
        """The answer has come."""
        if "error" not in result:
            self._begin()
        super().set_result(result)


def _result(frame: dict[str, Any]) -> Any:
    try:
        problem = frame.get("error")
        if problem is None:
            return frame["result"]
        code, message = int(problem["code"]), str(problem["message"])
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise Unreadable(f"{type(error).__name__}: {error}: {str(frame)[:200]}") from error
    if code in _REFUSALS:
        raise Refused(401 if code == -32001 else 400, code, message)
    raise Unreadable(f"{message} ({code})")
