"""What a click sends: once, however often it is clicked, and told truthfully until it is known what became of it."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from enum import Enum

import structlog

from bulkhead.client import ClientError, Exit, NewOrder, Order, OtherExchange, RateLimited, Refused
from bulkhead.client.clock import ExchangeClock
from bulkhead.client.errors import NoAnswer
from bulkhead.client.models import Placed
from bulkhead.terminal import words
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.live.link import Link
from bulkhead.terminal.live.topic import Topic, now_ms

KEPT = 200
SLOW_S = 1.0  # without an answer for so long, it is said that there is none yet
LOOK_S = 1.0
REPLACED = "ORDER_REPLACED"  # as it was asked to be
LOOKS = 5  # that find nothing at an exchange which does not say until when it takes what is late
log = structlog.get_logger(__name__)

Exits = tuple[Exit | None, Exit | None]
"""Take-profit and stop-loss of a position."""
Find = Callable[[], Awaitable[bool]]
"""Whether the exchange shows by now what was sent as done."""


class Stage(Enum):
    """How far something that was sent has come."""

    SENT = "sent"
    LOOKING = "no answer yet"
    DONE = "acknowledged"
    REFUSED = "rejected"
    LOST = "never arrived"
    UNKNOWN = "unknown"  # no answer, and nothing to ask after: the trader has to look


@dataclasses.dataclass
class Action:
    """One thing that was sent. `key` is the click's own: the same key is the same action."""

    key: str
    what: str
    sent_ms: int = dataclasses.field(default_factory=now_ms)
    stage: Stage = Stage.SENT
    words: words.Words | None = None
    details: str = ""
    answered_ms: float = 0.0  # how long the answer took
    order_id: int = 0
    number: int = 0
    is_order: bool = False
    is_unanswered: bool = False  # whoever sent it waits for no answer any more
    until_ms: int = 0  # it may come in until then, by the exchange's clock; 0: nothing bounds that

    @property
    def is_over(self) -> bool:
        """What became of it is known, as far as it ever will be."""
        return self.stage not in (Stage.SENT, Stage.LOOKING)

    @property
    def text(self) -> str:
        """In words."""
        said = {
            Stage.SENT: "sent",
            Stage.LOOKING: "sent, no answer yet; looking it up",
            Stage.DONE: "acknowledged",
            Stage.LOST: "it never arrived: nothing was done, and it can be sent again",
            Stage.UNKNOWN: "no answer: it may or may not have been done" + self._bound,
            Stage.REFUSED: "rejected",
        }[self.stage]
        return said if self.words is None else f"{said}. {self.words}"

    @property
    def _bound(self) -> str:
        if not self.until_ms:
            return ""
        return f", until {time.strftime('%H:%M:%S', time.gmtime(self.until_ms / 1000))} UTC by the exchange's clock"


