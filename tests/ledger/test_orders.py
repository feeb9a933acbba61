"""Filled orders against a plain dictionary: what is kept, forgotten, refused and committed to."""

from __future__ import annotations

import random
from itertools import product

import pytest

from bulkhead.ledger.orders import LIST_MIN, FilledOrders, StagedOrders, digest_of, list_max, list_of
from bulkhead.limits import FILLED_ORDERS_MAX, ORDER_TREE_DEPTH
from bulkhead.reject import Reject
from stark.poseidon import hash_many
from tests.play import Player
from tests.reference import naive_tree

NOW = 1_700_000_000
START = """
register maker         ok
register taker         ok
deposit  maker 1000    ok
deposit  taker 1000    ok
tick     BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok
"""
LISTS = (0, 1, 2, (1 << ORDER_TREE_DEPTH) - 1)


def key(number: int, low: int) -> int:
    return number << 128 - ORDER_TREE_DEPTH | low


class Naive:
    """Entries in one dictionary, and a root from all the leaves there are."""

    def __init__(self) -> None:
        self.entries: dict[int, tuple[int, int]] = {}
        self.touched: set[int] = set()

    def put(self, key: int, filled: int, expiry_s: int) -> None:
        self.entries[key] = (filled, expiry_s)
        self.touched.add(list_of(key))

    def end_batch(self, now_s: int) -> None:
        self.entries = {
            key: entry for key, entry in self.entries.items() if list_of(key) not in self.touched or entry[1] >= now_s
        }
        self.touched = set()

    def root(self) -> int:
        lists: dict[int, list[int]] = {}
        for key, (filled, expiry_s) in sorted(self.entries.items()):
            lists.setdefault(list_of(key), []).append(key << 104 | filled << 40 | expiry_s)
        return naive_tree.node({number: hash_many(each) for number, each in lists.items()}, ORDER_TREE_DEPTH)


@pytest.mark.parametrize("seed", range(8))
def test_lists_agree_with_a_dictionary(seed: int) -> None:
    draw = random.Random(seed)
    ours, naive, copies = FilledOrders(), Naive(), []
    for step in range(120):
        now_s = NOW + 60 * step
        one = key(draw.choice(LISTS), draw.randrange(6))
        ours.put(one, step + 1, expiry_s := now_s + draw.randrange(9_000))
        naive.put(one, step + 1, expiry_s)
        if draw.random() < 0.1:
            copies.append((ours.copy(), naive.root(), dict(naive.entries)))
        if draw.random() < 0.1:
            ours.end_batch(now_s)
            naive.end_batch(now_s)
        if draw.random() < 0.1:
            assert ours.root == naive.root()
        assert list(ours) == [(one, *naive.entries[one]) for one in sorted(naive.entries)]
        assert len(ours) == len(naive.entries)
        sizes = [len(ours.entries(number)) for number in LISTS]
        assert ours.longest == max(sizes)
        assert (ours.filled(one), ours.filled(one ^ 64)) == (naive.entries.get(one, (0, 0))[0], 0)
    for copied, root, entries in copies:  # what came later is not in them
        assert copied.root == root and list(copied) == [(one, *entries[one]) for one in sorted(entries)]
    for again in (FilledOrders(ours, ours.touched), FilledOrders.load(ours.dump(), ours.touched)):
        assert again.root == ours.root == naive.root() and again.touched == ours.touched
        assert (list(again), again.longest) == (list(ours), ours.longest)


def test_bytes_that_no_table_makes_are_refused() -> None:
    """Cut, an entry too many, out of order, a key twice."""
    dumped = FilledOrders([(key(1, 5), 1, NOW), (key(1, 6), 2, NOW), (key(2, 5), 3, NOW)]).dump()
    one, other = dumped[:29], dumped[29:58]
    for wrong in (dumped[:-1], dumped + b"\0", other + one, one + one, one[:-5]):
        with pytest.raises(ValueError, match="no filled orders"):
            FilledOrders.load(wrong)
    assert FilledOrders.load(dumped).dump() == dumped and FilledOrders.load(b"").dump() == b""


