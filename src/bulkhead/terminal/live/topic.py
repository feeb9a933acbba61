"""Something that changes, and those who want to know of it."""

from __future__ import annotations

import time
from collections.abc import Callable


class Topic:
    """Tells its listeners that it has changed; what it has become they ask for themselves.

    `changed_ms` is when that was, by this machine's clock; 0 before the first time.
    """

    def __init__(self) -> None:
        self.changed_ms = 0
        self._listeners: list[Callable[[], None]] = []

    def listen(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Be told from now on; call what is returned to be told no more. A listener may not wait, and may not raise."""
        self._listeners.append(listener)

        def leave() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return leave

    def tell(self) -> None:
        """It has changed."""
        self.changed_ms = now_ms()
        for listener in list(self._listeners):
            listener()


def now_ms() -> int:
    """This machine's clock, in milliseconds since the epoch."""
    return int(time.time() * 1000)
