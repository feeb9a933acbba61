"""The circuit of a batch: its tables, and the statement that holds them together. Start reading here.

The statement names S before and after, and what S is made of; so the parts need no table of their own. It takes the
change of two roots, of accounts and of orders, and the digests of the venue's records, sends what L1 took in and was
asked for by force, and takes what L1 is to pay. What a table says beyond that finds no taker.

    S = H(version, configuration, accounts, orders, markets, money, oracle, counters)

The configuration stays as it is and is part of the system itself, so that a venue with other terms has another key.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.order import Mode
from bulkhead.circuit.orders import LiveOrders
from bulkhead.circuit.plates import Plates, laid_out
from bulkhead.circuit.programs import account_name, oracle_tick_name, programs, side_name, trade_name
from bulkhead.circuit.record import Records
from bulkhead.circuit.rules import Programs, Rules
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import Terms, venue_of
from bulkhead.circuit.words import (
    CHANGED,
    COUNTERS_RECORD,
    MARKETS_RECORD,
    MESSAGE,
    MONEY_RECORD,
    ORACLE_RECORD,
    ORDER_ROOT,
    ORDERS,
    RECORD,
)
from bulkhead.fixed import div_floor
from bulkhead.ledger.commitment import VERSION, config_root
from bulkhead.ledger.config import VenueConfig
from bulkhead.signing.messages import short_string
from stark.air.chip import Must
from stark.air.expr import Expr
from stark.air.listing import Listing
from stark.air.system import Public, System
from stark.chips.ecdsa import Ecdsa
from stark.chips.merkle_update import TREE, MerkleUpdate
from stark.chips.poseidon import LIST, Poseidon, take_hash
from stark.chips.ranges import LIMB_BITS, Numbers, Range

BOTH = (
    "state", "accounts", "orders", "markets", "money", "oracle", "counters",
    "deposits", "withdrawals", "forced", "transactions", "fresh_after_ms", "time_ms",
)  # fmt: skip
SINGLE = ("batches_before", "now_s", "chain", "version", "shape")
CIRCUIT_VERSION = 1  # of programs and tables; a change that L1 must be told of raises it
LISTS = {
    "deposit": ("account", "amount", "depositor", "used"),
    "paid": ("recipient", "amount", "used"),
    "forced": ("kind", "account", "subject", "sender", "included_ms", "used"),
}
PAGE_BYTES = 112_000  # of changed words: with a claim and packed elements beside it, a transaction of 125,000
DEPOSIT_TAGS = (Tag.DEPOSIT_ACCOUNT, Tag.DEPOSIT_AMOUNT, Tag.DEPOSIT_DEPOSITOR)
PAID_TAGS = (Tag.PAID_RECIPIENT, Tag.PAID_AMOUNT)
FORCED_TAGS = (
    Tag.FORCED_KIND, Tag.FORCED_ACCOUNT, Tag.FORCED_SUBJECT, Tag.FORCED_SENDER, Tag.FORCED_INCLUDED_MS,
)  # fmt: skip


class Shape(NamedTuple):
    """A fixed size of batch: the tables' heights, and how many deposits, payments and changed words it may have."""

    number: int
    log_rules: int
    log_programs: int
    log_terms: int
    log_records: int
    log_orders: int
    log_tree: int
    log_signatures: int  # rows: 2**7 a signature
    log_poseidon: int
    log_numbers: int
    queue: int
    forced: int
    changes: int
    log_plates: int
    plates: tuple[tuple[str, int], ...]  # programs that have plates, and how many of each

    @property
    def log_heights(self) -> tuple[int, ...]:
        """In the order of the system's tables."""
        return (
            self.log_rules, self.log_programs, self.log_terms, self.log_records, self.log_orders, self.log_tree,
            self.log_signatures, self.log_poseidon, self.log_numbers, LIMB_BITS, self.log_plates,
        )  # fmt: skip

    def words(self) -> tuple[int, ...]:
        """All its numbers, as a proof names it."""
        return (*self[:-1], *(count for _, count in self.plates))

    def rooms(self) -> dict[str, int]:
        """How many entries each list among the statement's elements has."""
        return {"deposit": self.queue, "paid": self.queue, "forced": self.forced}

    @property
    def listing(self) -> Listing:
        """The changed words, which follow the elements."""
        return Listing(CHANGED, -1, self.changes, PAGE_BYTES)


