"""The system of the escape: after a freeze, all accounts of the last state are settled, and nothing else happens.

A statement settles some accounts: it takes the change of the tree's root, sees that prices and funding are those that
the last state S is made of, and lists whom L1 pays how much. Statements follow each other from the root in S to the
root of the empty tree, which says that no account was left out. That they follow each other, and that S is the
rollup's, is for the contract to compare (`contracts/Escape.vy`).

    S = H(version, configuration, accounts, orders, markets, money, oracle, counters)

Orders, money, oracle and counters are named so that S can be hashed; no payout depends on them. Nobody signs anything,
so there is no table of signatures; nothing is published but payouts, for what was there is known and nothing remains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkhead.circuit.escape import escape_programs
from bulkhead.circuit.record import Records
from bulkhead.circuit.rules import Programs, Rules
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import venue_of
from bulkhead.circuit.words import MARKETS_RECORD, MESSAGE, RECORD
from bulkhead.ledger.commitment import VERSION, config_root
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.tree import DEPTH, empty_nodes
from stark.air.chip import Must, Row
from stark.air.expr import Expr
from stark.air.system import Public, System
from stark.chips.merkle_update import TREE, MerkleUpdate
from stark.chips.poseidon import LIST, Poseidon, take_hash
from stark.chips.ranges import LIMB_BITS, Numbers, Range

SINGLE = (
    "state", "accounts_start", "orders", "markets", "money", "oracle", "counters", "accounts_before", "accounts_after",
)  # fmt: skip
PAYOUT = ("account", "owner", "amount", "used")
PAYOUT_TAGS = (Tag.PAYOUT_ACCOUNT, Tag.PAYOUT_OWNER, Tag.PAYOUT_AMOUNT)
PAYOUTS_MAX = 512  # in a statement: twice as many are more calldata than nodes of Ethereum pass on
NOBODY_LEFT = empty_nodes()[DEPTH]  # the root when every account is settled


class EscapeShape(NamedTuple):
    """A fixed size of statement: the tables' heights, and how many accounts it may settle: a power of two."""

    log_rules: int
    log_programs: int
    log_records: int
    log_tree: int
    log_poseidon: int
    log_numbers: int
    log_payouts: int

    @property
    def log_terms(self) -> int:
        """There is no table of terms."""
        return 0

    @property
    def payouts(self) -> int:
        """The most accounts."""
        return 1 << self.log_payouts

    @property
    def log_heights(self) -> tuple[int, ...]:
        """In the order of the system's tables."""
        return (
            self.log_rules, self.log_programs, self.log_records, self.log_tree, self.log_poseidon, self.log_numbers,
            LIMB_BITS,
        )  # fmt: skip


# As many accounts as one transaction of 125 kB opens a proof of. Each height less spares two hints: so three are alike.
USUAL = EscapeShape(
    log_rules=16, log_programs=14, log_records=14, log_tree=14, log_poseidon=17, log_numbers=17, log_payouts=9
)


class Gone(Records):
    """Records of accounts that are gone afterwards, and of the markets, which stay.

    No word is published: whoever knows the state and which accounts a statement lists knows what is left of it. It must
    be so, for anybody may submit a statement, and those who come after have to go on from there.
    """

    def constrain(self, row: Row, must: Must) -> None:
        """As any record, and no account stays."""
        super().constrain(row, must)
        must.zero("an account is gone", row.is_account * row.exists_after)

    def publish(self, row: Row, must: Must, key: Expr) -> None:
        """Nobody takes it."""


def escape_names(shape: EscapeShape) -> list[str]:
    """The statement's elements."""
    return [*SINGLE, *(f"payout_{field}_{place}" for place in range(shape.payouts) for field in PAYOUT)]


def escape_of(config: VenueConfig, shape: EscapeShape) -> System:
    """The system that settles all accounts of a venue. NotProvable where its configuration has no circuit."""
    root, venue = config_root(config), venue_of(config)

    def environment(public: Public, must: Must) -> None:
        parts = [public.accounts_start, public.orders, public.markets, public.money, public.oracle, public.counters]
        take_hash(must, public.state, (LIST, [VERSION, root, *parts, 1, 0]), 1)
        must.receive(TREE, [0, 0, public.accounts_before, public.accounts_after])
        must.receive(RECORD, [MARKETS_RECORD, public.markets, public.markets])
        for place in range(shape.payouts):
            *fields, used = (getattr(public, f"payout_{field}_{place}") for field in PAYOUT)
            for tag, value in zip(PAYOUT_TAGS, fields, strict=True):
                must.receive(MESSAGE, [int(tag), place + 1, value, 0, 0], used)  # of the frame of that number

    tables = [
        Rules(in_turn=False), Programs(list(escape_programs(venue).values())), Gone(), MerkleUpdate(), Poseidon(),
        Numbers(), Range(),
    ]  # fmt: skip
    return System("escape", tables, escape_names(shape), environment)


class Payout(NamedTuple):
    """What L1 owes for an account: its number, an address as a number, and quote before any haircut."""

    account: int
    owner: int
    amount: int


def escape_public(values: dict[str, int], payouts: Sequence[Payout], shape: EscapeShape) -> list[int]:
    """The statement's elements in order. ValueError where there are more payouts than the shape has room for."""
    if len(payouts) > shape.payouts:
        raise ValueError(f"{len(payouts)} accounts: a statement of this shape settles {shape.payouts}")
    listed = [element for payout in payouts for element in (*payout, 1)]
    room = len(PAYOUT) * shape.payouts - len(listed)
    return [*(values[name] for name in SINGLE), *listed, *[0] * room]


def payouts_of(statement: Sequence[int], shape: EscapeShape) -> list[Payout | None]:
    """A statement's payouts by place; None where a place is unused. ValueError for one of another length."""
    if len(statement) != len(SINGLE) + len(PAYOUT) * shape.payouts:
        raise ValueError(f"{len(statement)} elements are no statement that settles {shape.payouts} accounts")
    listed = statement[len(SINGLE) :]
    places = [listed[at : at + len(PAYOUT)] for at in range(0, len(listed), len(PAYOUT))]
    return [Payout(*fields) if used else None for *fields, used in places]


def escape_module(shape: EscapeShape) -> str:
    """The module `payouts` of the contract that reads the statement: where each element stands, and its bounds.

    ValueError where no transaction holds the statement.
    """
    if shape.payouts > PAYOUTS_MAX:
        raise ValueError(f"{shape.payouts} payouts in a statement; a transaction holds those of {PAYOUTS_MAX}")
    numbers = {name.upper(): place for place, name in enumerate(SINGLE)}
    numbers |= {
        "LENGTH": len(escape_names(shape)), "START": len(SINGLE), "COUNT": shape.payouts, "DEPTH": shape.log_payouts,
        "NOBODY_LEFT": NOBODY_LEFT,
    }  # fmt: skip
    lines = ["# pragma version 0.4.3", '"""\n@title The statement of an escape (generated)\n"""']
    return "\n".join([*lines, *(f"{name}: constant(uint256) = {value}" for name, value in numbers.items())]) + "\n"
