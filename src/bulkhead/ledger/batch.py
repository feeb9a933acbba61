"""Batches: the accepted transactions between two state commitments, and the statement that is proven about them.

`close(state)` ends a batch, in a running exchange at a journalled command. `Sealer(state).seal(applied)` closes one and
says what follows from it. The statement says what L1 must know; the availability bytes say what everybody must know to
rebuild the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import NamedTuple

from bulkhead.fixed import seconds_floor
from bulkhead.ledger import availability
from bulkhead.ledger.commitment import EMPTY_LEAF, commitment, leaf_of
from bulkhead.ledger.receipt import Paid, Receipt
from bulkhead.ledger.state import State
from bulkhead.ledger.tree import AccountTree
from bulkhead.ledger.tx import ForcedWithdrawal, Refund, Transaction, Withdrawal
from bulkhead.units import AssetId, TimeMs


class PaidOut(NamedTuple):
    """A withdrawal that L1 may pay once the batch is settled."""

    recipient: int
    asset_id: AssetId
    amount: int


class Statement(NamedTuple):
    """The public inputs of a batch's proof: everything L1 checks or acts on."""

    chain_id: str
    circuit_version: int
    shape: int  # which of the fixed circuit shapes proves it
    number: int
    state_before: int
    state_after: int
    time_first_ms: TimeMs  # no transaction is earlier ...
    time_last_ms: TimeMs  # ... or later
    deposits: tuple[int, int]  # consumed from L1's queue: after the first number, up to the second
    forced: tuple[int, int]  # and forced requests
    withdrawals: tuple[PaidOut, ...]
    availability: bytes  # SHA-256 of the bytes published with it


class Batch(NamedTuple):
    """A sealed batch: its statement, and the bytes that are published."""

    statement: Statement
    octets: bytes


class Sealer:
    """Keeps the accounts tree in step with the state, batch by batch."""

    def __init__(self, state: State, *, circuit_version: int = 1, shape: int = 1) -> None:
        """Begins at a state: hashes every account once. Whatever changed before is part of no batch."""
        self.state = state
        self.version, self.shape = circuit_version, shape
        self.tree = AccountTree({account_id: leaf_of(account) for account_id, account in state.accounts.items()})
        state.changed.clear()
        state.filled.begin_batch()
        self.root = commitment(state, self.tree.root)
        self._remember()

    def _remember(self) -> None:
        state = self.state
        self.orders = state.filled.copy()
        self.deposits, self.forced, self.time_ms = state.counters.deposits, state.counters.forced, state.time_ms

    def snapshot(self) -> bytes:
        """The whole state in the form of a diff from nothing: where a reader of published bytes begins."""
        accounts = dict(self.state.accounts)
        everything = availability.Change(dict(accounts), frozenset(accounts), tuple(self.state.filled))
        return availability.write(self.state, everything)

    def seal(self, applied: Iterable[tuple[Transaction, Receipt]]) -> Batch:
        """Close the batch of these transactions, which the state has taken since the last one.

        Expired orders are forgotten, the batch number rises, changed leaves are hashed, and nothing else happens:
        the root kept is the root of the leaves.
        """
        state = self.state
        touched = tuple(state.filled.touched)
        withdrawals = paid_out(state, applied)
        accounts = {account_id: state.accounts.get(account_id) for account_id in close(state)}
        leaves = {account_id: leaf_of(account) for account_id, account in accounts.items()}
        moved = {account_id: leaf for account_id, leaf in leaves.items() if leaf != self.tree.leaf(account_id)}
        new = frozenset(account_id for account_id in moved if self.tree.leaf(account_id) == EMPTY_LEAF)
        orders = tuple(
            entry
            for number in sorted(touched)
            for entry in state.filled.entries(number)
            if self.orders.kept(entry[0]) != entry[1:]
        )
        change = availability.Change({account_id: accounts[account_id] for account_id in moved}, new, orders, touched)
        octets = availability.write(state, change)
        self.tree.update(moved)
        before, self.root = self.root, commitment(state, self.tree.root)
        statement = Statement(
            state.config.chain_id,
            self.version,
            self.shape,
            state.counters.batches,
            before,
            self.root,
            self.time_ms,
            state.time_ms,
            (self.deposits, state.counters.deposits),
            (self.forced, state.counters.forced),
            withdrawals,
            sha256(octets).digest(),
        )
        self._remember()
        return Batch(statement, octets)


def close(state: State) -> tuple[int, ...]:
    """End a batch, the one way to do it: expired orders are forgotten where it entered any, and its number rises.

    Returns the accounts that changed since the last one was closed; what changes from now on is the next one's.
    """
    state.filled.end_batch(seconds_floor(state.time_ms))
    state.counters = state.counters._replace(batches=state.counters.batches + 1)
    changed = tuple(state.changed)
    state.changed.clear()
    return changed


def paid_out(state: State, applied: Iterable[tuple[Transaction, Receipt]]) -> tuple[PaidOut, ...]:
    """What L1 may pay: signed withdrawals to their recipient, forced ones to the account's owner on L1,
    deposits for nobody to whoever made them."""
    found: list[PaidOut] = []
    for transaction, receipt in applied:
        if not isinstance(receipt.detail, Paid):
            continue
        if isinstance(transaction, Withdrawal):
            found.append(PaidOut(transaction.recipient, transaction.asset_id, transaction.amount))
        if isinstance(transaction, Refund):
            found.append(PaidOut(transaction.depositor, transaction.asset_id, transaction.amount))
        if isinstance(transaction, ForcedWithdrawal):
            owner = state.accounts[transaction.account_id].l1_owner
            found.append(PaidOut(owner, transaction.asset_id, transaction.amount))
    return tuple(found)
