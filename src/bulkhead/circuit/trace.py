"""From a batch to its tables: the transactions are played on words of memory, as the circuit sees them.

The ledger has already said what the batch does. What the frames leave in memory must be what the ledger's state holds
at the end: where it is not, `Mismatch` names the word, for then ledger and circuit disagree and one of them is wrong.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from bulkhead.circuit.batch import CIRCUIT_VERSION, Lists, Shape, public_of
from bulkhead.circuit.filling import fill_rules, lists_of
from bulkhead.circuit.forced import forced_of
from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.orders import LiveOrders, Shown, ShownLists
from bulkhead.circuit.plates import fill_plates, laid_out
from bulkhead.circuit.play import Play, signatures_of
from bulkhead.circuit.record import RecordRun, Records, Word, asked_by
from bulkhead.circuit.venue import terms_of, venue_of
from bulkhead.circuit.words import (
    EXPIRY_BITS,
    FIXED_WORDS,
    ORDER_RECORD,
    ORDER_ROOT,
    RECORDS,
    WORD_BITS,
    key_of,
    record_words,
)
from bulkhead.fixed import seconds_floor
from bulkhead.ledger.commitment import commitment_felts, counters_felts, leaf_of
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.orders import list_of
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import AccountTree, leaf_place
from bulkhead.ledger.tx import Deposit, ForcedClose, ForcedWithdrawal, FundDeposit, Refund, Transaction
from bulkhead.limits import ORDER_TREE_DEPTH, TREE_DEPTH
from bulkhead.signing.messages import short_string
from stark.chips.ecdsa_table import Filled as Signatures
from stark.chips.ecdsa_table import fill_ecdsa
from stark.chips.merkle_update import Change, Climb, climb
from stark.chips.poseidon import Poseidon, Sponge, list_sponge
from stark.chips.ranges import NUMBER_BITS, NUMBER_LIMBS, Numbers, Range, numbers_of
from stark.chips.tables import by_rows, small_cells
from stark.ecdsa import Signed
from stark.field import Felts
from stark.poseidon import hash_many

EXPIRY_MASK = (1 << EXPIRY_BITS) - 1


class Tables(NamedTuple):
    """The statement's elements and the tables of a batch."""

    public: list[int]
    traces: list[Felts]


def trace(
    before: State, after: State, transactions: Sequence[Transaction], shape: Shape, threads: int = 1
) -> Tables:
    """The tables of the accepted transactions that lead from one sealed state to the next.

    Raises NotProvable for a transaction that has no circuit, ValueError where the shape is too small, Mismatch where
    the frames do not lead to the ledger's state.
    """
    return tables_of(played(before, transactions), after, transactions, shape, threads)


def played(before: State, transactions: Sequence[Transaction]) -> Play:
    """The frames of the transactions, whatever the shape. Raises as `trace` does, but for a ValueError."""
    play = Play(before, venue_of(before.config))
    with _uncollected():
        for number, transaction in enumerate(transactions):
            play.take(number, transaction)
        play.run("close", None)
    return play


