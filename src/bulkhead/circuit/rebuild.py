"""The exchange's state from what L1 was given: every proven statement lists the words it changed.

Whoever has the first state and the statements that moved L1, which are calldata, has every state since. Each step is
checked against S, so that what was rebuilt is what was proven.
"""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.circuit.batch import Shape, names_of
from bulkhead.circuit.operations import HALF
from bulkhead.circuit.play import account_words
from bulkhead.circuit.words import EXPIRY_BITS, MONEY, MONEY_RECORD, ORDER_RECORD, WORD_BITS
from bulkhead.ledger.commitment import commitment, leaf_of, money_felts
from bulkhead.ledger.state import State, put_account
from bulkhead.ledger.tree import AccountTree
from bulkhead.limits import QUOTE_LIMIT
from bulkhead.units import AssetId, Quote, TimeMs

WORD_MASK = (1 << WORD_BITS) - 1


class RebuildError(Exception):
    """A statement does not lead from the state that is known to the one it names."""


class Rebuilt:
    """A state that follows L1, statement by statement."""

    def __init__(self, first: State, shape: Shape):
        self.state, self.shape = first, shape
        self.tree = AccountTree({account_id: leaf_of(account) for account_id, account in first.accounts.items()})
        self.root = commitment(first, self.tree.root)

    def follow(self, statement: Sequence[int]) -> None:
        """Apply a statement that L1 has accepted; raises RebuildError where it does not fit."""
        said = dict(zip(names_of(self.shape), statement, strict=True))
        number = said["batches_before"] + 1
        if said["state_before"] != self.root:
            raise RebuildError(f"batch {number} begins at another state than the one before it ended with")
        changed = [
            (said[f"changed_key_{place}"], said[f"changed_value_{place}"])
            for place in range(self.shape.changes)
            if said[f"changed_used_{place}"]
        ]
        leaves = {}
        for key, value in changed:
            account_id = self._write(key, value)
            if account_id is not None:
                leaves[account_id] = leaf_of(self.state.accounts[account_id])
        state = self.state
        state.time_ms = TimeMs(said["time_ms_after"])
        state.filled.drop_expired(said["now_s"])
        state.counters = state.counters._replace(
            deposits=said["deposits_after"],
            withdrawals=said["withdrawals_after"],
            transactions=said["transactions_after"],
            batches=number,
        )
        self.tree.update(leaves)
        self.root = commitment(state, self.tree.root)
        if self.root != said["state_after"]:
            raise RebuildError(f"batch {number}: the words it lists do not lead to the state it names")

    def _write(self, key: int, value: int) -> int | None:
        """Set a word; answers the account it belongs to."""
        record, number = key >> WORD_BITS, key & WORD_MASK
        if key >> WORD_BITS >= ORDER_RECORD:
            filled, expiry_s = value >> EXPIRY_BITS, value & ((1 << EXPIRY_BITS) - 1)
            self.state.filled.put(key - (ORDER_RECORD << WORD_BITS), filled, expiry_s)
            return None
        if record == MONEY_RECORD:
            self._write_money(number, value)
            return None
        account = self.state.accounts.get(record)
        if account is None or (number != MONEY and value != self._word(record, number)):
            raise RebuildError(f"record {record}, word {number}: no circuit changes it")
        if number == MONEY:
            balance, topped_up = (Quote(half - QUOTE_LIMIT) for half in divmod(value, HALF))
            put_account(self.state, account._replace(balance=balance, topped_up=topped_up))
        return record

    def _word(self, record: int, number: int) -> int:
        return account_words(self.state.accounts[record]).get(number, 0)

    def _write_money(self, number: int, value: int) -> None:
        words = money_felts(self.state)
        first = len(words) - len(self.state.custody)
        if number >= first:
            asset_id, held = divmod(value, HALF)
            self.state.custody[AssetId(asset_id)] = held
        elif words[number] != value:
            raise RebuildError(f"the venue's money, word {number}: no circuit changes it")
