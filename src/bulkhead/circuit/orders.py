"""Live orders: the sorted list of what is filled, before and after a batch, and which entries are forgotten.

A row is an entry of the old list, of the new one, or of both. Keys rise strictly, so a key that has no entry in the old
list has none anywhere: what a transaction finds of it is nothing filled. What a transaction finds and leaves is one
word of memory, filled and expiry together, so that it cannot find another expiry than the entry's. At the end of a
batch those entries are left out whose expiry has passed, and only those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkhead.circuit.listing import Side, constrain_runs
from bulkhead.circuit.words import CHANGED, EXPIRY_BITS, HISTORY, ORDER_RECORD, ORDERS, WORD_BITS
from bulkhead.limits import FILLED_BITS, TIME_S_BITS
from stark.air.chip import Chip, Must, Row
from stark.chips.poseidon import Sponge, list_sponge
from stark.chips.ranges import is_number, numbers_asked
from stark.chips.tables import by_rows
from stark.field import Felts
from stark.poseidon import hash_many
from stark.prime import PRIME

BEFORE, AFTER = Side("before"), Side("after")
HALF = 1 << 64
KEY_SHIFT = FILLED_BITS + TIME_S_BITS


class Entry(NamedTuple):
    """An order by key: what was filled (None: it was not in the list) and is filled, and when it was last touched."""

    key: int
    filled_before: int | None
    filled_after: int
    expiry_s: int
    written: int = 0


class LiveOrders(Chip):
    """One row an order, live before or after, and one more: 26 cells, 5 of its bus, and 9 numbers."""

    name = "live_orders"
    columns = (
        "live", "end", "now_s", "key_high", "key_low", "gap_high", "gap_low", "filled_before", "filled_after",
        "expiry_s", "touched", "written", *BEFORE.columns, *AFTER.columns,
    )  # fmt: skip

    def constrain(self, row: Row, must: Must) -> None:
        """Order, expiry, what was touched, and both digests."""
        constrain_runs(row, must)
        self._keys(row, must)
        self._expiry(row, must)
        key, low = row.key_high * HALF + row.key_low, row.expiry_s
        before = key * (1 << KEY_SHIFT) + row.filled_before * (1 << EXPIRY_BITS) + low
        after = key * (1 << KEY_SHIFT) + row.filled_after * (1 << EXPIRY_BITS) + low
        BEFORE.constrain(row, must, row.present_before * before)
        AFTER.constrain(row, must, row.present_after * after)
        must.boolean("touched is a bit", row.touched)
        must.zero("a new order is touched", row.live * (1 - row.present_before) * (1 - row.touched))
        must.zero("a new order was not filled", (1 - row.present_before) * row.filled_before)
        must.zero("an untouched order stays", (1 - row.touched) * (row.filled_after - row.filled_before))
        must.zero("an untouched order is written never", (1 - row.touched) * row.written)
        word = ORDER_RECORD * (1 << WORD_BITS) + key
        found = row.filled_before * (1 << EXPIRY_BITS) + row.expiry_s
        left = row.filled_after * (1 << EXPIRY_BITS) + row.expiry_s
        must.send(HISTORY, [word, found, 0], row.touched)
        must.receive(HISTORY, [word, left, row.written], row.touched)
        must.send(CHANGED, [word, left], row.touched)
        must.send(ORDERS, [row.now_s, row.digest_before, row.digest_after], row.end)

    def _keys(self, row: Row, must: Must) -> None:
        after = row.next
        must.zero("both lists exist", (row.live + row.end) * (2 - row.exists_before - row.exists_after))
        must.zero("a list has one now", row.live * (after.now_s - row.now_s))
        for name in self.columns[3:11]:
            must.zero(f"only live rows have {name}", (1 - row.live) * getattr(row, str(name)))
        must.zero("idle rows have no now", (1 - row.live - row.end) * row.now_s)
        own, other = row.key_high * HALF + row.key_low, after.key_high * HALF + after.key_low
        gap = row.gap_high * HALF + row.gap_low
        must.zero("keys rise", row.live * after.live * (other - own - 1) - gap)
        # What is new was filled: whoever touches no more than its own row's word makes an entry of nothing.
        made = (1 - row.present_before) * (row.filled_after - 1)
        for value in (row.key_high, row.key_low, row.gap_high, row.gap_low, row.filled_before, made):
            is_number(must, value, times=row.live)

    def _expiry(self, row: Row, must: Must) -> None:
        """An entry stays while now is not after its expiry."""
        is_number(must, row.expiry_s, TIME_S_BITS, row.live)
        stays, ahead = row.present_after, row.expiry_s - row.now_s
        is_number(must, stays * ahead + (1 - stays) * (-1 - ahead), times=row.live)

    def fill(self, entries: Sequence[Entry], now_s: int, log_rows: int) -> tuple[Felts, list[Sponge]]:
        """The table for entries by rising key, and the lists that are to be hashed."""
        befores = [_packed(entry, entry.filled_before) for entry in entries]
        afters = [_packed(entry, entry.filled_after if entry.expiry_s >= now_s else None) for entry in entries]
        sides, hashed = [], []
        for side, values in ((BEFORE, befores), (AFTER, afters)):
            listed = [value for value in values if value is not None]
            sides.append(side.fill(hash_many(listed), values, True))
            hashed.append(list_sponge(listed))
        rows = []
        for place, (entry, gap) in enumerate(zip(entries, _gaps(entries), strict=True)):
            rows.append([
                1, 0, now_s, *divmod(entry.key, HALF), *divmod(gap % PRIME, HALF), entry.filled_before or 0,
                entry.filled_after, entry.expiry_s, int(entry.written > 0), entry.written,
                *sides[0][place], *sides[1][place],
            ])  # fmt: skip
        rows.append([0, 1, now_s, *[0] * 9, *sides[0][-1], *sides[1][-1]])
        return by_rows(rows, log_rows), hashed


def asked_by_orders(entries: Sequence[Entry], now_s: int) -> list[int]:
    """The numbers that live orders ask for."""
    asked = []
    for entry, gap in zip(entries, _gaps(entries), strict=True):
        asked += [*divmod(entry.key, HALF), *divmod(gap, HALF), entry.filled_before or 0]
        asked.append(entry.filled_after - 1 if entry.filled_before is None else 0)
        ahead = entry.expiry_s - now_s
        asked += [*numbers_asked(entry.expiry_s, TIME_S_BITS), ahead if ahead >= 0 else -1 - ahead]
    return asked


def _packed(entry: Entry, filled: int | None) -> int | None:
    return None if filled is None else entry.key << KEY_SHIFT | filled << EXPIRY_BITS | entry.expiry_s


def _gaps(entries: Sequence[Entry]) -> list[int]:
    """To the next key; nothing after the last."""
    return [after.key - entry.key - 1 for entry, after in zip(entries, entries[1:], strict=False)] + [0] * bool(entries)
