"""A topic: who listens, what a newcomer is told first, and what everybody is told from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from bulkhead.api.streams.frame import Frame
from bulkhead.api.streams.seat import FAILED, Closing, Seat

log = structlog.get_logger("bulkhead.streams")


class Listener(Protocol):
    """Whoever hears frames. `hear` may not wait, and may not raise."""

    def hear(self, frame: Frame) -> None:
        """One more frame."""

    def drop(self, closing: Closing) -> None:
        """End the connection."""


class PathListener:
    """A path's own socket: frames are counted from 1."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self._number = 0

    def hear(self, frame: Frame) -> None:
        """Send it on."""
        self._number += 1
        self._seat.offer(frame.plain(self._number))

    def drop(self, closing: Closing) -> None:
        """End the connection."""
        self._seat.close(closing)


class Topic:
    """Listeners of one thing. Those who join get `greeting` first; between the two nothing can be published."""

    def __init__(self) -> None:
        self.listeners: dict[Listener, None] = {}

    async def prepare(self) -> None:
        """Look up what `greeting` needs and memory does not have."""

    def greeting(self) -> list[Frame]:
        """What is so now."""
        return []

    def join(self, listener: Listener) -> None:
        """Greet a listener, and tell it everything from now on."""
        for frame in self.greeting():
            listener.hear(frame)
        self.listeners[listener] = None

    def leave(self, listener: Listener) -> None:
        """Tell it nothing more."""
        self.listeners.pop(listener, None)

    def fail(self) -> None:
        """Something was not told: better no stream than a wrong one."""
        for listener in self.listeners:
            listener.drop(FAILED)

    def publish(self, frame: Frame) -> None:
        """Tell everybody."""
        for listener in self.listeners:
            listener.hear(frame)


class Pulse:
    """Runs something at most so often: at once after a pause, else when the pause is over."""

    def __init__(self, pause_s: float, work: Callable[[], None], fail: Callable[[], None]) -> None:
        self._pause_s = pause_s
        self._fail = fail
        self._work = work
        self._next_s = 0.0
        self._is_due = False

    def ask(self) -> None:
        """Have it run soon, once."""
        if self._is_due:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._next_s:
            self._run()
        else:
            self._is_due = True
            loop.call_at(self._next_s, self._run)

    def _run(self) -> None:
        self._is_due = False
        self._next_s = asyncio.get_running_loop().time() + self._pause_s
        try:
            self._work()
        except Exception:  # in the event loop nobody else would hear of it
            log.exception("a stream failed; its listeners are dropped")
            self._fail()
