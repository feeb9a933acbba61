"""The deterministic exchange over a journal: begin at the genesis or at a snapshot, handle what was journalled since.

Replay trusts the journal's signatures (`Authority(verify=False)`): the door verified each before it was journalled, and
the hash chain says that nothing was changed since. Everything else is judged again and must come out alike.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bulkhead.codec import CodecError
from bulkhead.engine.command import Command
from bulkhead.engine.sequencer import Sequencer
from bulkhead.keepers.event import VenueEvent
from bulkhead.keepers.venue import Venue
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.commitment import commitment, leaf_of
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import State, genesis
from bulkhead.ledger.tree import AccountTree
from bulkhead.node import snapshot
from bulkhead.node.journal import Journal, JournalCorrupt, JournalError, TornTail, sync_directory
from bulkhead.node.records import (
    COMMANDS,
    EXCHANGE,
    GENESIS,
    RULES_VERSION,
    ExchangeRecord,
    Genesis,
    digest_of,
    ledger_record,
    ledger_state,
)
from bulkhead.node.snapshot import SnapshotRefused
from bulkhead.units import TimeMs

GENESIS_FILE = "genesis.bin"

Progress = Callable[[int, int], None]
"""Called now and then with (commands done, commands in all)."""


class ExchangeError(Exception):
    """The exchange cannot be opened or used as asked; the text says what to do."""


class Machine:
    """The whole deterministic exchange: a ledger state and the venue over it. Same commands, same root."""

    def __init__(self, begin: Genesis, record: ExchangeRecord | None = None) -> None:
        config = begin.config
        self.authority = Authority(config, verify=False)
        if record is None:
            self.state: State = genesis(config, begin.time_ms)
            self.venue = Venue(Sequencer(self.state, self.authority))
        else:
            self.state = ledger_state(config, record.ledger)
            self.venue = Venue.load(self.state, self.authority, record.venue)

    def handle(self, command: Command) -> list[VenueEvent]:
        """One command and everything that follows from it."""
        return self.venue.handle(command)

    def record(self) -> ExchangeRecord:
        """Everything that decides what the next command does."""
        return ExchangeRecord(ledger_record(self.state), self.venue.dump())

    def root(self) -> int:
        """The state commitment: all that decides validity, in one field element. Every account is hashed anew."""
        leaves = {account_id: leaf_of(account) for account_id, account in self.state.accounts.items()}
        return commitment(self.state, AccountTree(leaves).root)

    def digest(self) -> bytes:
        """SHA-256 of `record`: ledger, books, triggers, keepers. Exchanges of one digest go on alike."""
        return digest_of(EXCHANGE.encode(self.record()))


class Replayed(NamedTuple):
    """What a replay came to."""

    machine: Machine
    begun_after: int  # sequence of the snapshot it began at; 0: the genesis
    sequence: int  # of the last command handled
    torn: TornTail | None
    refused: tuple[SnapshotRefused, ...]


def write_genesis(folder: Path, config: VenueConfig, time_ms: TimeMs) -> Genesis:
    """Begin an exchange in an empty folder: its genesis is on the disk before anything else."""
    begin = Genesis(RULES_VERSION, config, time_ms)
    genesis(config, time_ms)  # refuses an illegal configuration before anything is on the disk
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("journal-*.log")):
        raise ExchangeError(f"{folder} holds a journal, but no {GENESIS_FILE}; restore that file")
    part = folder / f"{GENESIS_FILE}.part"
    with part.open("wb") as file:
        file.write(GENESIS.encode(begin))
        file.flush()
        os.fsync(file.fileno())
    os.rename(part, folder / GENESIS_FILE)
    sync_directory(folder)
    return begin


def read_genesis(folder: Path) -> Genesis:
    """What the exchange in a folder began with. Whether the bytes are right, the journal's header knows."""
    path = folder / GENESIS_FILE
    try:
        begin = GENESIS.decode(path.read_bytes())
    except FileNotFoundError as error:
        raise ExchangeError(f"{folder} holds no exchange: there is no {GENESIS_FILE}") from error
    except CodecError as error:
        raise JournalCorrupt(path, 0, f"not a genesis: {error}") from error
    if begin.rules_version != RULES_VERSION:
        raise ExchangeError(
            f"{path}: made under rules {begin.rules_version}, this program has {RULES_VERSION}; use a program of those"
        )
    return begin


def open_journal(folder: Path, begin: Genesis, *, repair: bool = False) -> Journal:
    """The journal of an exchange, bound to its genesis."""
    return Journal.open(folder, digest_of(GENESIS.encode(begin)), repair=repair)


def restore(journal: Journal, begin: Genesis, *, use_snapshot: bool = True) -> Replayed:
    """The machine at the newest snapshot the journal vouches for (or at the genesis), nothing replayed yet."""
    found, refused = snapshot.load(journal) if use_snapshot else (None, [])
    if found is None:
        return Replayed(Machine(begin), 0, 0, journal.torn, tuple(refused))
    try:
        with _collector_resting():
            machine = Machine(begin, EXCHANGE.decode(found.payload))
    except CodecError as error:  # whole and vouched for, yet not ours: another version of this program wrote it
        raise ExchangeError(
            f"{journal.directory}: the snapshot after record {found.tip.sequence} is of another program ({error}); "
            "move it away to replay from the beginning"
        ) from error
    sequence = found.tip.sequence
    return Replayed(machine, sequence, sequence, journal.torn, tuple(refused))


def advance(journal: Journal, start: Replayed, until: int = 0, progress: Progress | None = None) -> Replayed:
    """Handle every durable command after `start`, or up to record `until`."""
    last = min(until, journal.tip.sequence) if until else journal.tip.sequence
    with _collector_resting():
        done = _advance(journal, start, last, progress)
    if progress is not None:
        progress(done, last)
    return start._replace(sequence=done)


@contextmanager
def _collector_resting() -> Iterator[None]:
    """Neither handling nor decoding makes cycles, so the collector would free nothing, and cost a tenth to a third."""
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_collecting:
            gc.enable()


def _advance(journal: Journal, start: Replayed, last: int, progress: Progress | None) -> int:
    """The sequence of the last record handled."""
    handle, decode, done = start.machine.handle, COMMANDS.decode, start.sequence
    for sequence, payload in journal.read(done + 1) if done < last else ():
        try:
            handle(decode(payload))
        except JournalError:
            raise
        except Exception as error:
            raise ExchangeError(
                f"{journal.directory}: this program cannot handle record {sequence} ({type(error).__name__}: {error})"
            ) from error
        done = sequence
        if progress is not None and not done & 1023:
            progress(done, last)
        if done == last:
            break
    return done


def replay(
    folder: Path, *, use_snapshot: bool = False, until: int = 0, progress: Progress | None = None
) -> Replayed:
    """Replay an exchange's journal without changing it: a torn tail is reported and left where it is."""
    begin = read_genesis(folder)
    journal = open_journal(folder, begin)
    try:
        start = restore(journal, begin, use_snapshot=use_snapshot)
        if until and start.begun_after > until:
            raise ExchangeError(f"the newest snapshot is after record {start.begun_after}, later than {until}")
        return advance(journal, start, until, progress)
    finally:
        journal.close()
