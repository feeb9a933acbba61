"""The Keccak tree over the payouts of one statement of the escape, as `contracts/Escape.vy` makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eth_utils.crypto import keccak


class Owed(Protocol):
    """A payout."""

    @property
    def owner(self) -> int:
        """An address of L1 as a number."""

    @property
    def amount(self) -> int:
        """Smallest units of the token, before any haircut."""


class PayoutTree:
    """Payouts by place; None where a place is unused. There are a power of two of them, or it raises ValueError."""

    def __init__(self, payouts: Sequence[Owed | None]):
        if not payouts or len(payouts) & (len(payouts) - 1):
            raise ValueError(f"{len(payouts)} payouts make no tree: a power of two does, unused places with them")
        level = [_leaf(place, payout) for place, payout in enumerate(payouts)]
        self._levels = [level]
        while len(level) > 1:
            level = [keccak(left + right) for left, right in zip(level[::2], level[1::2], strict=True)]
            self._levels.append(level)

    @property
    def root(self) -> bytes:
        """What the contract keeps."""
        return self._levels[-1][0]

    def path(self, place: int) -> list[bytes]:
        """The siblings from a place to the root, lowest first."""
        return [level[place >> depth ^ 1] for depth, level in enumerate(self._levels[:-1])]


def _leaf(place: int, payout: Owed | None) -> bytes:
    owner, amount = (0, 0) if payout is None else (payout.owner, payout.amount)
    return keccak(b"".join(value.to_bytes(32, "big") for value in (place, owner, amount)))
