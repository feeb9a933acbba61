"""Filled orders: roots are the ledger's, what expires in a touched list is forgotten, and no list can be bent."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from bulkhead.circuit import orders
from bulkhead.circuit.batch import SHAPES
from bulkhead.circuit.orders import LiveOrders, Shown
from bulkhead.circuit.words import CHANGED, EXPIRY_BITS, HISTORY, ORDER_RECORD, ORDER_ROOT, ORDERS, key_of
from bulkhead.ledger.orders import LIST_SHIFT, FilledOrders
from bulkhead.limits import ORDER_TREE_DEPTH, TREE_DEPTH
from stark.air.check import check
from stark.air.chip import Must
from stark.air.system import Public, System
from stark.chips.merkle_update import TREE, MerkleUpdate, climb
from stark.chips.poseidon import Poseidon, list_sponge
from stark.chips.ranges import Numbers, Range
from stark.chips.tables import by_rows, cells
from stark.field import Felts, from_ints
from stark.poseidon import hash_many
from stark.prime import PRIME
from tests.stark.mutation import unnoticed

NOW = 1_700_000_000
DRAW = random.Random(6)
LAST = (1 << ORDER_TREE_DEPTH) - 1
PLACE = {name: place for place, name in enumerate(LiveOrders.columns)}


def key(number: int, low: int) -> int:
    return number << LIST_SHIFT | low


ENTRIES = [
    Shown(key(0, 0), 5, 5, NOW),  # at its last second
    Shown(key(0, 1), 5, 8, NOW + 1, 3),
    Shown(key(0, (1 << LIST_SHIFT) - 1), None, 9, (1 << 40) - 1, 4),  # new
    Shown(key(7, DRAW.getrandbits(100)), None, 1, 0, 6),  # new, and expired: of a list that stays empty
    Shown(key(LAST, 0), 6, 6, NOW - 1),  # expired
    Shown(key(LAST, 5), 7, 9, NOW - 1, 5),  # filled, and expired at the end: its list is empty then
]
STAYS = [(key(3, 4), 7, NOW - 99), (key(9, 4), 7, NOW + 99)]  # of lists that nobody touches
Entries = list[Shown]


def ledgers(entries: Entries) -> tuple[FilledOrders, FilledOrders]:
    """What the ledger has before and after."""
    known = [(each.key, each.filled_before, each.expiry_s) for each in entries if each.filled_before is not None]
    before = FilledOrders([*STAYS, *known])
    after = before.copy()
    for each in entries:
        if each.written:
            after.put(each.key, each.filled_after, each.expiry_s)
    after.end_batch(NOW)
    return before, after


class Batch:
    """Tables that show entries, by default what the ledger does; and the statement of both roots."""

    def __init__(self, entries: Entries, *, known: FilledOrders | None = None, now_s: int = NOW) -> None:
        """`known` is the tree that is shown, and `now_s` what the table forgets by: a liar has others."""
        self.entries = entries
        honest, after = ledgers(entries)
        before = honest if known is None else known
        self.public = [honest.root, after.root]
        shown = LiveOrders().fill(entries, now_s, before.root, 4)
        shown.table[PLACE["now_s"]] = from_ints([NOW])[0]
        trees = [climb(ORDER_TREE_DEPTH, shown.leaves, before.node, ORDER_ROOT)] if shown.leaves else []
        self.told = trees[0].root if trees else None
        nodes = by_rows([row for tree in trees for row in tree.rows], 6, len(MerkleUpdate.columns))
        self.hashed = [*shown.hashed, *(one for tree in trees for one in tree.hashed)]
        self.asked = [number for number in shown.asked if 0 <= number < 1 << 64]
        self.orders, self.nodes = shown.table, nodes

    def traces(self) -> list[Felts]:
        numbers = Numbers().fill(self.asked, 7)
        hashes = Poseidon().fill(self.hashed, 11)[0]
        return [self.orders, self.nodes, hashes, numbers, Range().fill(cells(numbers, slice(0, 4)))]

    def system(self) -> System:
        """The statement: both roots, the time, and what transactions found and left."""

        def environment(stated: Public, must: Must) -> None:
            must.receive(ORDERS, [NOW])
            must.receive(TREE, [ORDER_ROOT, 0, stated.before, stated.after])
            for entry in self.entries:
                if entry.written:
                    word = key_of(ORDER_RECORD, entry.key)
                    found = ((entry.filled_before or 0) << EXPIRY_BITS) + entry.expiry_s
                    left = (entry.filled_after << EXPIRY_BITS) + entry.expiry_s
                    must.receive(HISTORY, [word, found, 0])
                    must.receive(CHANGED, [word, left])
                    must.send(HISTORY, [word, left, entry.written])

        chips = [LiveOrders(), MerkleUpdate(), Poseidon(), Numbers(), Range()]
        return System("orders", chips, ["before", "after"], environment)

    def said(self) -> set[str]:
        """The rules and buses that fail."""
        found = [str(each) for each in check(self.system(), self.public, self.traces())]
        return {each.partition(": ")[2] if each.startswith("row ") else each.partition(" ")[0] for each in found}

    def set(self, row: int, **values: int) -> None:
        """Other cells in a row of orders."""
        for name, value in values.items():
            self.orders[PLACE[name], row] = from_ints([value % PRIME])[0]

    def agreed(self) -> Batch:
        """A statement that says whatever this tree comes to, as a liar would."""
        assert self.told is not None
        self.public = list(self.told)
        return self


def test_roots_are_the_ledgers() -> None:
    for first, last in ((0, 0), (0, 3), (3, 4), (4, 6), (0, 6), (2, 3)):
        one = Batch(ENTRIES[first:last])
        assert one.said() == set(), (first, last)
        assert one.told is None or list(one.told) == one.public
    table = Batch(ENTRIES).system().tables[0]
    assert (table.trace_width, table.bus_width, table.degree) == (26, 4, 5)


@pytest.mark.parametrize("seed", range(6))
def test_random_lists_agree_with_the_ledger(seed: int) -> None:
    draw = random.Random(seed)
    entries = []
    for place in sorted(draw.sample([key(number, low) for number in (1, 2, LAST) for low in range(4)], 9)):
        before, expiry_s = draw.choice((None, 1, 77)), NOW + draw.randrange(-2, 3)
        written = 0 if before is not None and draw.random() < 0.5 else draw.randrange(1, 99)
        after = (before or 0) + draw.randrange(1, 9) * bool(written)
        entries.append(Shown(place, before, after, expiry_s, written))
    lists = {each.key >> LIST_SHIFT for each in entries if each.written}
    assert Batch([each for each in entries if each.key >> LIST_SHIFT in lists]).said() == set()


def test_a_table_may_be_full() -> None:
    """The gap before the first key stands in the last row, which is then another list's end."""
    entries = [Shown(key(1, 3 * low), 2, 2 + low % 2, NOW + low, low % 2) for low in range(10)]
    entries += [Shown(key(2, 7 * low), None, 1, NOW - low, 1 + low) for low in range(4)]
    one = Batch(entries)
    assert one.orders[PLACE["end"], 15].any() and one.said() == set()
    with pytest.raises(ValueError, match="17 rows"):
        Batch([*entries, Shown(key(2, 99), 1, 2, NOW, 1)])


