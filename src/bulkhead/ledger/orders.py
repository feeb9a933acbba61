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

from collections.abc import Collection, Iterable, Iterator, Sequence
from copy import copy

from bulkhead.fixed import div_floor, seconds_floor
from bulkhead.ledger.tree import EMPTY_LEAF, FullTree
from bulkhead.limits import FILLED_BITS, ORDER_KEY_BITS, ORDER_TREE_DEPTH, TIME_S_BITS
from bulkhead.reject import Reject
from bulkhead.units import TimeMs
from stark.poseidon import hash_many

KEY_MASK = (1 << ORDER_KEY_BITS) - 1
LIST_SHIFT = ORDER_KEY_BITS - ORDER_TREE_DEPTH
LIST_MIN, LIST_SHARE = 64, 8
KEY_BYTES, FILLED_BYTES, EXPIRY_BYTES = ORDER_KEY_BITS >> 3, FILLED_BITS >> 3, TIME_S_BITS >> 3
ENTRY_BYTES = KEY_BYTES + FILLED_BYTES + EXPIRY_BYTES
SPAN_SHIFT = 12  # 4,096 s: so coarsely it is counted how many entries have expired

Entry = tuple[int, int, int]  # key, filled, expiry in seconds
Kept = tuple[int, int]  # filled, expiry in seconds


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


def digest_of(entries: Sequence[Entry]) -> int:
    """The leaf of a list, its entries by rising key: zero for an empty one."""
    return hash_many([packed(entry) for entry in entries]) if entries else EMPTY_LEAF


class FilledOrders:
    """The lists, and the root of the tree over them, which is brought up to date when it is asked for.

    A list is kept as the bytes of its packed entries, one after the other. There may be half a million, and most are
    looked at once: as objects of their own they would take several times the memory.
    """

    __slots__ = ("_count", "_is_shared", "_lists", "_longest", "_spans", "_stale", "_tree", "touched")

    def __init__(self, entries: Iterable[Entry] = (), touched: Iterable[int] = ()) -> None:
        """`touched` are the lists in which something was entered since a batch was ended."""
        self._lists = [b""] * (1 << ORDER_TREE_DEPTH)
        self._count = 0
        self._spans: dict[int, int] = {}  # entries by the span of their expiry
        self._longest: int | None = 0  # None: not known
        self._tree = FullTree(ORDER_TREE_DEPTH)
        self._stale: dict[int, None] = {}  # lists whose leaf may not be that of the tree
        self._is_shared = False  # the tree is a copy's, too
        self.touched: dict[int, None] = {}
        for key, filled, expiry_s in entries:
            self.put(key, filled, expiry_s)
        self.begin_batch(touched)

    @classmethod
    def load(cls, dumped: bytes, touched: Iterable[int] = ()) -> FilledOrders:
        """What was dumped. Raises ValueError for bytes that `dump` does not make."""
        found = cls(_entries(dumped), touched)
        if found.dump() != dumped:
            raise ValueError(f"{len(dumped)} bytes are no filled orders: {ENTRY_BYTES} bytes each, by rising key")
        return found

    def dump(self) -> bytes:
        """All entries as they are hashed, by rising key, one after the other."""
        return b"".join(self._lists)

    def __len__(self) -> int:
        """How many entries there are, those that have expired and were not forgotten among them."""
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        """All entries by rising key."""
        return (entry for kept in self._lists if kept for entry in _entries(kept))

    def entries(self, number: int) -> tuple[Entry, ...]:
        """One list, by rising key."""
        return tuple(_entries(self._lists[number]))

    def size(self, number: int) -> int:
        """How many entries one list has."""
        return div_floor(len(self._lists[number]), ENTRY_BYTES)

    def kept(self, key: int) -> Kept | None:
        """What is known of a key: filled, and expiry in seconds."""
        kept = self._lists[key >> LIST_SHIFT]
        if key.to_bytes(KEY_BYTES, "big") not in kept:  # as almost always, for little
            return None
        at, is_there = _place(kept, key)
        return _entry(kept, at)[1:] if is_there else None

    def filled(self, key: int) -> int:
        """Lots already traded of an order, zero when it never has."""
        kept = self.kept(key)
        return 0 if kept is None else kept[0]

    @property
    def longest(self) -> int:
        """How many entries the longest list has."""
        if self._longest is None:
            self._longest = div_floor(max(map(len, self._lists)), ENTRY_BYTES)
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
        """A node of the tree under `root` as it was last asked for, by depth (0 is the root) and place among those."""
        return self._tree.node(depth, place)

    def lack(self, key: int, others: Collection[int], time_ms: int, orders_max: int) -> Reject | None:
        """Why a key cannot be entered, beside others that are about to be. What has expired takes no place in a list;
        of all lists together it does for the rest of its span, little more than an hour.
        """
        if key in others or self.kept(key) is not None:
            return None
        number, added = key >> LIST_SHIFT, len(others)
        if self._count + added < orders_max and self.size(number) + added < LIST_MIN:
            return None  # as almost always, for little
        now_s = seconds_floor(TimeMs(time_ms))
        new = [other for other in others if self.kept(other) is None]
        room = orders_max - len(new)
        if self._count >= room and self._count - self._passed(now_s) >= room:
            return Reject.ORDER_TABLE_FULL
        room = list_max(orders_max) - sum(list_of(other) == number for other in new)
        alive = sum(expiry_s >= now_s for _, _, expiry_s in self.entries(number))
        return Reject.ORDER_LIST_FULL if alive >= room else None

    def _passed(self, now_s: int) -> int:
        return sum(count for span, count in self._spans.items() if span < now_s >> SPAN_SHIFT)

    def put(self, key: int, filled: int, expiry_s: int) -> None:
        """Record the total filled. Only a committed draft calls this, and whoever follows a proven batch."""
        number = key >> LIST_SHIFT
        kept = self._lists[number]
        at, is_there = _place(kept, key)
        if is_there:
            self._count_span(_entry(kept, at)[2], -1)
        else:
            self._count += 1
            if self._longest is not None and len(kept) >= self._longest * ENTRY_BYTES:
                self._longest += 1
        entered = packed((key, filled, expiry_s)).to_bytes(ENTRY_BYTES, "big")
        self._lists[number] = kept[:at] + entered + kept[at + ENTRY_BYTES * is_there :]
        self._count_span(expiry_s, 1)
        self.touched[number] = self._stale[number] = None

    def forget(self, now_s: int) -> int:
        """Forget what has expired in the lists that were touched since a batch was ended. Returns how many entries."""
        before = self._count
        for number in self.touched:
            kept = self._lists[number]
            gone = [at for at in range(0, len(kept), ENTRY_BYTES) if _entry(kept, at)[2] < now_s]
            if not gone:
                continue
            self._longest = self._longest if self.size(number) != self._longest else None
            for at in reversed(gone):
                self._count_span(_entry(kept, at)[2], -1)
                kept = kept[:at] + kept[at + ENTRY_BYTES :]
            self._count -= len(gone)
            self._lists[number], self._stale[number] = kept, None
        return before - self._count

    def end_batch(self, now_s: int) -> int:
        """Forget, and begin anew to note which lists are touched."""
        gone = self.forget(now_s)
        self.begin_batch()
        return gone

    def begin_batch(self, touched: Iterable[int] = ()) -> None:
        """From now on these lists are touched, and those in which something is entered."""
        self.touched = dict.fromkeys(touched)

    def copy(self) -> FilledOrders:
        """The same entries, to go on from: what is entered in either is not seen by the other."""
        twin = copy(self)
        self._is_shared = twin._is_shared = True
        for name in ("_lists", "_spans", "_stale", "touched"):
            setattr(twin, name, copy(getattr(self, name)))
        return twin

    def _count_span(self, expiry_s: int, more: int) -> None:
        span = expiry_s >> SPAN_SHIFT
        count = self._spans.get(span, 0) + more
        if count:
            self._spans[span] = count
        else:
            del self._spans[span]


