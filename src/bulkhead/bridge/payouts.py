"""The Keccak tree over the payouts on one page of the escape, as `contracts/Escape.vy` makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eth_utils.crypto import keccak

NOTHING = bytes(32)  # beside a node that has no neighbour


class Owed(Protocol):
    """A payout."""

    @property
    def packed(self) -> int:
        """An address of L1, and smallest units of the token before any haircut, as a page has them."""


class PayoutTree:
    """Payouts by place, at least one; ValueError for none, or more than a tree of this depth has places."""

    def __init__(self, payouts: Sequence[Owed], depth: int):
        if not 0 < len(payouts) <= 1 << depth:
            raise ValueError(f"{len(payouts)} payouts make no tree of {1 << depth} places")
        level = [keccak(payout.packed.to_bytes(32, "big")) for payout in payouts]
        self._levels: list[list[bytes]] = []
        for _ in range(depth):
            level += [NOTHING] * (len(level) % 2)
            self._levels.append(level)
            level = [keccak(left + right) for left, right in zip(level[::2], level[1::2], strict=True)]
        [self.root] = level  # what the contract keeps

    def path(self, place: int) -> list[bytes]:
        """The siblings from a place to the root, lowest first."""
        return [level[place >> depth ^ 1] for depth, level in enumerate(self._levels)]
