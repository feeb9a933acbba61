"""The circuit of a batch: its tables, and the statement that holds them together. Start reading here.

The statement names S before and after, and what S is made of; so the parts need no table of their own. It sends the
sequence's first place and takes its last, takes the root's change and the digests of the venue's money and of live
orders, sends what L1 took in, and takes what L1 is to pay. What a table says beyond that finds no taker.

    S = H(version, configuration, accounts, orders, markets, money, oracle, counters)

Markets, oracle and configuration stay as they are: nothing proven so far changes them. The configuration is part of the
system itself, so that a venue with other terms has another key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkhead.circuit.operations import Venue
from bulkhead.circuit.orders import LiveOrders
from bulkhead.circuit.record import Records
from bulkhead.circuit.rules import Rules
from bulkhead.circuit.words import CHANGED, DEPOSITED, MONEY_RECORD, ORDERS, PAID_OUT, RECORD, SEQUENCE
from bulkhead.ledger.commitment import SIGNED_QUOTE, VERSION, config_root
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.custody import NUMERAIRE
from bulkhead.limits import NONCE_BITS, TIME_MS_BITS
from bulkhead.signing import Domain, domain_hash
from stark.air.chip import Must
from stark.air.expr import Expr
from stark.air.system import Public, System
from stark.chips.ecdsa import Ecdsa
from stark.chips.merkle_update import TREE, MerkleUpdate
from stark.chips.poseidon import LIST, Poseidon, take_hash
from stark.chips.ranges import LIMB_BITS, Numbers, Range

BOTH = ("state", "accounts", "orders", "money", "counters", "deposits", "withdrawals", "transactions", "time_ms")
SINGLE = ("markets", "oracle", "forced", "batches_before", "fresh_after_ms", "now_s")


class Shape(NamedTuple):
    """A fixed size of batch: the tables' heights, and how many deposits, payments and changed words it may have."""

    number: int
    log_rules: int
    log_poseidon: int
    log_signatures: int  # rows: 2**8 a signature
    log_tree: int
    log_records: int
    log_orders: int
    log_numbers: int
    queue: int
    changes: int

    @property
    def log_heights(self) -> tuple[int, ...]:
        """In the order of the system's tables."""
        return (
            self.log_rules, self.log_records, self.log_orders, self.log_tree,
            self.log_signatures, self.log_poseidon, self.log_numbers, LIMB_BITS,
        )  # fmt: skip


SMALL = Shape(1, 9, 14, 13, 10, 8, 7, 12, 16, 64)  # up to 32 signed transactions


def venue_of(config: VenueConfig) -> Venue:
    """What the circuit takes from a configuration."""
    asset = config.asset(NUMERAIRE)
    if asset is None or not asset.is_settlement:
        raise ValueError("the first asset of the configuration must be one that settles")
    settling = [each.asset_id for each in config.assets if each.is_settlement]
    place = sorted(each.asset_id for each in config.assets).index(NUMERAIRE)
    domain = domain_hash(Domain(chain_id=config.chain_id))
    return Venue(domain, asset.collateral_id, asset.cap, 2 * len(settling) + place, config.expiry_max_s)


def names_of(shape: Shape) -> list[str]:
    """The statement's elements."""
    lists = (
        ("deposit", ("account", "amount", "used"), shape.queue),
        ("paid", ("recipient", "amount", "used"), shape.queue),
        ("changed", ("key", "value", "used"), shape.changes),
    )
    queues = [
        f"{name}_{field}_{place}" for name, fields, count in lists for place in range(count) for field in fields
    ]
    return [*(f"{name}_{when}" for name in BOTH for when in ("before", "after")), *SINGLE, *queues]


def circuit_of(config: VenueConfig, shape: Shape) -> System:
    """The system that proves batches of a venue."""
    root = config_root(config)

    def environment(public: Public, must: Must) -> None:
        for when in ("before", "after"):
            _commit(public, must, when, root)
        _sequence(public, must)
        must.receive(TREE, [0, 0, public.accounts_before, public.accounts_after])
        must.receive(RECORD, [MONEY_RECORD, public.money_before, public.money_after])
        must.receive(ORDERS, [public.now_s, public.orders_before, public.orders_after])
        _queues(public, must, shape)

    tables = [
        Rules(venue_of(config)), Records(), LiveOrders(), MerkleUpdate(), Ecdsa(), Poseidon(), Numbers(), Range(),
    ]  # fmt: skip
    return System("batch", tables, names_of(shape), environment)


def _commit(public: Public, must: Must, when: str, root: int) -> None:
    """S, and the counters in it."""

    def part(name: str) -> Expr:
        found: Expr = getattr(public, f"{name}_{when}")
        return found

    queues = (part("deposits") * (1 << SIGNED_QUOTE) + part("withdrawals")) * (1 << SIGNED_QUOTE) + public.forced
    batches = public.batches_before + int(when == "after")
    times = public.fresh_after_ms * (1 << TIME_MS_BITS) + part("time_ms")
    counts = (part("transactions") * (1 << NONCE_BITS) + batches) * (1 << (2 * TIME_MS_BITS)) + times
    take_hash(must, part("counters"), (LIST, [queues, counts, 1, 0]), 1)
    parts = [part("accounts"), part("orders"), public.markets, part("money"), public.oracle, part("counters")]
    take_hash(must, part("state"), (LIST, [VERSION, root, *parts, 1, 0]), 1)


def _sequence(public: Public, must: Must) -> None:
    must.send(SEQUENCE, [0, public.time_ms_before, public.deposits_before, public.withdrawals_before])
    count = public.transactions_after - public.transactions_before
    must.receive(SEQUENCE, [count, public.time_ms_after, public.deposits_after, public.withdrawals_after])


def _queues(public: Public, must: Must, shape: Shape) -> None:
    """Deposits in, payments out, in the order of their queues, and changed words in any order.

    Unused places are zeros and `used` is 0. That each `used` is a bit is for whoever reads the statement to check.
    """
    for place in range(shape.queue):
        fields = [getattr(public, f"deposit_{field}_{place}") for field in ("account", "amount", "used")]
        must.send(DEPOSITED, [public.deposits_before + 1 + place, *fields[:2]], fields[2])
        fields = [getattr(public, f"paid_{field}_{place}") for field in ("recipient", "amount", "used")]
        must.receive(PAID_OUT, [public.withdrawals_before + 1 + place, *fields[:2]], fields[2])
    for place in range(shape.changes):
        fields = [getattr(public, f"changed_{field}_{place}") for field in ("key", "value", "used")]
        must.receive(CHANGED, fields[:2], fields[2])


class Lists(NamedTuple):
    """What a statement lists: deposits (account, amount), payments (recipient, amount), changed words (key, value)."""

    deposits: Sequence[tuple[int, int]]
    paid: Sequence[tuple[int, int]]
    changed: Sequence[tuple[int, int]]


def public_of(values: dict[str, int], lists: Lists, shape: Shape) -> list[int]:
    """The statement's elements in order. ValueError where a list is longer than the shape's."""
    found = [values[name] for name in names_of(shape)[: 2 * len(BOTH) + len(SINGLE)]]
    for name, queue, room in zip(Lists._fields, lists, (shape.queue, shape.queue, shape.changes), strict=True):
        if len(queue) > room:
            raise ValueError(f"{len(queue)} {name}: a batch of this shape holds {room}")
        for pair in queue:
            found += [*pair, 1]
        found += [0] * (3 * (room - len(queue)))
    return found
