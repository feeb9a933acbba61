"""Filled orders: the lists that a batch touches, before and after, and which entries are forgotten.

A row is an entry of a list before the batch, after it, or both. Its keys rise strictly from the first number of the
list to the last, so a key that has no row among them has no entry: what a transaction finds of it is nothing filled.
What it finds and leaves is one word of memory, filled and expiry together, so that it cannot find another expiry than
the entry's. Of a list that is shown some entry was touched, and those entries are left out whose expiry has passed, and
only those: so whoever knows which words a batch changed knows what it forgot.

Both digests of a list, 0 where it is empty, are a leaf of the tree in `merkle_update`, which takes each list once. A
batch that touches none says so on the first row, with the root that stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from bulkhead.circuit.listing import Side, constrain_runs
from bulkhead.circuit.words import CHANGED, EXPIRY_BITS, HISTORY, ORDER_RECORD, ORDER_ROOT, ORDERS, WORD_BITS
from bulkhead.ledger.orders import LIST_SHIFT, list_of, packed
from bulkhead.ledger.tree import EMPTY_LEAF
from bulkhead.limits import FILLED_BITS, ORDER_TREE_DEPTH, TIME_S_BITS
from stark.air.chip import Chip, Must, Row
from stark.air.expr import FIRST, Expr, Source, leaf
from stark.chips.merkle_update import TREE, Change
from stark.chips.poseidon import Sponge, list_sponge
from stark.chips.ranges import NUMBER_BITS, is_number
from stark.chips.tables import by_rows
from stark.field import Felts, from_ints
from stark.poseidon import hash_lists
from stark.prime import PRIME

BEFORE, AFTER = Side("before"), Side("after")
HALF = 1 << 64
KEY_SHIFT = FILLED_BITS + TIME_S_BITS
EXPIRY_GAP_BITS = NUMBER_BITS - TIME_S_BITS


class Shown(NamedTuple):
    """An order by key: what was filled (None: it was not in its list) and is filled, and when it was last touched."""

    key: int
    filled_before: int | None
    filled_after: int
    expiry_s: int
    written: int = 0


class ShownLists(NamedTuple):
    """The table, the lists that are to be hashed, the numbers that are asked for, and what becomes of leaves."""

    table: Felts
    hashed: list[Sponge]
    asked: list[int]
    leaves: dict[int, Change]


class LiveOrders(Chip):
    """One row an entry and one more a list: 26 cells, 4 of its bus, and 5 numbers."""

    name = "live_orders"
    columns = (
        "live", "end", "now_s", "list", "key", "gap_high", "gap_low", "filled_before", "filled_after", "expiry_s",
        "seen", "written", *BEFORE.columns, *AFTER.columns,
    )  # fmt: skip

    def constrain(self, row: Row, must: Must) -> None:
        """Keys, expiry, what was touched, and both digests."""
        constrain_runs(row, must)
        entry = row.key * (1 << KEY_SHIFT) + row.expiry_s
        BEFORE.constrain(row, must, row.present_before * (entry + row.filled_before * (1 << EXPIRY_BITS)))
        AFTER.constrain(row, must, row.present_after * (entry + row.filled_after * (1 << EXPIRY_BITS)))
        self._keys(row, must)
        self._expiry(row, must)
        self._touched(row, must)
        self._lists(row, must)

    def _keys(self, row: Row, must: Must) -> None:
        """From each key to the next, from the first number of a list to its first key, from its last key to the end.

        The gaps of a list, each below 2**128, add up to all numbers that it has, so every key is one of them.
        """
        after, width = row.next, 1 << LIST_SHIFT
        begins = (1 - row.live) * after.live
        ahead = after.live * after.key + after.end * ((row.list + 1) * width) - row.key - 1
        gap = row.gap_high * HALF + row.gap_low
        must.zero("keys rise within their list", row.live * ahead + begins * (after.key - after.list * width) - gap)
        must.zero("a list has one number", row.live * (after.list - row.list))
        must.zero("idle rows are of no list", (1 - row.live - row.end) * row.list)
        must.zero("an end has no key", row.end * row.key)
        must.transition("only the first idle row has a root", (1 - after.live) * after.key)
        for part in (row.gap_high, row.gap_low):
            is_number(must, part, times=row.live + begins)

    def _expiry(self, row: Row, must: Must) -> None:
        """An entry stays while now is not after its expiry. So the expiry is near now, or 2**24 times as much is no
        number: both together say that it has 40 bits.
        """
        must.zero("there is one now", row.next.now_s - row.now_s)
        is_number(must, row.expiry_s * (1 << EXPIRY_GAP_BITS), times=row.live)
        must.send(ORDERS, [row.now_s], _first())
        stays, ahead = row.present_after, row.expiry_s - row.now_s
        is_number(must, stays * ahead + (1 - stays) * (-1 - ahead), times=row.live)

    def _touched(self, row: Row, must: Must) -> None:
        """`seen` counts the touched entries of a list before this row."""
        after = row.next
        step = after.seen - row.seen
        touched, untouched = row.live * step, row.live * (1 - step)
        must.zero("an entry is touched or not", touched * (step - 1))
        must.zero("a list begins untouched", (1 - row.live) * after.live * after.seen)
        must.zero("some entry of a list is touched", row.end * (row.seen * row.written - 1))  # the inverse, there
        for name in ("seen", "written"):
            must.zero(f"an idle row has no {name}", (1 - row.live - row.end) * getattr(row, name))
        for name in ("filled_before", "filled_after", "expiry_s"):
            must.zero(f"only an entry has {name}", (1 - row.live) * getattr(row, name))
        must.zero("a new order is touched", untouched * (1 - row.present_before))
        must.zero("a new order was not filled", (1 - row.present_before) * row.filled_before)
        must.zero("an untouched order stays", untouched * (row.filled_after - row.filled_before))
        must.zero("an untouched order is written never", untouched * row.written)
        # What is new was filled: whoever touches no more than its own row's word makes an entry of nothing.
        was = row.present_before
        is_number(must, was * row.filled_before + (1 - was) * (row.filled_after - 1), times=row.live)
        word = ORDER_RECORD * (1 << WORD_BITS) + row.key
        found, left = (filled * (1 << EXPIRY_BITS) + row.expiry_s for filled in (row.filled_before, row.filled_after))
        must.send(HISTORY, [word, found, 0], touched)
        must.receive(HISTORY, [word, left, row.written], touched)
        must.send(CHANGED, [word, left], touched)

    def _lists(self, row: Row, must: Must) -> None:
        """A list is a leaf; or the first row is idle, and its key the root that stays."""
        for side in (BEFORE, AFTER):
            exists, _, parity, _, begun, _, _ = side.cells(row)
            # Else an empty list would have two digests, and nobody could tell which one a batch took.
            must.zero(f"{side.name}: a list that exists is not empty", row.end * exists * (1 - parity) * (1 - begun))
        digests = [digest + row.key for digest in (row.digest_before, row.digest_after)]
        is_idle = 1 - row.live - row.end
        depth = ORDER_ROOT + ORDER_TREE_DEPTH * row.end
        must.send(TREE, [depth, row.list, *digests], row.end + _first() * is_idle)

    def fill(self, shown: Sequence[Shown], now_s: int, root: int, log_rows: int) -> ShownLists:
        """The table for the entries of all lists that were touched, by rising key; `root` is the tree's before them."""
        rows: list[list[int]] = []
        gaps: list[tuple[int, tuple[int, int]]] = []  # by row
        groups = [(number, list(group)) for number, group in groupby(shown, lambda entry: list_of(entry.key))]
        sides = [side for _, entries in groups for side in _sides(entries, now_s)]
        listed = [[value for value in side if value is not None] for side in sides]
        digests = [digest if own else EMPTY_LEAF for digest, own in zip(hash_lists(listed), listed, strict=True)]
        hashed = [list_sponge(own) for own in listed if own]
        asked = [number for entry in shown for number in _asked_by(entry, now_s)]
        leaves: dict[int, Change] = {}
        for place, (number, entries) in enumerate(groups):
            # The gap before the first key stands in the row before: the end of another list, or the table's last row.
            gaps += enumerate((divmod(gap % PRIME, HALF) for gap in _gaps(entries)), len(rows) - 1)
            own = slice(2 * place, 2 * place + 2)
            leaves[number] = Change(*digests[own])
            rows += _rows_of(number, entries, now_s, sides[own], leaves[number])
        table = by_rows(rows, log_rows, len(self.columns))
        place_of = {name: place for place, name in enumerate(self.columns)}
        parts = [part for _, gap in gaps for part in gap]
        where = [row for row, _ in gaps]
        table[place_of["gap_high"], where] = from_ints(parts[::2])
        table[place_of["gap_low"], where] = from_ints(parts[1::2])
        asked += parts
        table[place_of["now_s"]] = from_ints([now_s])[0]
        if not rows:
            table[place_of["key"], 0] = from_ints([root])[0]
        return ShownLists(table, hashed, asked, leaves)