class Usual(NamedTuple):
    """What a batch is expected to have, so that there are plates for it; what comes beyond runs in the rules table."""

    trades: int  # between cross accounts
    accounts: tuple[int, ...]  # frames of these, by how many positions an account has
    ticks: int
    scaled: int = 0  # of the trades, those in markets whose open interest has moved requirements
    isolated: int = 0  # sides of other trades, whose account has the isolated position and no other

    def plates(self) -> tuple[tuple[str, int], ...]:
        """How many of which program."""
        shown = [(account_name(count, False, Freshness.FRESH), frames) for count, frames in enumerate(self.accounts)]
        apart = [(account_name(count, True, Freshness.FRESH), self.isolated) for count in (0, 1)]
        return (
            (trade_name(3, False), self.trades - self.scaled), (trade_name(3, True), self.scaled),
            (trade_name(4, False), div_floor(self.isolated, 2)), (oracle_tick_name(ORACLES, False), self.ticks),
            (side_name(Mode.CROSS), 2 * self.trades), (side_name(Mode.CHILD), self.isolated), *shown, *apart,
        )  # fmt: skip


ORACLES = 5  # reports of a tick that has them all
SMALL = Shape(  # deposits, payments and a dozen trades
    number=1, log_rules=15, log_programs=15, log_terms=8, log_records=10, log_orders=10, log_tree=11,
    log_signatures=12, log_poseidon=14, log_numbers=14, queue=16, forced=8, changes=128,
    log_plates=13, plates=Usual(14, (3, 9, 9, 4, 2, 1), ticks=2, isolated=2).plates(),
)  # fmt: skip
MEDIUM = Shape(  # a hundred trades and what comes with them
    number=2, log_rules=16, log_programs=15, log_terms=8, log_records=11, log_orders=12, log_tree=12,
    log_signatures=15, log_poseidon=16, log_numbers=16, queue=16, forced=8, changes=576,
    log_plates=16, plates=Usual(110, (14, 56, 88, 88, 40, 16), ticks=6, scaled=12, isolated=16).plates(),
)  # fmt: skip
LARGE = Shape(  # fifteen hundred trades, in some nine gigabytes; for the chain fifteen, so a venue must ask for it
    number=3, log_rules=16, log_programs=16, log_terms=8, log_records=14, log_orders=14, log_tree=14,
    log_signatures=19, log_poseidon=19, log_numbers=17, queue=32, forced=16, changes=8192,
    log_plates=20, plates=Usual(1600, (200, 900, 1600, 1800, 1200, 400), ticks=16, scaled=100, isolated=64).plates(),
)  # fmt: skip
SHAPES = (SMALL, MEDIUM)  # for which L1 has verifiers unless somebody asks for others
ALL_SHAPES = (*SHAPES, LARGE)
SHAPE_NAMES = {"small": SMALL, "middle": MEDIUM, "large": LARGE}  # in settings and commands
# How statements are laid out that L1 may have taken, by version of the circuit: a new version leaves those before here.
LAYOUTS = {CIRCUIT_VERSION: ALL_SHAPES}


def layout_of(version: int, number: int) -> Shape | None:
    """The shape of that number in a version of the circuit; None where this program knows none."""
    return next((shape for shape in LAYOUTS.get(version, ()) if shape.number == number), None)


def shapes_of(names: Sequence[str]) -> tuple[Shape, ...]:
    """Shapes by their names, the smallest first; those for which L1 has verifiers by default where nobody names any.

    ValueError for a name of none.
    """
    unknown = [name for name in names if name not in SHAPE_NAMES]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no shape of a batch; there are {', '.join(SHAPE_NAMES)}")
    return tuple(shape for name, shape in SHAPE_NAMES.items() if name in names) or SHAPES


def name_of(shape: Shape) -> str:
    """A shape's name, or its number where it has none."""
    return next((name for name, each in SHAPE_NAMES.items() if each == shape), str(shape.number))


def by_size(shapes: Iterable[Shape]) -> list[Shape]:
    """By rows, which is by what their proofs cost, then by what they list: the smallest first."""

    def size(shape: Shape) -> tuple[int, ...]:
        return sum(1 << log_height for log_height in shape.log_heights), shape.changes, shape.queue, shape.forced

    return sorted(shapes, key=size)


def shape_named(words: tuple[int, ...]) -> Shape | None:
    """The shape that a proof names; None where there is none."""
    return next((shape for shape in ALL_SHAPES if shape.words() == words), None)


def names_of(shape: Shape) -> list[str]:
    """The statement's elements."""
    lists = [
        f"{name}_{field}_{place}"
        for name, room in shape.rooms().items()
        for place in range(room)
        for field in LISTS[name]
    ]
    return [*(f"{name}_{when}" for name in BOTH for when in ("before", "after")), *SINGLE, *lists]


