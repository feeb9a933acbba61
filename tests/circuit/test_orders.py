"""Live orders: the digests are the ledger's, what expires is forgotten, and a list cannot be bent."""

from __future__ import annotations

import random

from bulkhead.circuit.orders import Entry, LiveOrders, asked_by_orders
from bulkhead.circuit.words import CHANGED, EXPIRY_BITS, HISTORY, ORDER_RECORD, ORDERS, key_of
from bulkhead.ledger.commitment import orders_commitment
from bulkhead.ledger.orders import FilledOrders
from stark.air.check import check
from stark.air.chip import Must
from stark.air.system import Public, System
from stark.chips.poseidon import Poseidon
from stark.chips.ranges import Numbers, Range
from stark.chips.tables import cells
from stark.field import Felts, from_ints
from tests.stark.mutation import unnoticed

NOW = 1_700_000_000
DRAW = random.Random(6)
KEYS = sorted([0, 1, (1 << 128) - 1, *(DRAW.getrandbits(128) for _ in range(4))])
ENTRIES = [
    Entry(KEYS[0], 5, 5, NOW),  # at its last second
    Entry(KEYS[1], 5, 8, NOW + 1, 3),
    Entry(KEYS[2], None, 9, (1 << 40) - 1, 4),  # new
    Entry(KEYS[3], 6, 6, NOW - 1),  # expired
    Entry(KEYS[4], 7, 9, NOW - 1, 5),  # filled, and expired at the end
    Entry(KEYS[5], None, 1, 0, 6),  # new, and expired
    Entry(KEYS[6], (1 << 64) - 1, (1 << 64) - 1, NOW + 9),
]


def ledgers(entries: list[Entry]) -> tuple[int, int]:
    """What the ledger commits to, before and after."""
    before, after = FilledOrders(), FilledOrders()
    for entry in entries:
        if entry.filled_before is not None:
            before.put(entry.key, entry.filled_before, entry.expiry_s)
        after.put(entry.key, entry.filled_after, entry.expiry_s)
    after.drop_expired(NOW)
    return orders_commitment(before), orders_commitment(after)


def shown(entries: list[Entry], log_rows: int = 4) -> tuple[System, list[int], list[Felts]]:
    """A statement of both commitments, and of what transactions found and left."""

    def environment(stated: Public, must: Must) -> None:
        must.receive(ORDERS, [NOW, stated.before, stated.after])
        for entry in entries:
            if entry.written:
                word = key_of(ORDER_RECORD, entry.key)
                found = ((entry.filled_before or 0) << EXPIRY_BITS) + entry.expiry_s
                must.receive(HISTORY, [word, found, 0])
                must.receive(CHANGED, [word, (entry.filled_after << EXPIRY_BITS) + entry.expiry_s])
                must.send(HISTORY, [word, (entry.filled_after << EXPIRY_BITS) + entry.expiry_s, entry.written])

    table, hashed = LiveOrders().fill(entries, NOW, log_rows)
    asked = [number for number in asked_by_orders(entries, NOW) if 0 <= number < 1 << 64]
    numbers = Numbers().fill(asked, 7)
    traces = [table, Poseidon().fill(hashed, 9)[0], numbers, Range().fill(cells(numbers, slice(0, 4)))]
    system = System("orders", [LiveOrders(), Poseidon(), Numbers(), Range()], ["before", "after"], environment)
    return system, [*ledgers(entries)], traces


def said(entries: list[Entry]) -> str:
    """What the row checker finds."""
    return "; ".join(str(each) for each in check(*shown(entries)))


def test_commitments_are_the_ledgers() -> None:
    for count in range(len(ENTRIES) + 1):
        assert said(ENTRIES[:count]) == ""
    system = shown(ENTRIES)[0]
    assert system.tables[0].degree == 5
    assert system.tables[0].trace_width == 26 and system.tables[0].bus_width == 5


def test_every_cell_of_a_list_matters() -> None:
    system, public, traces = shown(ENTRIES)
    found = unnoticed(system, public, traces, {"poseidon": 0, "numbers": 0, "range": 0})
    assert found == []


def test_keys_rise() -> None:
    """Out of order, or twice: a key would be found unfilled though it has an entry."""
    assert "number" in said([ENTRIES[1], ENTRIES[0]])
    assert "number" in said([ENTRIES[1], ENTRIES[1]._replace(filled_before=None, written=9)])


def test_an_entry_is_forgotten_when_it_expires_and_not_before() -> None:
    for place, (present, alive) in enumerate(((0, True), (1, False))):
        entries = [ENTRIES[0] if alive else ENTRIES[3]]
        system, public, traces = shown(entries)
        column = [name for name in LiveOrders.columns if isinstance(name, str)].index("present_after")
        traces[0][column, 0] = from_ints([present])[0]
        assert "number" in "; ".join(str(each) for each in check(system, public, traces)), place


def test_a_new_order_is_somebodys() -> None:
    """An entry that no transaction made would block an order of that hash."""
    assert "a new order is touched" in said([Entry(5, None, 0, NOW)])
    system, public, traces = shown([Entry(5, None, 0, NOW)])
    column = [name for name in LiveOrders.columns if isinstance(name, str)].index("touched")
    traces[0][column, 0] = from_ints([1])[0]  # its word is put into memory, and taken out again at once
    found = "; ".join(str(each) for each in check(system, public, traces))
    assert "history" not in found and "number" in found