def _first() -> Expr:
    """1 on the first row."""
    return leaf(Source.SELECTOR, FIRST)


def _sides(entries: Sequence[Shown], now_s: int) -> tuple[list[int | None], list[int | None]]:
    """The elements of a list before and after; None where an entry is not in it."""
    befores = [_entry(entry, entry.filled_before) for entry in entries]
    afters = [_entry(entry, entry.filled_after if entry.expiry_s >= now_s else None) for entry in entries]
    return befores, afters


def _rows_of(
    number: int, entries: Sequence[Shown], now_s: int, found: Sequence[Sequence[int | None]], leaf: Change
) -> list[list[int]]:
    """The rows of one list, without gaps, of what was found on both sides."""
    sides = [
        side.fill(digest, values, any(value is not None for value in values))
        for side, values, digest in zip((BEFORE, AFTER), found, leaf, strict=True)
    ]
    rows, seen = [], 0
    for place, entry in enumerate(entries):
        rows.append([
            1, 0, now_s, number, entry.key, 0, 0, entry.filled_before or 0, entry.filled_after, entry.expiry_s, seen,
            entry.written, *sides[0][place], *sides[1][place],
        ])  # fmt: skip
        seen += bool(entry.written)
    inverse = pow(seen, -1, PRIME) if seen else 0
    rows.append([0, 1, now_s, number, *[0] * 6, seen, inverse, *sides[0][-1], *sides[1][-1]])
    return rows


def _asked_by(entry: Shown, now_s: int) -> Iterable[int]:
    """The numbers that an entry asks for, gaps apart."""
    yield entry.filled_after - 1 if entry.filled_before is None else entry.filled_before
    yield entry.expiry_s << EXPIRY_GAP_BITS
    yield entry.expiry_s - now_s if entry.expiry_s >= now_s else now_s - 1 - entry.expiry_s


def _gaps(entries: Sequence[Shown]) -> list[int]:
    """To the first key, from key to key, and to the end."""
    first = list_of(entries[0].key) << LIST_SHIFT
    keys = [first - 1, *(entry.key for entry in entries), first + (1 << LIST_SHIFT)]
    return [after - before - 1 for before, after in zip(keys, keys[1:], strict=False)]


def _entry(entry: Shown, filled: int | None) -> int | None:
    return None if filled is None else packed((entry.key, filled, entry.expiry_s))
