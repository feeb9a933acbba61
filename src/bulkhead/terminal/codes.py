"""One-time codes: what opens the screens once, soon, and never again.

The address that a browser is started with stands in the list of processes, where every user of the machine can read it.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

LIFE_S = 60.0  # a browser that has to start first takes some seconds


class Standing(Enum):
    """What a code is good for."""

    DUE = auto()
    USED = auto()
    LATE = auto()
    UNKNOWN = auto()


@dataclass(slots=True)
class _Made:
    code: str
    until_s: float
    is_used: bool = False


class Codes:
    """Those of one start of the terminal."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._made: list[_Made] = []

    def make(self) -> str:
        """A new one, that is due from now on."""
        made = _Made(secrets.token_urlsafe(24), self._clock() + LIFE_S)
        self._made.append(made)
        return made.code

    def standing(self, code: str) -> Standing:
        """What a code is good for now."""
        found = self._find(code)
        if found is None:
            return Standing.UNKNOWN
        if found.is_used:
            return Standing.USED
        return Standing.DUE if self._clock() < found.until_s else Standing.LATE

    def use(self, code: str) -> None:
        """It is good for nothing more."""
        found = self._find(code)
        if found is not None:
            found.is_used = True

    def _find(self, code: str) -> _Made | None:
        return next((one for one in self._made if hmac.compare_digest(one.code.encode(), code.encode())), None)
