"""Painting of one browser tab: what has changed is gathered, and painted at most twenty times a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog
from nicegui import Client, ui

from bulkhead.terminal.live.topic import Topic

PAUSE_S = 0.05  # twenty paints a second: more nobody sees
log = structlog.get_logger(__name__)


class Painter:
    """Made once for each tab, while its page is built. `on` binds what is shown to what it shows."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._due: dict[Callable[[], None], None] = {}  # a set that keeps its order
        self._leave: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._last_s = 0.0
        self.paints = 0
        client.on_delete(self.close)

    def on(self, topic: Topic, paint: Callable[[], None]) -> Callable[[], None]:
        """Paint now, and soon after each change; call what is returned to end it."""
        leave = topic.listen(lambda: self.soon(paint))
        self._leave.append(leave)
        paint()
        return leave

    def every(self, interval_s: float, paint: Callable[[], None]) -> None:
        """Paint again and again: for what ages by itself."""
        ui.timer(interval_s, paint)

    def soon(self, paint: Callable[[], None]) -> None:
        """Paint with the next gathering; however often it is asked for, once."""
        self._due[paint] = None
        if self._timer is None:
            wait_s = max(0.0, self._last_s + PAUSE_S - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._flush)

    def close(self) -> None:
        """The tab is gone."""
        for leave in self._leave:
            leave()
        self._leave.clear()
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _flush(self) -> None:
        self._timer, self._last_s = None, time.monotonic()
        due, self._due = self._due, {}
        if self._client.is_deleted:
            return
        with self._client:
            for paint in due:
                try:
                    paint()
                except Exception:  # one part of a screen that fails may not stop the others
                    log.exception("a part of a screen could not be painted")
        self.paints += 1
