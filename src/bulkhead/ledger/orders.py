"""Filled orders: how much of each signed order has traded, so that none trades twice.

A tree of 2^16 short lists. The first 16 bits of an order's key (the low 128 bits of its canonical hash) choose its
list; an entry is (key, filled, expiry), by rising key. Signed withdrawals and transfers are entered with their whole
amount. The expiry kept is the one after which the message counts no more: an order's in the book, which is the grace
before the signed one.

An expired entry is forgotten when a batch ends that entered something in its list. So a batch looks at the lists
that it touches and at no others, and whoever knows what it entered knows what it forgot. Elsewhere an expired entry
stays, which harms nobody: its message is refused as expired, and no bound counts it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from copy import copy

from bulkhead.ledger.tree import EMPTY_LEAF, Tree
from bulkhead.limits import FILLED_BITS, ORDER_KEY_BITS, ORDER_TREE_DEPTH, TIME_S_BITS
from bulkhead.reject import Reject
from stark.poseidon import hash_many

KEY_MASK = (1 << ORDER_KEY_BITS) - 1
LIST_SHIFT = ORDER_KEY_BITS - ORDER_TREE_DEPTH
LIST_MIN, LIST_SHARE = 64, 8
SPAN_SHIFT = 12  # 4,096 s: so coarsely it is counted how many entries have expired

Entry = tuple[int, int, int]  # key, filled, expiry in seconds
List = tuple[Entry, ...]


def key_of(message_hash: int) -> int:
    """The low 128 bits of a canonical hash (0 ≤ hash < P): two hashes that share them block each other."""
    return message_hash & KEY_MASK


def list_of(key: int) -> int:
    """The number of the list in which a key is entered."""
    return key >> LIST_SHIFT


def list_max(orders_max: int) -> int:
    """How many live entries one list of a table may have: 8 times as many as it has on average when all is full.

    At the default bound, 2^19 entries, a list of hashes has 8 on average, and 64 with a probability of 2^-115. Whoever
    tries 2^16 hashes for each of 64 messages can fill one; what falls into it has to be signed with another salt.
    """
    return max(LIST_MIN, LIST_SHARE * orders_max >> ORDER_TREE_DEPTH)


def packed(entry: Entry) -> int:
    """An entry as the commitment hashes it: key · 2^104 + filled · 2^40 + expiry."""
    key, filled, expiry_s = entry
    return key << (FILLED_BITS + TIME_S_BITS) | filled << TIME_S_BITS | expiry_s


def digest_of(entries: List) -> int:
    """The leaf of a list: zero for an empty one."""
    return hash_many([packed(entry) for entry in entries]) if entries else EMPTY_LEAF


class FilledOrders:
    """The lists, and the root of the tree over them, which is brought up to date when it is asked for."""

    __slots__ = ("_count", "_spans", "_is_shared", "_lists", "_longest", "_stale", "_tree", "touched")

    def __init__(self, entries: Iterable[Entry] = (), touched: Iterable[int] = ()) -> None:
        """`touched` are the lists in which something was entered since a batch was ended."""
        self._lists: dict[int, List] = {}  # no list is empty, and none is ever changed: copies share them
        self._count = 0
        self._spans: dict[int, int] = {}  # entries by the span of their expiry
        self._longest: int | None = 0  # None: not known
        self._stale: dict[int, None] = {}  # lists whose leaf is not that of the tree
        self._tree = Tree(ORDER_TREE_DEPTH)
        self._is_shared = False  # the tree is a copy's, too
        self.touched: dict[int, None] = {}
        for key, filled, expiry_s in entries:
            self.put(key, filled, expiry_s)
        self.touched = dict.fromkeys(touched)

    def __len__(self) -> int:
        """How many entries there are, those that have expired and were not forgotten among them."""
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        """All entries by rising key."""
        for number in sorted(self._lists):
            yield from self._lists[number]

    def entries(self, number: int) -> List:
        """One list."""
        return self._lists.get(number, ())

    def entry(self, key: int) -> Entry | None:
        """What is known of a key."""
        entries = self._lists.get(key >> LIST_SHIFT, ())
        place = bisect_left(entries, (key,))
        if place < len(entries) and entries[place][0] == key:
            return entries[place]
        return None

    def filled(self, key: int) -> int:
        """Lots already traded of an order, zero when it never has."""
        entry = self.entry(key)
        return 0 if entry is None else entry[1]

    @property
    def longest(self) -> int:
        """How many entries the longest list has."""
        if self._longest is None:
            self._longest = max(map(len, self._lists.values()), default=0)
        return self._longest

    @property
    def root(self) -> int:
        """The commitment: the root over the leaves of all lists. Hashes those that changed since it was last asked."""
        if self._stale:
            if self._is_shared:
                self._tree, self._is_shared = self._tree.copy(), False
            self._tree.update({number: digest_of(self.entries(number)) for number in self._stale})
            self._stale.clear()
        return self._tree.root

    def node(self, depth: int, place: int) -> int:
        """A node of the tree under `root`, by its depth (0 is the root) and its place among the nodes of that depth."""
        assert not self._stale  # whoever walks the tree has asked for its root
        return self._tree.node(depth, place)

    def lack(self, key: int, others: Iterable[int], now_s: int, orders_max: int) -> Reject | None:
        """Why a key cannot be entered, beside others that are about to be. What has expired takes no place in a list;
        of all lists together it does for the rest of its span, little more than an hour.
        """
        if self.entry(key) is not None or key in (new := [other for other in others if self.entry(other) is None]):
            return None
        room = orders_max - len(new)
        if self._count >= room and self._count - self._passed(now_s) >= room:
            return Reject.ORDER_TABLE_FULL
        number = list_of(key)
        entries, room = self.entries(number), list_max(orders_max) - sum(list_of(other) == number for other in new)
        if len(entries) >= room and sum(expiry_s >= now_s for _, _, expiry_s in entries) >= room:
            return Reject.ORDER_LIST_FULL
        return None

    def _passed(self, now_s: int) -> int:
        return sum(count for span, count in self._spans.items() if span < now_s >> SPAN_SHIFT)

    def put(self, key: int, filled: int, expiry_s: int) -> None:
        """Record the total filled. Only a committed draft calls this, and whoever follows a proven batch."""
        number = key >> LIST_SHIFT
        entries = self._lists.get(number, ())
        place = bisect_left(entries, (key,))
        behind = place
        if place < len(entries) and entries[place][0] == key:
            behind += 1
            self._count_span(entries[place][2], -1)
        self._lists[number] = entries = (*entries[:place], (key, filled, expiry_s), *entries[behind:])
        self._count_span(expiry_s, 1)
        self._count += place + 1 - behind
        if self._longest is not None and len(entries) > self._longest:
            self._longest = len(entries)
        self.touched[number] = self._stale[number] = None

    def forget(self, now_s: int) -> int:
        """Forget what has expired in the lists that were touched since a batch was ended. Returns how many entries."""
        gone = 0
        for number in self.touched:
            entries = self._lists.get(number, ())
            alive = tuple(entry for entry in entries if entry[2] >= now_s)
            if len(alive) < len(entries):
                for _, _, expiry_s in entries:
                    if expiry_s < now_s:
                        self._count_span(expiry_s, -1)
                gone += len(entries) - len(alive)
                self._longest = self._longest if len(entries) != self._longest else None
                self._stale[number] = None
                if alive:
                    self._lists[number] = alive
                else:
                    del self._lists[number]
        self._count -= gone
        return gone

    def end_batch(self, now_s: int) -> int:
        """Forget, and begin anew to note which lists are touched."""
        gone = self.forget(now_s)
        self.touched = {}
        return gone

    def copy(self) -> FilledOrders:
        """The same entries, to go on from: what is entered in either is not seen by the other."""
        twin = copy(self)
        self._is_shared = twin._is_shared = True
        twin._lists, twin._spans = self._lists.copy(), self._spans.copy()
        twin._stale, twin.touched = self._stale.copy(), self.touched.copy()
        return twin

    def _count_span(self, expiry_s: int, more: int) -> None:
        span = expiry_s >> SPAN_SHIFT
        count = self._spans.get(span, 0) + more
        if count:
            self._spans[span] = count
        else:
            del self._spans[span]