@contextmanager
def _uncollected() -> Iterator[None]:
    """Millions of values are made, none of which is in a circle: looking for circles would take a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            if not gc.get_freeze_count():
                # What was made counts as old now, or the next allocation would look through all of it.
                gc.freeze()
                gc.unfreeze()
            gc.enable()


@_uncollected()
def tables_of(
    play: Play, after: State, transactions: Sequence[Transaction], shape: Shape, threads: int = 1
) -> Tables:
    """The tables of what was played."""
    before = play.memory.state
    with _beside(threads) as beside:
        # Signatures and hashes are work of kernels, which hold no lock: meanwhile other tables are made of integers.
        signatures = beside(_signed_table, transactions, play, shape, threads)
        runs, entries = record_runs(before, after, play), entries_shown(before, play)
        accounts = _climb_accounts(before, after, runs)
        records, record_lists = Records().fill(runs, shape.log_records)
        orders, order_trees = order_lists(before, after, entries, shape.log_orders)
        trees = [accounts, *order_trees]
        roots = zip((before, after), accounts.root, strict=True)
        stated = [felts for state, root in roots for felts in _stated(state, root)]
        lists = [*lists_of(play.frames), *record_lists, *orders.hashed, *(one for tree in trees for one in tree.hashed)]
        lists += map(list_sponge, stated)
        chip = Poseidon(play.venue.message_prefix)
        hashes = beside(chip.fill, merged(lists), shape.log_poseidon, threads)
        plates = fill_plates(play.frames, laid_out(play.programs, shape.plates), shape.log_plates, threads)
        rules = fill_rules(play.frames, list(play.programs.values()), terms_of(play.venue), shape, plates.frames)
        others = numbers_of([*rules.asked, *asked_by(runs), *orders.asked], NUMBER_BITS)
        numbers = Numbers().fill(np.concatenate([plates.asked, others]), shape.log_numbers)
        nodes = by_rows([row for tree in trees for row in tree.rows], shape.log_tree)
        table, asked = signatures()
        limbs = np.concatenate([small_cells(numbers, slice(0, NUMBER_LIMBS)), asked])
        traces = [
            rules.rules, rules.programs, rules.terms, records, orders.table, nodes, table, hashes()[0], numbers,
            Range().fill(limbs), plates.table,
        ]  # fmt: skip
    lists_stated = _lists(transactions, play, runs, entries)
    values = _values(before, after, stated) | {
        "chain": short_string(before.config.chain_id), "version": CIRCUIT_VERSION, "shape": shape.number,
    }  # fmt: skip
    return Tables(public_of(values, lists_stated, shape), traces)


@contextmanager
def _beside(threads: int) -> Iterator[Callable[..., Callable[[], Any]]]:
    """Starts a function beside what goes on, and answers where its result can be had; with one thread, at once."""
    if threads == 1:

        def now(function: Callable[..., Any], *given: Any) -> Callable[[], Any]:
            found = function(*given)
            return lambda: found

        yield now
        return
    with ThreadPoolExecutor(1) as pool:
        yield lambda function, *given: pool.submit(function, *given).result


def _climb_accounts(before: State, after: State, runs: Sequence[RecordRun]) -> Climb:
    tree = AccountTree({account_id: leaf_of(account) for account_id, account in before.accounts.items()})
    changes = {
        leaf_place(account_id): Change(tree.leaf(account_id), leaf_of(after.accounts.get(account_id)))
        for account_id in sorted(run.record for run in runs if run.is_account)
    }
    return climb(TREE_DEPTH, changes, tree.node)


def _signed_table(transactions: Sequence[Transaction], play: Play, shape: Shape, threads: int) -> Signatures:
    """The table of signatures: an order that fills several times is signed once, and taken as often as it fills."""
    times = Counter(_signatures(transactions, play))
    return fill_ecdsa(list(times), list(times.values()), shape.log_signatures, threads)


def _signatures(transactions: Sequence[Transaction], play: Play) -> list[Signed]:
    """The signatures over the messages that frames have taken, in their order."""
    found = [signature for transaction in transactions for signature in signatures_of(transaction)]
    taken = [pair for frame in play.frames for pair in frame.signed]
    assert len(found) == len(taken)  # a program takes as many signatures as its transaction carries
    return [
        Signed(key, message, signature.r, signature.s)
        for (key, message), signature in zip(taken, found, strict=True)
    ]


def record_runs(before: State, after: State, play: Play) -> list[RecordRun]:
    """The records that were touched, each word with its history: accounts by number, then the venue's own."""
    runs = []
    touched: dict[int, set[int]] = {}  # words by record
    for key in play.memory.written:
        if key >> WORD_BITS < ORDER_RECORD:
            touched.setdefault(key >> WORD_BITS, set()).add(key & ((1 << WORD_BITS) - 1))
    # The tree shows at least one leaf: where a batch touches none, the backstop's, as it is.
    accounts = sorted(touched.keys() - set(RECORDS)) or [int(BACKSTOP_ACCOUNT)]
    for record in [*accounts, *RECORDS]:
        old, new = record_words(before, record), record_words(after, record)
        is_account = record not in RECORDS
        # An account that comes and goes within a batch has its fixed words too.
        fixed = range(FIXED_WORDS) if is_account else ()
        words = sorted({*old, *new, *touched.get(record, ()), *fixed})
        runs.append(RecordRun(record, is_account, _words(record, words, (old, new), play), bool(old), bool(new)))
    return runs


def _words(
    record: int, words: Iterable[int], states: tuple[dict[int, int], dict[int, int]], play: Play
) -> dict[int, Word]:
    (old, new), memory, base = states, play.memory, record << WORD_BITS
    found = {}
    for number in words:
        word, expected = old.get(number, 0), new.get(number, 0)
        value, written = memory.look(base + number), memory.written.get(base + number, 0)
        if value != expected:
            raise Mismatch(f"record {record}, word {number}: the ledger has {expected}, the circuit's rows {value}")
        found[number] = Word(word, expected, written)
    return found


