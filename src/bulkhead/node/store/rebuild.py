"""Derived tables from the journal: all of them on request, or the end that was not written before a crash."""

from __future__ import annotations

from collections.abc import Callable

from bulkhead.ledger.authority import Authority
from bulkhead.node import snapshot
from bulkhead.node.journal import Journal
from bulkhead.node.records import COMMANDS, EXCHANGE
from bulkhead.node.replay import Machine, read_genesis
from bulkhead.node.store.database import Database
from bulkhead.node.store.derive import Deriver
from bulkhead.node.store.keeper import load
from bulkhead.node.store.staging import Staging

ROWS_STAGED_MAX = 50_000


class AheadOfJournal(Exception):
    """The tables know more than the journal: they are of another exchange, or the journal was cut."""


def catch_up(journal: Journal, database: Database, progress: Callable[[int, int], None] | None = None) -> int:
    """Bring the tables to the end of a journal; how many commands it took. Raises AheadOfJournal.

    The journal may be an open exchange's, as long as nothing is appended meanwhile.
    """
    begin = read_genesis(journal.directory)
    staging = Staging()
    deriver = Deriver(begin.config, staging, Authority(begin.config, verify=False))
    load(database, deriver)
    first, last = deriver.sequence + 1, journal.tip.sequence
    if first - 1 > last:
        raise AheadOfJournal(
            f"the tables know {first - 1} commands, and the journal in {journal.directory} has {last}; name another "
            "database, or have the tables made anew with --rebuild"
        )
    if first > last:
        return 0
    machine, done = _machine(journal, first - 1)
    for sequence, payload in journal.read(done + 1):
        command = COMMANDS.decode(payload)
        deriver.heard(sequence, command, machine.handle(command))
        if staging.count >= ROWS_STAGED_MAX:
            database.write(staging.take())
            if progress is not None:
                progress(sequence, last)
    database.write(staging.take())
    return last - first + 1


def rebuild(journal: Journal, database: Database, progress: Callable[[int, int], None] | None = None) -> int:
    """Make the tables anew from the first command on."""
    database.forget()
    return catch_up(journal, database, progress)


def _machine(journal: Journal, written: int) -> tuple[Machine, int]:
    """The exchange at a snapshot that is no newer than the tables, or at its beginning, and after which record."""
    begin = read_genesis(journal.directory)
    for taken in snapshot.whole(journal.directory, journal.genesis):
        sequence = taken.tip.sequence
        if sequence <= min(written, journal.tip.sequence) and journal.chain_at(sequence) == taken.tip.chain:
            return Machine(begin, EXCHANGE.decode(taken.payload)), sequence
    return Machine(begin), 0
