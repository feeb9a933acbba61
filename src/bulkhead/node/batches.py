"""Batches of a journal: the state before one, the transactions in it, and the state after, replayed for a prover.

The exchange may be running: only what it has acknowledged is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bulkhead.codec import CodecError
from bulkhead.engine.command import SealBatch
from bulkhead.engine.event import BatchSealed
from bulkhead.ledger.state import State
from bulkhead.ledger.tx import Transaction
from bulkhead.limits import TIME_MS_BITS
from bulkhead.node.follow import Follower
from bulkhead.node.records import COMMANDS, GENESIS, Genesis, digest_of, ledger_record, ledger_state
from bulkhead.node.replay import ExchangeError, Machine, read_genesis


class JournalledBatch(NamedTuple):
    """A batch between two seals (the first one begins at the genesis)."""

    number: int
    chain: bytes  # the journal's hash chain after the seal: which history the batch is of
    before: State
    transactions: tuple[Transaction, ...]
    after: State


class Batches:
    """The sealed batches of a journal in order, more of them as they are sealed. Raises JournalError, ExchangeError."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.begin: Genesis = read_genesis(folder)
        self.sealed = 0  # how many were found so far
        self._follower = _follower(folder, self.begin)
        self._machine = Machine(self.begin)
        self._machine.state.applied = []
        self._before = _copy(self._machine.state)

    def new(self) -> Iterator[JournalledBatch]:
        """Batches sealed since the last call, which must have been read to its end."""
        state = self._machine.state
        for record in self._follower.read():
            try:
                events = self._machine.handle(COMMANDS.decode(record.payload))
            except Exception as error:
                raise ExchangeError(
                    f"{self.folder}: this program cannot handle record {record.sequence} "
                    f"({type(error).__name__}: {error})"
                ) from error
            if not any(isinstance(event, BatchSealed) for event in events):
                continue
            transactions, state.applied = tuple(state.applied or ()), []
            before, self._before = self._before, _copy(state)
            self.sealed += 1
            assert state.counters.batches == self.sealed, "nothing but a seal ends a batch"
            yield JournalledBatch(self.sealed, record.chain, before, transactions, self._before)


class Seals:
    """Counts a journal's sealed batches without replaying it: how far a prover is behind is known at once."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._sealed, self._time_ms = folder, 0, 0
        self._follower = _follower(folder, read_genesis(folder))

    def count(self) -> int:
        """Batches sealed so far. A seal counts where the sequencer would not refuse it for its time."""
        for record in self._follower.read():
            try:
                command = COMMANDS.decode(record.payload)
            except CodecError as error:
                raise ExchangeError(f"{self.folder}: record {record.sequence} is no command: {error}") from error
            if self._time_ms <= command.time_ms < 1 << TIME_MS_BITS:
                self._time_ms = command.time_ms
                self._sealed += isinstance(command, SealBatch)
        return self._sealed


def batch_of(folder: Path, number: int) -> JournalledBatch:
    """One batch, replayed from the genesis. ExchangeError where there is none of that number."""
    if number < 1:
        raise ExchangeError(f"batches are counted from 1: there is none of number {number}")
    batches = Batches(folder)
    for batch in batches.new():
        if batch.number == number:
            return batch
    raise ExchangeError(f"{folder} has {batches.sealed} sealed batches: there is none of number {number}")


def _follower(folder: Path, begin: Genesis) -> Follower:
    return Follower(folder, digest_of(GENESIS.encode(begin)))


def _copy(state: State) -> State:
    """The state as it is now, which the machine goes on from. Records are frozen, so both share them."""
    return ledger_state(state.config, ledger_record(state))
