"""From a batch to its tables: the transactions are played on words of memory, row by row, as the circuit sees them.

The ledger has already said what the batch does. What the rows leave in memory must be what the ledger's state holds at
the end: where it is not, `Mismatch` names the word, for then ledger and circuit disagree and one of them is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bulkhead.circuit.batch import Lists, Shape, public_of, venue_of
from bulkhead.circuit.orders import Entry, LiveOrders, asked_by_orders
from bulkhead.circuit.play import Play, account_words, money_words
from bulkhead.circuit.record import RecordRun, Records, Word, asked_by
from bulkhead.circuit.words import MONEY_RECORD, key_of
from bulkhead.fixed import seconds_floor
from bulkhead.ledger.commitment import commitment_felts, counters_felts, leaf_of
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import AccountTree
from bulkhead.ledger.tx import Deposit, Transaction, Withdrawal
from bulkhead.limits import TREE_DEPTH
from stark.chips.ecdsa_table import fill_ecdsa
from stark.chips.merkle_update import Change, MerkleUpdate
from stark.chips.poseidon import Poseidon, Sponge, list_sponge
from stark.chips.ranges import NUMBER_LIMBS, Numbers, Range
from stark.chips.tables import by_rows, cells
from stark.field import Felts
from stark.poseidon import hash_many


class Mismatch(Exception):
    """Ledger and circuit disagree about a word: a bug in one of them."""


class Tables(NamedTuple):
    """The statement's elements and the tables of a batch."""

    public: list[int]
    traces: list[Felts]


def trace(before: State, after: State, transactions: Sequence[Transaction], shape: Shape) -> Tables:
    """The tables of the accepted transactions that lead from one sealed state to the next.

    Raises NotProvable for a transaction that has no circuit, ValueError where the shape is too small, Mismatch where
    the rows do not lead to the ledger's state.
    """
    play = Play(before, venue_of(before.config))
    for number, transaction in enumerate(transactions):
        play.take(number, transaction)
    runs = _record_runs(before, after, play)
    tree = AccountTree({account_id: leaf_of(account) for account_id, account in before.accounts.items()})
    changes = {
        account_id: Change(tree.leaf(account_id), leaf_of(after.accounts.get(account_id)))
        for account_id in sorted(play.accounts)
    }
    nodes = MerkleUpdate().fill(TREE_DEPTH, changes, tree.node, shape.log_tree)
    now_s, entries = seconds_floor(after.time_ms), _entries(before, play)
    records, record_lists = Records().fill(runs, shape.log_records)
    orders, order_lists = LiveOrders().fill(entries, now_s, shape.log_orders)
    stated = [felts for state, root in zip((before, after), nodes.root, strict=True) for felts in _stated(state, root)]
    lists = [*play.hashed, *record_lists, *order_lists, *nodes.hashed, *map(list_sponge, stated)]
    numbers = Numbers().fill([*play.asked, *asked_by(runs), *asked_by_orders(entries, now_s)], shape.log_numbers)
    traces = [
        by_rows(play.rows, shape.log_rules, play.width),
        records,
        orders,
        nodes.table,
        fill_ecdsa(play.signed, [1] * len(play.signed), shape.log_signatures),
        Poseidon().fill(_merged(lists), shape.log_poseidon)[0],
        numbers,
        Range().fill(cells(numbers, slice(0, NUMBER_LIMBS))),
    ]
    changed = [(key, value) for key, (value, written) in sorted(play.memory.items()) if written]
    values = _values(before, after, stated)
    deposits = [(int(each.account_id), each.amount) for each in transactions if isinstance(each, Deposit)]
    paid = [(each.recipient, each.amount) for each in transactions if isinstance(each, Withdrawal)]
    return Tables(public_of(values, Lists(deposits, paid, changed), shape), traces)


def _record_runs(before: State, after: State, play: Play) -> list[RecordRun]:
    """The records that were touched, each word with its history."""
    runs = []
    for account_id in sorted(play.accounts):
        old, new = account_words(before.accounts.get(account_id)), account_words(after.accounts.get(account_id))
        runs.append(RecordRun(account_id, True, _words(account_id, old, new, play), bool(old), bool(new)))
    runs.append(RecordRun(MONEY_RECORD, False, _words(MONEY_RECORD, money_words(before), money_words(after), play)))
    return runs


def _words(record: int, old: dict[int, int], new: dict[int, int], play: Play) -> dict[int, Word]:
    found = {}
    for number in sorted({*old, *new}):
        word, expected = old.get(number, 0), new.get(number, 0)
        value, written = play.memory.get(key_of(record, number), (word, 0))
        if value != expected:
            raise Mismatch(f"record {record}, word {number}: the ledger has {expected}, the circuit's rows {value}")
        found[number] = Word(word, expected, written)
    return found


def _entries(before: State, play: Play) -> list[Entry]:
    """Live orders before the batch, and those it made."""
    known, made = before.filled.entries, play.spent
    found = []
    for key in sorted({*known, *made}):
        filled, expiry_s = known.get(key, (None, 0))
        if key in made:
            amount, expiry_s, written = made[key]
            found.append(Entry(key, filled, amount, expiry_s, written))
        else:
            assert filled is not None
            found.append(Entry(key, filled, filled, expiry_s))
    return found


def _stated(state: State, accounts_root: int) -> list[list[int]]:
    """The lists that the statement hashes: the counters, and what S is made of."""
    return [counters_felts(state), commitment_felts(state, accounts_root)]


def _merged(sponges: Iterable[Sponge]) -> list[Sponge]:
    """Equal lists once, as often as all of them together are taken."""
    counts: Counter[Sponge] = Counter()
    for sponge in sponges:
        counts[sponge._replace(times=0)] += sponge.times
    return [sponge._replace(times=times) for sponge, times in counts.items()]


def _values(before: State, after: State, stated: list[list[int]]) -> dict[str, int]:
    """The statement's single elements by name."""
    values: dict[str, int] = {}
    for when, state, felts in (("before", before, stated[1]), ("after", after, stated[3])):
        _, _, accounts, orders, markets, money, oracle, counters = felts
        values |= {
            f"state_{when}": hash_many(felts), f"accounts_{when}": accounts, f"orders_{when}": orders,
            f"money_{when}": money, f"counters_{when}": counters, f"deposits_{when}": state.counters.deposits,
            f"withdrawals_{when}": state.counters.withdrawals, f"transactions_{when}": state.counters.transactions,
            f"time_ms_{when}": int(state.time_ms), "markets": markets, "oracle": oracle,
        }  # fmt: skip
    return values | {
        "forced": before.counters.forced, "batches_before": before.counters.batches,
        "fresh_after_ms": int(before.counters.fresh_after_ms), "now_s": seconds_floor(after.time_ms),
    }  # fmt: skip
