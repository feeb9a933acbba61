"""Answers that no stream carries: asked for again and again while somebody looks, once for all tabs, with their age."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from bulkhead.client import ClientError
from bulkhead.terminal.live.topic import Topic
from bulkhead.terminal.session import NotReady

LINGER_S = 10.0  # asked for whoever comes back at once
Value = TypeVar("Value")


class Asked(Topic, Generic[Value]):
    """`value` is the last answer, None before the first; `problem` why there is no newer one. An answer that did not
    come keeps the one before it, whose age tells."""

    def __init__(self, name: str, interval_s: float, ask: Callable[[], Awaitable[Value]]) -> None:
        super().__init__()
        self.value: Value | None = None
        self.problem = ""
        self._name, self._interval_s, self._ask = name, interval_s, ask
        self._holders = 0
        self._task: asyncio.Task[None] | None = None
        self._leaving: asyncio.TimerHandle | None = None

    def hold(self) -> Callable[[], None]:
        """Ask until what is returned is called, and a little longer."""
        self._holders += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"asks {self._name}")
        is_held = True

        def let_go() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                self._holders -= 1
                if not self._holders:
                    self._leaving = asyncio.get_running_loop().call_later(LINGER_S, self.stop)

        return let_go

    def stop(self) -> None:
        """Ask no more."""
        if self._task is not None and not self._holders:
            self._task.cancel()
            self._task = None

    async def refresh(self) -> None:
        """Ask once, now."""
        try:
            self.value = await self._ask()
            self.problem = ""
        except (ClientError, NotReady) as error:
            is_new, self.problem = self.problem != str(error), str(error)
            if is_new:
                self._say()
            return
        self.tell()

    def _say(self) -> None:
        """A problem is told without making the answer any younger."""
        before = self.changed_ms
        self.tell()
        self.changed_ms = before

    async def _run(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(self._interval_s)
