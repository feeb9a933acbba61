"""From the last state to the tables of the escape: statement by statement, until no account is left."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import NamedTuple

from bulkhead.circuit.escape import FORGET, escape_name, escape_programs, escape_writers
from bulkhead.circuit.escape_batch import EscapeShape, Gone, escape_public
from bulkhead.circuit.escape_payouts import Payout, Payouts
from bulkhead.circuit.filling import fill_rules
from bulkhead.circuit.play import Play
from bulkhead.circuit.record import asked_by
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.trace import Tables, merged, record_runs
from bulkhead.circuit.venue import Venue, venue_of
from bulkhead.circuit.words import MARKETS_RECORD
from bulkhead.ledger.commitment import EMPTY_LEAF, commitment_felts, leaf_of
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import AccountTree, leaf_place
from bulkhead.limits import TREE_DEPTH
from stark.chips.merkle_update import Change, MerkleUpdate
from stark.chips.poseidon import Poseidon, list_sponge
from stark.chips.ranges import NUMBER_LIMBS, Numbers, Range
from stark.chips.tables import small_cells
from stark.poseidon import hash_many


class Settling(Play):
    """Some accounts of a state settled, one after the other, and then their choices forgotten."""

    in_turn = False

    def __init__(self, before: State, venue: Venue):
        super().__init__(before, venue)
        self.programs, self.writers = escape_programs(venue), escape_writers(venue)

    def settle(self, accounts: list[int]) -> list[Payout]:
        """The frames of these accounts: payouts first, so that they are numbered as the statement lists them."""
        for account in accounts:
            self.run(escape_name(len(self.memory.positions(account))), account)
        for account in accounts:
            for market in self.memory.choices(account):
                self.run(FORGET, (account, market))
        return self.payouts(len(accounts))

    def payouts(self, count: int) -> list[Payout]:
        """What the first frames told."""
        told = self.memory.told
        return [
            Payout(*(told[tag, number, 0] for tag in (Tag.PAYOUT_ACCOUNT, Tag.PAYOUT_OWNER, Tag.PAYOUT_AMOUNT)))
            for number in range(1, count + 1)
        ]


class Last(NamedTuple):
    """The last state: what S is made of. It does not change while accounts are settled."""

    state: State
    felts: list[int]


def escape_traces(state: State, shape: EscapeShape, settled: Collection[int] = ()) -> Iterator[Tables]:
    """The tables of all statements, in order: each settles as many accounts, by rising number, as the shape holds.

    They go on where some accounts were `settled` by statements before.

    Raises NotProvable for a venue without circuits, Mismatch where an account's words are not what the ledger writes,
    ValueError where not even one account fits the shape.
    """
    tree = AccountTree({account_id: leaf_of(account) for account_id, account in state.accounts.items()})
    last = Last(state, commitment_felts(state, tree.root))
    left = {account_id: account for account_id, account in sorted(state.accounts.items()) if account_id not in settled}
    tree.update(dict.fromkeys(settled, EMPTY_LEAF))
    while left:
        before = replace(state, accounts=dict(left))
        accounts, tables = _largest(before, tree, last, shape)
        yield tables
        tree.update(dict.fromkeys(accounts, EMPTY_LEAF))
        for account in accounts:
            del left[account]


def _largest(before: State, tree: AccountTree, last: Last, shape: EscapeShape) -> tuple[list[int], Tables]:
    """The next statement: as many of the accounts that are left as fit; tables say that they are full."""
    numbers, venue = list(before.accounts), venue_of(before.config)
    count = _reach(before, venue, shape)
    while True:
        accounts = numbers[:count]
        settling = Settling(before, venue)
        payouts = settling.settle(accounts)
        try:
            return accounts, escape_tables(settling, payouts, accounts, Stage(tree, last, shape))
        except ValueError as problem:
            if count == 1:
                raise ValueError(f"account {accounts[0]} alone does not fit the escape's shape: {problem}") from problem
            count -= 1 + (count >> 2)


def _reach(before: State, venue: Venue, shape: EscapeShape) -> int:
    """How many accounts, from the first on, have payouts and rows of rules that fit: one at least, where there are any.

    Other tables may still be too small.
    """
    programs = escape_programs(venue)
    rows = {count: len(programs[escape_name(count)].instructions) for count in range(venue.positions_max + 1)}
    to_forget, used = len(programs[FORGET].instructions), 0
    for place, account in enumerate(before.accounts.values()):
        used += rows[len(account.positions)] + to_forget * len(account.choices)
        if place and (place == shape.payouts or used > 1 << shape.log_rules):
            return place
    return len(before.accounts)


class Stage(NamedTuple):
    """Between two statements: the tree as the last one left it."""

    tree: AccountTree
    last: Last
    shape: EscapeShape


def escape_tables(settling: Settling, payouts: list[Payout], accounts: list[int], stage: Stage) -> Tables:
    """The tables of what was played. ValueError where the shape is too small."""
    tree, last, shape = stage
    rules = fill_rules(settling.frames, list(settling.programs.values()), (), shape)
    before = settling.memory.state
    gone = frozenset(accounts)
    after = replace(before, accounts={each: held for each, held in before.accounts.items() if each not in gone})
    # The money, the oracle and the counters are read by no program: the statement hashes them as they are.
    runs = [run for run in record_runs(before, after, settling) if run.is_account or run.record == MARKETS_RECORD]
    changes = {leaf_place(account): Change(tree.leaf(account), EMPTY_LEAF) for account in sorted(accounts)}
    nodes = MerkleUpdate().fill(TREE_DEPTH, changes, tree.node, shape.log_tree)
    records, record_lists = Gone().fill(runs, shape.log_records)
    lists = [*rules.hashed, *record_lists, *nodes.hashed, list_sponge(last.felts)]
    numbers = Numbers().fill([*rules.asked, *asked_by(runs)], shape.log_numbers)
    traces = [
        rules.rules,
        rules.programs,
        records,
        nodes.table,
        Poseidon().fill(merged(lists), shape.log_poseidon)[0],
        numbers,
        Range().fill(small_cells(numbers, slice(0, NUMBER_LIMBS))),
        Payouts().fill(payouts, shape.log_programs),
    ]
    _, _, start, orders, markets, money, oracle, counters = last.felts
    values = {
        "state": hash_many(last.felts), "accounts_start": start, "orders": orders, "markets": markets, "money": money,
        "oracle": oracle, "counters": counters, "accounts_before": nodes.root.before,
        "accounts_after": nodes.root.after,
    }  # fmt: skip
    return Tables(escape_public(values, payouts, shape), traces)