def entries_shown(before: State, play: Play) -> list[Shown]:
    """By rising key: the orders that the batch touched, and all that are in their lists."""
    base = key_of(ORDER_RECORD, 0)
    touched = {key - base: written for key, written in play.memory.written.items() if key >= base}
    lists = {list_of(key) for key in touched}
    known = {key: (filled, expiry_s) for number in lists for key, filled, expiry_s in before.filled.entries(number)}
    found = []
    for key in sorted({*known, *touched}):
        filled, expiry_s = known.get(key, (None, 0))
        if key in touched:
            word = play.memory.look(base + key)
            found.append(Shown(key, filled, word >> EXPIRY_BITS, word & EXPIRY_MASK, touched[key]))
        else:
            assert filled is not None
            found.append(Shown(key, filled, filled, expiry_s))
    return found


def order_lists(before: State, after: State, entries: list[Shown], log_rows: int) -> tuple[ShownLists, list[Climb]]:
    """The lists of filled orders, and the tree above them where there are any. Mismatch where the ledger's differ."""
    root = before.filled.root
    orders = LiveOrders().fill(entries, seconds_floor(after.time_ms), root, log_rows)
    trees = []
    if orders.leaves:
        trees.append(climb(ORDER_TREE_DEPTH, orders.leaves, before.filled.node, ORDER_ROOT))
    found = Change(root, root) if not trees else trees[0].root
    if found != (root, after.filled.root):
        raise Mismatch(f"filled orders: the ledger's root is {after.filled.root}, the circuit's {found.after}")
    return orders, trees


def _lists(transactions: Sequence[Transaction], play: Play, runs: list[RecordRun], entries: list[Shown]) -> Lists:
    """What the statement lists: deposits and payments and forced requests in order, then changed words."""
    deposits = [
        (0 if isinstance(each, FundDeposit) else int(each.account_id), int(each.amount), each.depositor)
        for each in transactions
        if isinstance(each, Deposit | FundDeposit | Refund)
    ]
    forced = [forced_of(each) for each in transactions if isinstance(each, ForcedWithdrawal | ForcedClose)]
    changed = [
        (key_of(run.record, number), word.after)
        for run in runs
        for number, word in sorted(run.words.items())
        if word.before != word.after
    ]
    changed += [
        (key_of(ORDER_RECORD, entry.key), entry.filled_after << EXPIRY_BITS | entry.expiry_s)
        for entry in entries
        if entry.written
    ]
    return Lists(deposits, play.paid(), forced, changed)


def _stated(state: State, accounts_root: int) -> list[list[int]]:
    """The lists that the statement hashes: the counters, and what S is made of."""
    return [counters_felts(state), commitment_felts(state, accounts_root)]


def merged(sponges: Iterable[Sponge]) -> list[Sponge]:
    """Equal lists once, as often as all of them together are taken."""
    counts: dict[tuple[int, tuple[int, ...]], int] = {}
    for capacity, elements, times in sponges:
        key = capacity, elements
        counts[key] = counts.get(key, 0) + times
    return [Sponge(*key, times) for key, times in counts.items()]


def _values(before: State, after: State, stated: list[list[int]]) -> dict[str, int]:
    """The statement's single elements by name."""
    values: dict[str, int] = {"batches_before": before.counters.batches, "now_s": seconds_floor(after.time_ms)}
    for when, state, felts in (("before", before, stated[1]), ("after", after, stated[3])):
        _, _, accounts, orders, markets, money, oracle, counters = felts
        values |= {
            f"state_{when}": hash_many(felts), f"accounts_{when}": accounts, f"orders_{when}": orders,
            f"markets_{when}": markets, f"money_{when}": money, f"oracle_{when}": oracle,
            f"counters_{when}": counters, f"deposits_{when}": state.counters.deposits,
            f"withdrawals_{when}": state.counters.withdrawals, f"forced_{when}": state.counters.forced,
            f"transactions_{when}": state.counters.transactions, f"time_ms_{when}": int(state.time_ms),
            f"fresh_after_ms_{when}": int(state.counters.fresh_after_ms),
        }  # fmt: skip
    return values