def test_every_cell_matters() -> None:
    one = Batch(ENTRIES)
    sample = {"poseidon": 0, "numbers": 0, "range": 0, "merkle_update": 12}
    assert unnoticed(one.system(), one.public, one.traces(), sample) == []


def test_every_cell_of_a_batch_without_orders_matters() -> None:
    one = Batch([])
    sample = {"poseidon": 0, "numbers": 0, "range": 0, "merkle_update": 4}
    assert unnoticed(one.system(), one.public, one.traces(), sample) == []


def test_keys_rise() -> None:
    """Out of order, or twice, each time from another history: a key would be found unfilled though it has an entry."""
    one, other = ENTRIES[1], ENTRIES[2]
    assert "number" in Batch([other, one]).said()
    assert "number" in Batch([one, one._replace(filled_before=None, filled_after=1, written=9)]).said()


def test_an_order_that_is_known_is_not_new() -> None:
    """A replay in a later batch: the list is shown without the entry, and its digest is not that of the tree."""
    known = Shown(key(5, 5), 8, 8, NOW + 9)
    honest = FilledOrders([*STAYS, (known.key, 8, known.expiry_s)])
    replayed = known._replace(filled_before=None, filled_after=8, written=3)
    assert Batch([replayed]).agreed().said() == set()  # of a tree without it, nothing is wrong ...
    one = Batch([replayed])
    one.public[0] = honest.root
    assert one.said() == {"tree"}  # ... and this is the tree
    hidden = Batch([replayed], known=honest)  # every node is the tree's, and the leaf is not
    hidden.public = [honest.root, honest.root]
    assert "tree" in hidden.said()


def test_a_list_is_shown_once() -> None:
    """Twice, each time from what it was: an order would fill twice."""
    first, second = Shown(key(5, 5), 2, 4, NOW + 9, 3), Shown(key(5, 5), 2, 3, NOW + 9, 5)
    assert "tree" in Batch([first, ENTRIES[3], second]).agreed().said()


