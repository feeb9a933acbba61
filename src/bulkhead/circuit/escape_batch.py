"""The system of the escape: after a freeze, all accounts of the last state are settled, and nothing else happens.

A statement settles some accounts: it takes the change of the tree's root, sees that prices and funding are those that
the last state S is made of, and lists whom L1 pays how much. Statements follow each other from the root in S to the
root of the empty tree, which says that no account was left out. That they follow each other, and that S is the
rollup's, is for the contract to compare (`contracts/Escape.vy`).

    S = H(version, configuration, accounts, orders, markets, money, oracle, counters)

Orders, money, oracle and counters are named so that S can be hashed; no payout depends on them. Nobody signs anything,
so there is no table of signatures; nothing is published but payouts, for what was there is known and nothing remains.
They are a listing: behind the elements, by rising account, on pages that are published by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bulkhead.circuit.escape import escape_programs
from bulkhead.circuit.escape_payouts import PAID_OUT, Payout, Payouts, listed, payout_of
from bulkhead.circuit.record import Records
from bulkhead.circuit.rules import Programs, Rules
from bulkhead.circuit.venue import venue_of
from bulkhead.circuit.words import MARKETS_RECORD, RECORD
from bulkhead.ledger.commitment import VERSION, config_root
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.tree import DEPTH, empty_nodes
from stark.air.chip import Must, Row
from stark.air.expr import Expr
from stark.air.listing import Listing
from stark.air.system import Public, System
from stark.chips.merkle_update import TREE, MerkleUpdate
from stark.chips.poseidon import LIST, Poseidon, take_hash
from stark.chips.ranges import LIMB_BITS, Numbers, Range

SINGLE = (
    "state", "accounts_start", "orders", "markets", "money", "oracle", "counters", "accounts_before", "accounts_after",
)  # fmt: skip
PAGE_BYTES = 112_000  # of payouts: with a claim beside it, a transaction of 125,000
NOBODY_LEFT = empty_nodes()[DEPTH]  # the root when every account is settled


class EscapeShape(NamedTuple):
    """A fixed size of statement: the tables' heights, and how many accounts it may settle: a power of two.

    Payouts stand in a table as tall as that of programs: one of their own height would be opened at a level of its own.
    So more could be proven; but a page of more payouts than a statement may settle is read by no contract.
    """

    log_rules: int
    log_programs: int
    log_records: int
    log_tree: int
    log_poseidon: int
    log_numbers: int
    log_payouts: int
    page_bytes: int = PAGE_BYTES

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
            LIMB_BITS, self.log_programs,
        )  # fmt: skip

    @property
    def listing(self) -> Listing:
        """The payouts, which follow the elements."""
        return Listing(PAID_OUT, -1, self.payouts, self.page_bytes)


# Heights that are alike spare hints, and levels at which rows are opened; so some tables are taller than they need be.
USUAL = EscapeShape(  # seven hundred accounts with a position each, in a gigabyte
    log_rules=16, log_programs=14, log_records=14, log_tree=14, log_poseidon=16, log_numbers=16, log_payouts=10
)
LARGE = EscapeShape(  # five thousand, in seven
    log_rules=19, log_programs=14, log_records=16, log_tree=16, log_poseidon=19, log_numbers=19, log_payouts=13
)
ESCAPE_SHAPES = {"usual": USUAL, "large": LARGE}  # for which L1 may have a verifier, by the name that deploys it


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


def escape_of(config: VenueConfig, shape: EscapeShape) -> System:
    """The system that settles all accounts of a venue. NotProvable where its configuration has no circuit."""
    root, venue = config_root(config), venue_of(config)

    def environment(public: Public, must: Must) -> None:
        parts = [public.accounts_start, public.orders, public.markets, public.money, public.oracle, public.counters]
        take_hash(must, public.state, (LIST, [VERSION, root, *parts, 1, 0]), 1)
        must.receive(TREE, [0, 0, public.accounts_before, public.accounts_after])
        must.receive(RECORD, [MARKETS_RECORD, public.markets, public.markets])

    tables = [
        Rules(in_turn=False), Programs(list(escape_programs(venue).values())), Gone(), MerkleUpdate(), Poseidon(),
        Numbers(), Range(), Payouts(),
    ]  # fmt: skip
    return System("escape", tables, SINGLE, environment, listing=shape.listing)


def escape_public(values: dict[str, int], payouts: Sequence[Payout], shape: EscapeShape) -> list[int]:
    """The statement: its elements in order, then the payouts, whose accounts rise.

    ValueError where there are more of them than the shape has room for.
    """
    if len(payouts) > shape.payouts:
        raise ValueError(f"{len(payouts)} accounts: a statement of this shape settles {shape.payouts}")
    return [*(values[name] for name in SINGLE), *listed(payouts)]


def payouts_of(statement: Sequence[int], shape: EscapeShape) -> list[list[Payout]]:
    """A statement's payouts, page by page. ValueError for elements that list none."""
    return [payouts_on(page, shape) for page in shape.listing.pack(statement[len(SINGLE) :])]


def payouts_on(page: bytes, shape: EscapeShape) -> list[Payout]:
    """The payouts on a page by place. ValueError for bytes that are no page."""
    entries = shape.listing.entries(shape.listing.unpack(page))
    return [payout_of(account, packed) for account, packed in entries]


def escape_module(shape: EscapeShape) -> str:
    """The module `payouts` of the contract that reads the statement: where each word stands, and its bounds."""
    pages = shape.listing.pages
    numbers = {name.upper(): place for place, name in enumerate(SINGLE)}
    numbers |= {
        "LENGTH": len(SINGLE) + pages, "ELEMENTS": len(SINGLE), "PAGES": pages, "DEPTH": shape.log_payouts,
        "NOBODY_LEFT": NOBODY_LEFT,
    }  # fmt: skip
    lines = ["# pragma version 0.4.3", '"""\n@title The statement of an escape (generated)\n"""']
    return "\n".join([*lines, *(f"{name}: constant(uint256) = {value}" for name, value in numbers.items())]) + "\n"