def test_only_lists_that_were_touched_forget() -> None:
    filled = FilledOrders([(key(1, 5), 1, NOW), (key(2, 5), 1, NOW)])
    filled.put(key(1, 6), 1, NOW + 9)
    assert filled.forget(NOW) == 0  # at its last second a message may still count
    assert filled.forget(NOW + 1) == 1  # a second time within a batch does no harm
    assert filled.end_batch(NOW + 10) == 1 and filled.touched == {}
    assert [one for one, _, _ in filled] == [key(2, 5)]
    assert filled.end_batch(NOW + 10) == 0 and digest_of(filled.entries(1)) == 0


def test_a_full_list_refuses_and_what_has_expired_takes_no_place() -> None:
    filled = FilledOrders([(key(3, low), 1, NOW + low) for low in range(LIST_MIN)])

    def said(one: int, others: tuple[int, ...] = (), now_s: int = NOW) -> Reject | None:
        return filled.lack(one, others, 1000 * now_s, FILLED_ORDERS_MAX)

    assert said(key(3, LIST_MIN)) is Reject.ORDER_LIST_FULL
    assert said(key(3, LIST_MIN - 1)) is None and said(key(4, 0)) is None  # it is there; another list
    assert said(key(3, LIST_MIN), now_s=NOW + 1) is None
    other = key(3, LIST_MIN + 1)
    assert said(key(3, LIST_MIN), (other,), NOW + 1) is Reject.ORDER_LIST_FULL
    assert said(other, (other,), NOW) is None  # of the same transaction
    assert said(key(3, LIST_MIN), (key(4, 0), key(3, 0)), NOW + 1) is None


def test_a_full_table_refuses_until_what_fills_it_has_expired() -> None:
    """Nothing is forgotten where nothing is entered: if all that is there counted, the table would be full for good."""
    filled = FilledOrders([(key(number, 0), 1, NOW) for number in range(5)])
    filled.end_batch(NOW)
    assert filled.lack(key(9, 0), (), 1000 * NOW, 5) is Reject.ORDER_TABLE_FULL
    assert filled.lack(key(9, 0), (key(8, 0),), 1000 * NOW, 6) is Reject.ORDER_TABLE_FULL
    assert filled.lack(key(4, 0), (), 1000 * NOW, 5) is None and filled.lack(key(9, 0), (), 1000 * NOW, 6) is None
    assert filled.lack(key(9, 0), (), 1000 * (NOW + 4_096), 5) is None
    assert len(filled) == 5


def test_a_rehearsal_knows_both_and_changes_nothing() -> None:
    """Against a copy, which costs as much as there is."""
    draw = random.Random(1)
    filled = FilledOrders([(key(3, low), 1 + low, NOW + 9) for low in range(LIST_MIN - 2)])
    before, copied, staged = list(filled), filled.copy(), StagedOrders(filled)
    for low in (0, 70, 71, 72, 1, 70):
        one, others = key(3, low), draw.choice(((), (key(3, 90),), (key(4, 1),)))
        said = copied.lack(one, others, 1000 * NOW, FILLED_ORDERS_MAX)
        assert staged.lack(one, others, 1000 * NOW, FILLED_ORDERS_MAX) is said
        assert staged.filled(one) == copied.filled(one)
        if said is None:
            for each in (copied, staged):
                each.put(one, each.filled(one) + 5, NOW + 9)
    assert staged.lack(key(3, 99), (), 1000 * NOW, FILLED_ORDERS_MAX) is Reject.ORDER_LIST_FULL
    assert list(filled) == before


def test_the_bound_of_a_list_follows_the_tables() -> None:
    assert list_max(5) == list_max(FILLED_ORDERS_MAX) == LIST_MIN
    assert list_max(1 << 24) == 2_048


@pytest.mark.parametrize(
    "line", ["withdraw maker 5 {0}", "transfer maker taker 5 {0}", "trade maker sell taker 0.01 BTC @ 50000 {0}"]
)
def test_a_message_whose_list_is_full_is_refused_by_name(line: str) -> None:
    """The same messages on another venue say what their keys will be."""
    keys: list[int] = []
    for said in ("ok", "order_list_full"):
        player = Player()
        for text in START.strip().splitlines():
            player.play(text)
        for one, other in product(keys[:1], range(1, LIST_MIN + 1)):
            player.state.filled.put(one ^ other, 1, player.now // 1000 + 5)
        player.play(line.format(said))
        keys = [one for one, _, _ in player.state.filled]
    player.play("wait 6s")
    player.play("tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok")
    player.play(line.format("ok"))