def test_an_entry_is_of_the_list_that_its_key_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry in another list: in its own there is none, and it could be filled once more."""
    entry = Shown(key(5, 5), None, 4, NOW + 9, 3)
    assert Batch([entry]).agreed().said() == set()
    for number in (4, 6, LAST):
        monkeypatch.setattr(orders, "list_of", lambda _, number=number: number)
        assert Batch([entry]).agreed().said() == {"number"}


@pytest.mark.parametrize(("expiry_s", "forgets_at_s"), [(NOW, NOW + 1), (NOW - 1, NOW - 1), (NOW + 99, NOW + 999)])
def test_an_entry_is_forgotten_when_it_expires_and_not_before(expiry_s: int, forgets_at_s: int) -> None:
    entries = [Shown(key(5, 5), 2, 2, expiry_s), Shown(key(5, 6), 2, 3, NOW + 9_999, 7)]
    assert Batch(entries).said() == set()
    assert Batch(entries, now_s=forgets_at_s).agreed().said() == {"number"}


def test_only_a_list_that_was_touched_forgets() -> None:
    """Who follows a batch sees which words changed, and could not know of a list that was shown for nothing."""
    expired = Shown(key(5, 5), 2, 2, NOW - 9)
    assert Batch([expired]).agreed().said() == {"some entry of a list is touched"}
    one = Batch([expired]).agreed()  # touched by nobody: the word is put into memory and taken out again at once
    one.set(1, seen=1, written=1)
    assert one.said() == {"changed"}  # so it is told, which anybody can follow


def test_a_list_that_nobody_shows_stays() -> None:
    for entries in ([], ENTRIES[:3]):
        one = Batch(entries)
        changed = FilledOrders([*ledgers(entries)[1], (key(2, 2), 1, NOW)])
        one.public[1] = changed.root
        assert one.said() == {"tree"}
        one.public = [changed.root, ledgers(entries)[1].root]
        assert one.said() == {"tree"}


def test_a_root_that_stays_is_no_others() -> None:
    """The message of a batch without orders, beside lists that were shown: the statement takes one root."""
    one = Batch(ENTRIES[:3])
    one.orders = one.orders[:, [15, *range(15)]].copy()  # the first row is idle now
    one.set(0, key=one.public[0])
    one.public[1] = one.public[0]
    assert "tree" in one.said()


def test_an_empty_list_has_one_digest() -> None:
    """The hash of a list without elements would be a second one: who follows a batch could not tell which it took."""
    one = Batch(ENTRIES[3:4])
    nothing = hash_many([])
    for row in range(2):
        one.set(row, exists_after=1, digest_after=nothing)
    one.hashed.append(list_sponge([]))
    assert "after: a list that exists is not empty" in one.said()


Bend = Callable[[Shown], Shown]


def _element(entry: Shown) -> int:
    return (entry.key << 104) + ((entry.filled_before or 0) << EXPIRY_BITS) + entry.expiry_s


@pytest.mark.parametrize(
    "bend",
    [
        lambda one: one._replace(expiry_s=one.expiry_s + (1 << 40), filled_before=one.filled_before - 1),
        lambda one: one._replace(expiry_s=one.expiry_s - (1 << 40), filled_before=one.filled_before + 1),
        lambda one: one._replace(key=one.key - 1, filled_before=one.filled_before + (1 << 64)),
        lambda one: one._replace(key=one.key + 1, filled_before=one.filled_before - (1 << 64)),
    ],
)
def test_an_entry_is_cut_in_one_way(bend: Bend) -> None:
    """The same element of the field, as another key, amount or expiry."""
    honest = [Shown(key(5, 5), 2, 2, NOW + 9), Shown(key(5, 9), 2, 3, NOW + 9, 7)]
    bent = bend(honest[0])
    assert _element(bent) == _element(honest[0])
    one = Batch(honest)
    gap = one.orders[PLACE["gap_low"]]
    shift = bent.key - honest[0].key
    before, after = cells(gap[None], slice(0, 1))[15], cells(gap[None], slice(0, 1))[0]
    one.set(15, gap_low=before + shift)
    one.set(0, key=bent.key, filled_before=bent.filled_before or 0, filled_after=bent.filled_before or 0,
            expiry_s=bent.expiry_s, gap_low=after - shift)  # fmt: skip
    ahead = bent.expiry_s - NOW
    one.asked += [number for number in (before + shift, after - shift, ahead) if 0 <= number < 1 << 64]
    assert "number" in one.said() and not {"poseidon", "tree"} & one.said()


def test_a_new_order_is_somebodys() -> None:
    """An entry that no transaction made would block an order of that hash."""
    entries = [Shown(key(5, 5), None, 1, NOW + 9), Shown(key(5, 9), 2, 3, NOW + 9, 7)]
    assert {"a new order is touched"} <= Batch(entries).agreed().said()
    entries = [Shown(key(5, 5), None, 0, NOW + 9, 1)]
    one = Batch(entries).agreed()
    one.entries, _ = [], one.set(0, written=0)  # nobody's: its word is put into memory, and taken out again at once
    assert {"number", "changed"} <= one.said() and "history" not in one.said()


def test_an_untouched_order_stays() -> None:
    entries = [Shown(key(5, 5), 4, 1, NOW + 9), Shown(key(5, 9), 2, 3, NOW + 9, 7)]
    assert Batch(entries).agreed().said() == {"an untouched order stays"}


def test_the_trees_of_a_table_do_not_meet() -> None:
    """A chain of nodes from one root to the other would have more rows than any table."""
    assert min(ORDER_ROOT - TREE_DEPTH, PRIME - ORDER_ROOT) > max(1 << shape.log_tree for shape in SHAPES)