class Actions(Topic):
    """Everything that was sent in this session, newest last; all tabs share it, so that nothing is sent twice."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.all: OrderedDict[str, Action] = OrderedDict()
        self.last: Action | None = None
        self._link = link
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Future[None]] = set()

    @staticmethod
    def new_key() -> str:
        """For a form that was filled anew."""
        return secrets.token_hex(12)

    async def place(self, key: str, account: LiveAccount, order: NewOrder, what: str) -> Action:
        """Send an order, once for each key. What comes back is final, except while the exchange gives no answer."""
        named = dataclasses.replace(order, external_id=_name(key))
        return await self._place(key, account, what, lambda: account.trader.place(named))

    async def protect(
        self, key: str, account: LiveAccount, market: str, exits: Exits, what: str, *, size: Decimal = Decimal(0),
        replaces: str = "",
    ) -> Action:  # fmt: skip
        """Protect a position, or `size` of it, once for each key, followed as an order is; `replaces` is the external
        id of protection whose place it takes."""
        profit, loss = exits
        names = {"replaces": replaces, "external_id": _name(key)}
        return await self._place(
            key, account, what,
            lambda: account.trader.protect(market, take_profit=profit, stop_loss=loss, size=size, **names),
        )  # fmt: skip

    async def _place(
        self, key: str, account: LiveAccount, what: str, place: Callable[[], Awaitable[Placed]]
    ) -> Action:
        known = self.all.get(key)
        if known is not None:
            return known
        action = self._begin(key, what)
        action.is_order = True

        async def send() -> str:
            action.order_id = (await place()).id
            return ""

        async def find() -> bool:
            found = await account.trader.orders_named(_name(key))
            if found:
                action.order_id, action.words = found[0].id, words.of_reason(found[0].status_reason)
            return bool(found)

        await self._found_or_answered(action, send, (account.trader.exchange.transport.clock, find))
        for ended in account.left:  # the stream may have told of its end before the answer came
            if ended.id == action.order_id:
                self.follow_order(ended)
        return action

    async def run(
        self, key: str, what: str, send: Callable[[], Awaitable[object]],
        find: tuple[ExchangeClock, Find] | None = None,
    ) -> Action:  # fmt: skip
        """Do anything else that is sent, once for each key. Where no answer comes it is looked for by `find`, with the
        clock of the exchange that is asked; without that it stays unknown, and says so. What was refused did nothing,
        and may be sent again under the same key: the reason may have gone since."""
        known = self.all.get(key)
        if known is not None and known.stage is not Stage.REFUSED:
            return known
        action = self._begin(key, what)

        async def sent() -> str:
            return str(await send() or "")

        if find is None:
            await self._watch(action, sent, is_followed=False)
        else:
            await self._found_or_answered(action, sent, find)
        return action

    @property
    def on_their_way(self) -> int:
        """Orders of which it is not known yet whether the exchange has them."""
        return sum(action.is_order and not action.is_over for action in self.all.values())

    def follow_order(self, order: Order) -> None:
        """An order has left: an action that was acknowledged says why, where it was not asked for."""
        why = words.of_reason(order.status_reason)
        if why is None or order.status == "FILLED" or order.status_reason == REPLACED:
            return
        for action in reversed(self.all.values()):
            if action.order_id == order.id and action.stage is Stage.DONE:
                action.words = words.Words(f"Then it was {order.status.lower()}: {why.what}", why.todo)
                self._tell(action)
                return

    def tell_of(self, action: Action) -> None:
        """More is known of an action."""
        self._tell(action)

    def _begin(self, key: str, what: str) -> Action:
        action = Action(key, what, number=next(self._numbers))
        self.all[key] = action
        while len(self.all) > KEPT:
            self.all.popitem(last=False)
        self._tell(action)
        return action

    async def _found_or_answered(
        self, action: Action, send: Callable[[], Awaitable[str]], find: tuple[ExchangeClock, Find]
    ) -> None:
        """Wait for the answer, or until the exchange shows what was sent; without either it is looked for later."""
        looking = self._later(self._look(action, *find))
        sending = self._later(self._watch(action, send, is_followed=True))
        await asyncio.wait([looking, sending], return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            if action.is_over:
                looking.cancel()
            await sending

    async def _watch(self, action: Action, send: Callable[[], Awaitable[str]], *, is_followed: bool) -> None:
        """Wait for the answer. What has none is looked for where it is followed; that may also find it before."""
        begun = time.perf_counter()
        slow = asyncio.get_running_loop().call_later(SLOW_S, self._become, action, Stage.LOOKING)
        try:
            await send()
            stage = Stage.DONE
        except NoAnswer as error:  # an answer in no language of ours may be of a thing that was done
            stage = Stage.LOOKING if is_followed else Stage.UNKNOWN
            action.details, action.until_ms, action.is_unanswered = words.details(error), error.until_ms, True
        except (ClientError, ValueError, ArithmeticError) as error:
            stage = Stage.REFUSED
            if not action.is_over:
                action.words, action.details = words.of_error(error), words.details(error)
        except BaseException:  # our own mistake, or the end of this terminal: what became of it is not known
            self._become(action, Stage.UNKNOWN)
            raise
        finally:
            slow.cancel()
        action.answered_ms = action.answered_ms or 1000 * (time.perf_counter() - begun)
        self._become(action, stage)

    async def _look(self, action: Action, clock: ExchangeClock, find: Find) -> None:
        """Ask until the exchange says what became of it. That it never arrived is believed when the exchange has told a
        time at which it would not take it any more, and does not have it after that."""
        empty = refused = 0
        begun = time.perf_counter()
        await asyncio.sleep(SLOW_S)
        while not action.is_over:
            if self._link.other is not None:
                empty = 0  # whoever answers was not sent it, and cannot know
                await asyncio.sleep(LOOK_S)
                continue
            is_past = action.is_unanswered and clock.is_past(action.until_ms)
            try:
                is_found, refused = await find(), 0
            except OtherExchange:
                empty, is_found, is_past = 0, False, False
            except ClientError as error:
                empty, is_found = 0, False  # only an exchange that answers all the while is believed
                refused = refused + 1 if isinstance(error, Refused) and not isinstance(error, RateLimited) else 0
                if refused == LOOKS:  # it does not know whoever asks any more: asking on finds nothing out
                    action.details = words.details(error)
                    self._become(action, Stage.UNKNOWN)
            else:
                empty += action.is_unanswered and not action.until_ms
                if is_found:
                    action.answered_ms = 1000 * (time.perf_counter() - begun)
                    self._become(action, Stage.DONE)
                elif is_past:
                    self._become(action, Stage.LOST)
                elif empty == LOOKS:
                    action.words = words.Words("The exchange does not have it so far", "Look before you repeat it")
                    self._become(action, Stage.UNKNOWN)
            await asyncio.sleep(LOOK_S)

    def _become(self, action: Action, stage: Stage) -> None:
        if not action.is_over:  # what is known of it stays so
            action.stage = stage
            self._tell(action)

    def _tell(self, action: Action) -> None:
        self.last = action
        self.tell()

    def _later(self, work: Awaitable[None]) -> asyncio.Future[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()


def _name(key: str) -> str:
    """What a click's order is called at the exchange."""
    return f"terminal-{key}"
