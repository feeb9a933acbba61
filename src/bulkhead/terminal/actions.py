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

from bulkhead.client import (
    ClientError,
    Exit,
    NewOrder,
    Order,
    OtherExchange,
    RateLimited,
    Refused,
    Unreachable,
    Unreadable,
)
from bulkhead.client.models import Placed
from bulkhead.terminal import words
from bulkhead.terminal.live.account import LiveAccount
from bulkhead.terminal.live.link import Link
from bulkhead.terminal.live.topic import Topic, now_ms

KEPT = 200
SLOW_S = 1.0  # without an answer for so long, it is said that there is none yet
LOOK_S = 1.0
REPLACED = "ORDER_REPLACED"  # as it was asked to be
LOOKS = 5  # that find nothing at an exchange that answers, before "it never arrived" is believed
log = structlog.get_logger(__name__)

Exits = tuple[Exit | None, Exit | None]
"""Take-profit and stop-loss of a position."""


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
            Stage.UNKNOWN: "no answer: it may or may not have been done",
            Stage.REFUSED: "rejected",
        }[self.stage]
        return said if self.words is None else f"{said}. {self.words}"


class Actions(Topic):
    """Everything that was sent in this session, newest last; all tabs share it, so that nothing is sent twice."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.all: OrderedDict[str, Action] = OrderedDict()
        self.last: Action | None = None
        self._link = link
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()

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

        async def send() -> str:
            action.order_id = (await place()).id
            return ""

        await self._watch(action, send)
        if action.stage is Stage.UNKNOWN:
            self._become(action, Stage.LOOKING)
            self._later(self._look(action, account, _name(key)))
        for ended in account.left:  # the stream may have told of its end before the answer came
            if ended.id == action.order_id:
                self.follow_order(ended)
        return action

    async def run(self, key: str, what: str, send: Callable[[], Awaitable[object]]) -> Action:
        """Do anything else that is sent, once for each key. Where no answer comes it stays unknown, and says so. What
        was refused did nothing, and may be sent again under the same key: the reason may have gone since."""
        known = self.all.get(key)
        if known is not None and known.stage is not Stage.REFUSED:
            return known
        action = self._begin(key, what)

        async def sent() -> str:
            return str(await send() or "")

        await self._watch(action, sent)
        return action

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

    async def _watch(self, action: Action, send: Callable[[], Awaitable[str]]) -> None:
        begun = time.perf_counter()
        slow = asyncio.get_running_loop().call_later(SLOW_S, self._become, action, Stage.LOOKING)
        try:
            await send()
            stage = Stage.DONE
        except (Unreachable, Unreadable) as error:  # an answer in no language of ours may be of a thing that was done
            stage, action.details = Stage.UNKNOWN, words.details(error)
        except (ClientError, ValueError, ArithmeticError) as error:
            stage, action.words, action.details = Stage.REFUSED, words.of_error(error), words.details(error)
        except BaseException:  # our own mistake, or the end of this terminal: what became of it is not known
            self._become(action, Stage.UNKNOWN)
            raise
        finally:
            slow.cancel()
        action.answered_ms = 1000 * (time.perf_counter() - begun)
        self._become(action, stage)

    async def _look(self, action: Action, account: LiveAccount, external_id: str) -> None:
        """Ask for an order until the exchange says what became of it."""
        empty = refused = 0
        while empty < LOOKS:
            await asyncio.sleep(LOOK_S)
            if self._link.other is not None:
                empty = 0  # whoever answers was not sent it, and cannot know
                continue
            try:
                found = await account.trader.orders_named(external_id)
                refused = 0
            except OtherExchange:
                empty = 0
            except ClientError as error:
                empty = 0  # only an exchange that answers all the while is believed
                refused = refused + 1 if isinstance(error, Refused) and not isinstance(error, RateLimited) else 0
                if refused == LOOKS:  # it does not know whoever asks any more: asking on finds nothing out
                    action.details = words.details(error)
                    self._become(action, Stage.UNKNOWN)
                    return
                continue
            if found:
                action.order_id = found[0].id
                action.words = words.of_reason(found[0].status_reason)
                self._become(action, Stage.DONE)
                return
            empty += 1
        self._become(action, Stage.LOST)

    def _become(self, action: Action, stage: Stage) -> None:
        action.stage = stage
        self._tell(action)

    def _tell(self, action: Action) -> None:
        self.last = action
        self.tell()

    def _later(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Look no more."""
        for task in self._tasks:
            task.cancel()


def _name(key: str) -> str:
    """What a click's order is called at the exchange."""
    return f"terminal-{key}"
