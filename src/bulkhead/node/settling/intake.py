"""The exchange as the settlement service sees it: something that is looked at, and takes commands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from bulkhead.engine.command import Command
from bulkhead.ledger.state import State
from bulkhead.node.exchange import Answer, Exchange
from bulkhead.node.settling.events import ExchangeBusy, SettlementError
from bulkhead.node.writer import Busy, Malformed, Stopped
from bulkhead.reject import Reject
from bulkhead.units import TimeMs

Seen = TypeVar("Seen")

Make = Callable[[TimeMs], Command]
"""Makes a command for the moment at which it enters."""

ANSWER_TIMEOUT_S = 60.0


class Intake(Protocol):
    """Whatever runs the exchange. Raises ExchangeBusy where it takes nothing now, SettlementError where it has ended.

    Journal and ledger may raise JournalError and ExchangeError besides.
    """

    def look(self, read: Callable[[State], Seen]) -> Seen:
        """Something of the state between two commands; `read` must keep nothing of the state itself."""
        ...

    def submit(self, make: Make) -> Answer | Reject:
        """Have a command journalled and handled: what came of it, or why the door refused it."""
        ...


class ExchangeIntake:
    """An exchange in this thread, which nobody else uses meanwhile."""

    def __init__(self, exchange: Exchange, clock: Callable[[], TimeMs]) -> None:
        self.exchange, self._clock = exchange, clock

    def look(self, read: Callable[[State], Seen]) -> Seen:
        """See `Intake`."""
        return read(self.exchange.state)

    def submit(self, make: Make) -> Answer | Reject:
        """See `Intake`. A clock behind the journal's does not go back."""
        outcome = self.exchange.submit(make(max(self._clock(), self.exchange.machine.venue.sequencer.time_ms)))
        if isinstance(outcome, Reject):
            return outcome
        return next(each for each in self.exchange.commit() if each.sequence == outcome)


class LoopIntake:
    """An exchange in the event loop of another thread, behind its writer's `send`. Not to be used in that loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        exchange: Exchange,
        send: Callable[[Make], Awaitable[Answer | Reject]],
    ) -> None:
        self._loop, self._exchange, self._send = loop, exchange, send

    def look(self, read: Callable[[State], Seen]) -> Seen:
        """See `Intake`: read in the loop, where no command is half handled."""

        async def seen() -> Seen:
            return read(self._exchange.state)

        return self._wait(seen())

    def submit(self, make: Make) -> Answer | Reject:
        """See `Intake`."""

        async def sent() -> Answer | Reject:
            return await self._send(make)

        return self._wait(sent())

    def _wait(self, work: Awaitable[Seen]) -> Seen:
        async def done() -> Seen:
            return await work

        running = asyncio.run_coroutine_threadsafe(done(), self._loop)
        try:
            return running.result(ANSWER_TIMEOUT_S)
        except TimeoutError:
            running.cancel()
            raise ExchangeBusy(f"no answer for {ANSWER_TIMEOUT_S:g} s") from None
        except Busy as error:
            raise ExchangeBusy(str(error)) from error
        except (Stopped, Malformed) as error:
            raise SettlementError(f"the exchange has not taken a command from L1: {error}") from error
