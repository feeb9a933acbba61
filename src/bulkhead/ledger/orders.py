"""Filled orders: how much of each signed order has traded, so that none trades twice.

A sorted list of live filled orders: key (the low 128 bits of the canonical hash), filled, expiry. Signed
withdrawals and transfers use the same list with their whole amount. The expiry kept is the one after which the
message counts no more: an order's in the book, which is the grace before the signed one. Then its entry leaves.
"""

from __future__ import annotations

from bulkhead.limits import FILLED_BITS, ORDER_KEY_BITS, TIME_S_BITS

KEY_MASK = (1 << ORDER_KEY_BITS) - 1


def key_of(message_hash: int) -> int:
    """The low 128 bits of a canonical hash (0 ≤ hash < P): two hashes that share them block each other."""
    return message_hash & KEY_MASK


class FilledOrders:
    """key → (filled, expiry in seconds). One field element each in the commitment."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: dict[int, tuple[int, int]] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def filled(self, key: int) -> int:
        """Lots already traded of an order, zero when it never has."""
        entry = self.entries.get(key)
        return 0 if entry is None else entry[0]

    def put(self, key: int, filled: int, expiry_s: int) -> None:
        """Record the total filled. Only a committed draft calls this."""
        self.entries[key] = (filled, expiry_s)

    def drop_expired(self, now_s: int) -> int:
        """Forget messages that count no more; called once per batch. Returns how many."""
        gone = [key for key, (_, expiry_s) in self.entries.items() if expiry_s < now_s]
        for key in gone:
            del self.entries[key]
        return len(gone)

    def packed(self) -> list[int]:
        """The list the commitment hashes: key · 2^104 + filled · 2^40 + expiry, by rising key."""
        return [
            (key << (FILLED_BITS + TIME_S_BITS)) | (filled << TIME_S_BITS) | expiry_s
            for key, (filled, expiry_s) in sorted(self.entries.items())
        ]
