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
from bulkhead.limits import NONCE_BITS, TIME_MS_BITS
from bulkhead.node import snapshot
from bulkhead.node.follow import Follower
from bulkhead.node.records import (
    COMMANDS,
    EXCHANGE,
    GENESIS,
    ExchangeRecord,
    Genesis,
    digest_of,
    ledger_record,
    ledger_state,
)
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

    def __init__(self, folder: Path, first: int = 1) -> None:
        """Begins at batch `first`, or some way before it: at a snapshot of the exchange where there is one, so that a
        long journal need not be replayed whole.
        """
        self.folder = folder
        self.begin: Genesis = read_genesis(folder)
        self._follower, record = _begin(folder, self.begin, first - 2)
        self._machine = Machine(self.begin, record)
        self.sealed = self._machine.state.counters.batches  # how many were found, or passed over
        self._machine.state.applied = []
        # A snapshot is taken in the middle of a batch, of which the first transactions are not known.
        self._before = None if record is not None else copy_of(self._machine.state)

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
            _ = state.filled.root  # hashed here, where only what changed is, and not anew in every copy
            before, self._before = self._before, copy_of(state)
            self.sealed += 1
            assert state.counters.batches == self.sealed, "nothing but a seal ends a batch"
            if before is not None:
                yield JournalledBatch(self.sealed, record.chain, before, transactions, self._before)


class Seals:
    """Counts a journal's sealed batches without replaying it: how far a prover is behind is known at once."""

    def __init__(self, folder: Path, known: int = 1 << NONCE_BITS) -> None:
        """Begins behind a snapshot with at most `known` batches: for those sealed after it, `chains` has the journal's
        hash chain by batch number.
        """
        self.folder, self._sealed, self._time_ms = folder, 0, 0
        self.chains: dict[int, bytes] = {}
        self._follower, record = _begin(folder, read_genesis(folder), known)
        if record is not None:
            self._sealed, self._time_ms = record.ledger.counters.batches, int(record.venue.engine.time_ms)

    def count(self) -> int:
        """Batches sealed so far. A seal counts where the sequencer would not refuse it for its time."""
        for record in self._follower.read():
            try:
                command = COMMANDS.decode(record.payload)
            except CodecError as error:
                raise ExchangeError(f"{self.folder}: record {record.sequence} is no command: {error}") from error
            if self._time_ms <= command.time_ms < 1 << TIME_MS_BITS:
                self._time_ms = command.time_ms
                if isinstance(command, SealBatch):
                    self._sealed += 1
                    self.chains[self._sealed] = record.chain
        return self._sealed


def batch_of(folder: Path, number: int) -> JournalledBatch:
    """One batch, replayed. ExchangeError where there is none of that number."""
    if number < 1:
        raise ExchangeError(f"batches are counted from 1: there is none of number {number}")
    batches = Batches(folder, number)
    for batch in batches.new():
        if batch.number == number:
            return batch
    raise ExchangeError(f"{folder} has {batches.sealed} sealed batches: there is none of number {number}")


def _begin(folder: Path, begin: Genesis, sealed_max: int) -> tuple[Follower, ExchangeRecord | None]:
    """A place in the journal: behind its newest snapshot with so few sealed batches, else at the genesis."""
    genesis = digest_of(GENESIS.encode(begin))
    for taken in snapshot.whole(folder, genesis) if sealed_max >= 0 else ():
        try:
            record = EXCHANGE.decode(taken.payload)
        except CodecError:  # another version of this program wrote it; the journal itself does as well
            continue
        follower = Follower(folder, genesis)
        if record.ledger.counters.batches <= sealed_max and follower.go_to(*taken.tip):
            return follower, record
    return Follower(folder, genesis), None


def copy_of(state: State) -> State:
    """The state as it is now, which the machine goes on from. Records and lists are frozen, so both share them."""
    copied = ledger_state(state.config, ledger_record(state, with_orders=False))
    copied.filled = state.filled.copy()
    return copied