def circuit_of(config: VenueConfig, shape: Shape) -> System:
    """The system that proves batches of a venue. NotProvable where the configuration has what no circuit covers."""
    root, venue = config_root(config), venue_of(config)

    def environment(public: Public, must: Must) -> None:
        for when in ("before", "after"):
            _commit(public, must, when, root)
        must.receive(TREE, [0, 0, public.accounts_before, public.accounts_after])
        for record, name in (
            (MONEY_RECORD, "money"), (MARKETS_RECORD, "markets"), (ORACLE_RECORD, "oracle"),
            (COUNTERS_RECORD, "counters"),
        ):  # fmt: skip
            must.receive(RECORD, [record, *(getattr(public, f"{name}_{when}") for when in ("before", "after"))])
        must.receive(TREE, [ORDER_ROOT, 0, public.orders_before, public.orders_after])
        must.receive(ORDERS, [public.now_s])
        _queues(public, must, shape)
        must.send(MESSAGE, [int(Tag.TURN), 1, 0, 0, 0])
        for tag, said, made in (
            (Tag.CHAIN, public.chain, short_string(config.chain_id)), (Tag.VERSION, public.version, CIRCUIT_VERSION),
            (Tag.SHAPE, public.shape, shape.number),
        ):  # fmt: skip
            must.send(MESSAGE, [int(tag), 0, said, 0, 0])
            must.receive(MESSAGE, [int(tag), 0, made, 0, 0])

    tables = [
        Rules(), Programs(list(programs(venue).values())), Terms(venue), Records(), LiveOrders(), MerkleUpdate(),
        Ecdsa(), Poseidon(venue.message_prefix), Numbers(), Range(), Plates(laid_out(programs(venue), shape.plates)),
    ]  # fmt: skip
    return System("batch", tables, names_of(shape), environment, listing=shape.listing)


def _commit(public: Public, must: Must, when: str, root: int) -> None:
    """S, and the counters in it."""

    def part(name: str) -> Expr:
        found: Expr = getattr(public, f"{name}_{when}")
        return found

    batches = public.batches_before + int(when == "after")
    counts = [part("deposits"), part("withdrawals"), part("forced"), part("transactions")]
    counts += [batches, part("fresh_after_ms"), part("time_ms"), 1]  # type: ignore[list-item]
    take_hash(must, part("counters"), (LIST, counts), 1)
    parts = [part("accounts"), part("orders"), part("markets"), part("money"), part("oracle"), part("counters")]
    take_hash(must, part("state"), (LIST, [VERSION, root, *parts, 1, 0]), 1)


def _queues(public: Public, must: Must, shape: Shape) -> None:
    """Deposits and forced requests in, payments out, in the order of their queues.

    Unused places are zeros and `used` is 0. That each `used` is a bit is for whoever reads the statement to check.
    """
    rooms = shape.rooms()
    for name, tags, first, is_sent in (
        ("deposit", DEPOSIT_TAGS, public.deposits_before, True),
        ("paid", PAID_TAGS, public.withdrawals_before, False),
        ("forced", FORCED_TAGS, public.forced_before, True),
    ):
        for place in range(rooms[name]):
            *fields, used = (getattr(public, f"{name}_{field}_{place}") for field in LISTS[name])
            for tag, value in zip(tags, fields, strict=True):
                must.send(MESSAGE, [int(tag), first + 1 + place, value, 0, 0], used if is_sent else -used)


class Lists(NamedTuple):
    """What a statement lists: queues without `used` (see LISTS), and changed words, whose keys rise."""

    deposits: Sequence[tuple[int, ...]]
    paid: Sequence[tuple[int, ...]]
    forced: Sequence[tuple[int, ...]]
    changed: Sequence[tuple[int, ...]]


def public_of(values: dict[str, int], lists: Lists, shape: Shape) -> list[int]:
    """The statement: elements in order, then what it lists. ValueError where a list is longer than the shape's."""
    found = [values[name] for name in names_of(shape)[: 2 * len(BOTH) + len(SINGLE)]]
    if len(lists.changed) > shape.changes:
        raise ValueError(f"{len(lists.changed)} changed words: a batch of this shape publishes {shape.changes}")
    for (name, room), entries in zip(shape.rooms().items(), lists, strict=False):
        if len(entries) > room:
            raise ValueError(f"{len(entries)} entries of the list {name}: a batch of this shape holds {room}")
        for entry in entries:
            found += [*entry, 1]
        found += [0] * (len(LISTS[name]) * (room - len(entries)))
    return [*found, *(value for word in lists.changed for value in word)]
