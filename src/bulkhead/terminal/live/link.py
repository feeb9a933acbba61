"""The connection to the exchange, as it really is: asked once a second, and never believed without an answer."""

from __future__ import annotations

import asyncio
import time
from enum import Enum

from bulkhead.client import ClientError, Exchange, Feeds, OtherExchange, RateLimited
from bulkhead.terminal.live.topic import Topic, now_ms

ASK_S = 1.0
STALE_S = 2.0  # without an answer for so long, what is shown may be old
AGAIN_S = 1.0
CLOCK_MS = 1_000


class LinkState(Enum):
    """How the exchange answers."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"  # there is a connection, and no answer on it
    DOWN = "down"
    OTHER = "other"  # whoever answers is not the exchange that is known: nothing is signed for it


class Link(Topic):
    """One connection for every feed of the session. `since_ms` is when its state began, `heard_ms` the last answer."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.state = LinkState.CONNECTING
        self.since_ms = now_ms()
        self.heard_ms = 0
        self.delay_ms = 0.0  # of the last answer
        self.clock_ms = 0  # the exchange's clock in it
        self.problem = ""
        self.other: OtherExchange | None = None  # what is wrong with whoever answers
        self.error: ClientError | None = None  # why there is no connection; None while there is one
        self.feeds: Feeds | None = None
        self._exchange = exchange
        self._ready = asyncio.Event()

    @property
    def is_live(self) -> bool:
        """What is shown is what is so now."""
        return self.state is LinkState.LIVE

    @property
    def why(self) -> str:
        """What becomes of an order that is sent now; empty while all is well."""
        if self.other is not None:
            return "Another exchange answers: nothing is sent to it."
        said = "The exchange gives no answer: an order is sent, and looked up until its fate is known."
        return "" if self.is_live else said

    @property
    def ahead_ms(self) -> int:
        """By how much the exchange's clock is ahead of this machine's; 0 before the first answer, and within a second,
        which is what an answer's way and two good clocks come to."""
        ahead = self.clock_ms - self.heard_ms if self.clock_ms else 0
        return ahead if abs(ahead) >= CLOCK_MS else 0

    @property
    def exchange_ms(self) -> int:
        """The exchange's clock now, as far as it is known."""
        return now_ms() + self.ahead_ms

    async def ready(self) -> Feeds:
        """Wait for the first connection."""
        await self._ready.wait()
        assert self.feeds is not None, "made before the event is set"
        return self.feeds

    async def run(self) -> None:
        """Connect, and ask for ever."""
        while self.feeds is None:
            try:
                self.feeds = await self._exchange.feeds()
            except ClientError as error:
                self.error = error
                self._become(LinkState.DOWN, str(error))
                await asyncio.sleep(AGAIN_S)
        self._ready.set()
        while True:
            await self._ask(self.feeds)
            await asyncio.sleep(ASK_S if self.state in (LinkState.LIVE, LinkState.OTHER) else AGAIN_S / 4)

    async def _ask(self, feeds: Feeds) -> None:
        if not feeds.socket.is_connected:
            self.error = feeds.socket.error
            self._become(LinkState.DOWN, self.problem or "the connection broke")
            return
        asking = asyncio.ensure_future(self._answer(feeds))
        try:
            done, _ = await asyncio.wait([asking], timeout=STALE_S)
            if not done:
                self._become(LinkState.STALE, "no answer")
            await asking
        except OtherExchange as error:
            self.other = error
            self._become(LinkState.OTHER, str(error))
        except ClientError as error:
            self._become(LinkState.DOWN, str(error))
        else:
            self._become(LinkState.LIVE, "")
        finally:
            asking.cancel()

    async def _answer(self, feeds: Feeds) -> None:
        """Ask for its clock, and hold whoever answers to the exchange that is known: here, so that no order waits."""
        begun = time.perf_counter()
        self.clock_ms = await feeds.socket.ping()
        self.delay_ms, self.heard_ms, self.problem = 1000 * (time.perf_counter() - begun), now_ms(), ""
        self.error = None
        try:
            await self._exchange.domain(anew=True)
        except RateLimited:
            if self.other is not None:
                raise self.other from None  # as it was found before
        self.other = None

    def _become(self, state: LinkState, problem: str) -> None:
        is_new = state is not self.state
        self.state, self.problem = state, problem
        if is_new:
            self.since_ms = now_ms()
        self.tell()