def _entry(kept: bytes, at: int) -> Entry:
    key_end, filled_end = at + KEY_BYTES, at + KEY_BYTES + FILLED_BYTES
    return (
        int.from_bytes(kept[at:key_end], "big"),
        int.from_bytes(kept[key_end:filled_end], "big"),
        int.from_bytes(kept[filled_end : at + ENTRY_BYTES], "big"),
    )


def _entries(kept: bytes) -> Iterator[Entry]:
    return (_entry(kept, at) for at in range(0, len(kept), ENTRY_BYTES))


def _place(kept: bytes, key: int) -> tuple[int, bool]:
    """Where a key's entry begins, and True; or where it would, and False."""
    sought = key.to_bytes(KEY_BYTES, "big")
    for at in range(0, len(kept), ENTRY_BYTES):
        found = kept[at : at + KEY_BYTES]
        if found >= sought:
            return at, found == sought
    return len(kept), False


class StagedOrders(FilledOrders):
    """What a rehearsal enters, over the lists of a state that stays as it is: nothing is copied.

    A rehearsal asks what is filled and what may be entered; it ends no batch and commits to nothing.
    """

    __slots__ = ("_sizes", "_staged", "_under")

    def __init__(self, under: FilledOrders) -> None:  # the lists are those below: none are made for a few orders
        self._under = under
        self._staged: dict[int, int] = {}  # what is filled by key
        self._sizes: dict[int, int] = {}  # how many of them by list

    def filled(self, key: int) -> int:
        """Lots traded of an order, in the rehearsal or before."""
        staged = self._staged.get(key)
        return self._under.filled(key) if staged is None else staged

    def put(self, key: int, filled: int, expiry_s: int) -> None:
        """Record the total filled, for this rehearsal."""
        if key not in self._staged:
            self._sizes[list_of(key)] = self._sizes.get(list_of(key), 0) + 1
        self._staged[key] = filled

    def lack(self, key: int, others: Collection[int], time_ms: int, orders_max: int) -> Reject | None:
        """Why a key cannot be entered beside what the rehearsal has: looked through only where room is short."""
        if key in self._staged or key in others:
            return None
        under, number, added = self._under, list_of(key), len(others)
        listed = under.size(number) + self._sizes.get(number, 0)
        if len(under) + len(self._staged) + added < orders_max and listed + added < LIST_MIN:
            return None
        return under.lack(key, {*self._staged, *others}, time_ms, orders_max)
