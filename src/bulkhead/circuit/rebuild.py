"""The exchange's state from what L1 was given: every proven statement lists the words it changed.

Whoever has the first state and the statements that moved L1, which are calldata, has every state since. Each step is
checked against S, so that what was rebuilt is what was proven.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.circuit.batch import Shape, names_of
from bulkhead.circuit.decode import account_of, put_record
from bulkhead.circuit.words import EXPIRY_BITS, ORDER_RECORD, RECORDS, WORD_BITS, key_of, record_words
from bulkhead.ledger.commitment import commitment, leaf_of
from bulkhead.ledger.state import State, put_account
from bulkhead.ledger.tree import AccountTree
from bulkhead.limits import FILLED_BITS, ORDER_KEY_BITS
from bulkhead.units import Quote

WORD_MASK = (1 << WORD_BITS) - 1
EXPIRY_MASK = (1 << EXPIRY_BITS) - 1


class RebuildError(Exception):
    """A statement does not lead from the state that is known to the one it names."""


class Rebuilt:
    """A state that follows L1, statement by statement."""

    def __init__(self, first: State, shape: Shape):
        self.state, self.shape = first, shape
        self.tree = AccountTree({account_id: leaf_of(account) for account_id, account in first.accounts.items()})
        self.root = commitment(first, self.tree.root)

    def follow(self, statement: Sequence[int]) -> None:
        """Apply a statement that L1 has accepted; raises RebuildError where it does not fit, and is no use then."""
        names = names_of(self.shape)
        said, listed = dict(zip(names, statement, strict=False)), statement[len(names) :]
        number = said["batches_before"] + 1
        if said["state_before"] != self.root:
            raise RebuildError(f"batch {number} begins at another state than the one before it ended with")
        records: dict[int, dict[int, int]] = {}
        try:
            for key, value in zip(listed[::2], listed[1::2], strict=True):
                self._note(records, key, value)
            leaves = self._write(records)
            self.state.filled.end_batch(said["now_s"])
            self.tree.update(leaves)
            self.root = commitment(self.state, self.tree.root)
        except (ValueError, KeyError, AssertionError) as problem:
            raise RebuildError(f"batch {number}: the words it lists are those of no state: {problem}") from problem
        if self.root != said["state_after"]:
            raise RebuildError(f"batch {number}: the words it lists do not lead to the state it names")

    def _note(self, records: dict[int, dict[int, int]], key: int, value: int) -> None:
        """Sort a changed word under its record; those of orders are set at once."""
        record = key >> WORD_BITS
        if record >= ORDER_RECORD:
            order, filled, expiry_s = key - key_of(ORDER_RECORD, 0), value >> EXPIRY_BITS, value & EXPIRY_MASK
            if order >> ORDER_KEY_BITS or filled >> FILLED_BITS:
                raise ValueError(f"there is no order {order} of which {filled} is filled")
            self.state.filled.put(order, filled, expiry_s)
            return
        if record not in records:
            records[record] = record_words(self.state, record)
        records[record][key & WORD_MASK] = value

    def _write(self, records: dict[int, dict[int, int]]) -> dict[int, int]:
        """Set the records that changed; answers the leaves of accounts."""
        leaves = {}
        for record, words in records.items():
            if record in RECORDS:
                put_record(self.state, record, words)
                continue
            if record >> WORD_BITS:
                raise ValueError(f"there is no record {record}")
            account, known = account_of(record, words), self.state.accounts.get(record)
            if account is not None:
                put_account(self.state, account)
            elif known is not None:  # only a child is forgotten, and only an empty one
                put_account(self.state, known._replace(balance=Quote(0), collateral=(), positions=()))
            leaves[record] = leaf_of(account)
        return leaves
