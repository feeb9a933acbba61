"""What the settlement service remembers: its transactions before they are sent, and what it has read of L1.

One SQLite file in the exchange's folder, written in full before anything is given away. L1 is the truth about what was
published and the exchange's journal about what was credited; so what is lost here costs at most a look at both.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bulkhead.bridge.chain import Fees
from bulkhead.node.settling.events import Call, Included, SettlementError, Step

FOLDER = "settlement"  # in the folder of the exchange
BLOCKS_KEPT = 256  # of which hashes are remembered: as far back as a fork is found without reading all again

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blocks (number INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS told (
    kind TEXT NOT NULL, number INTEGER NOT NULL, block INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fed (
    kind TEXT NOT NULL, l2_number INTEGER NOT NULL, l1_number INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (kind, l2_number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attempts (
    sender TEXT NOT NULL, nonce INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, raw BLOB NOT NULL,
    step TEXT NOT NULL, batch INTEGER NOT NULL, part INTEGER NOT NULL, target TEXT NOT NULL, data BLOB NOT NULL,
    gas INTEGER NOT NULL, most INTEGER NOT NULL, tip INTEGER NOT NULL, sent_ms INTEGER NOT NULL,
    abandoned INTEGER NOT NULL, PRIMARY KEY (sender, nonce, place)
);
CREATE TABLE IF NOT EXISTS outcomes (
    sender TEXT NOT NULL, nonce INTEGER NOT NULL, hash BLOB NOT NULL, block INTEGER NOT NULL,
    PRIMARY KEY (sender, nonce)
);
CREATE TABLE IF NOT EXISTS included (
    sender TEXT NOT NULL, nonce INTEGER NOT NULL, hash BLOB NOT NULL, step TEXT NOT NULL, batch INTEGER NOT NULL,
    part INTEGER NOT NULL, block INTEGER NOT NULL, gas_used INTEGER NOT NULL, succeeded INTEGER NOT NULL,
    time_s INTEGER NOT NULL, PRIMARY KEY (sender, nonce)
);
CREATE TABLE IF NOT EXISTS answered (number INTEGER PRIMARY KEY, failed TEXT NOT NULL, time_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS finals (batch INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL);
"""


class Attempt(NamedTuple):
    """A signed transaction of the service. Several may have one nonce: L1 takes one of them."""

    nonce: int
    place: int  # among those of its nonce, from 1
    hash: bytes
    raw: bytes
    call: Call
    gas: int
    fees: Fees
    sent_ms: int
    is_abandoned: bool = False


class Told(NamedTuple):
    """What a contract told in a confirmed block: an entry of a queue, its cancellation, a settled batch, a claim."""

    kind: str
    number: int
    block: int
    body: dict[str, Any]


class Store:
    """The file, held alone by one process. Every method is one transaction of the file. Raises SettlementError."""

    def __init__(self, folder: Path, after_commit: Callable[[], None] = lambda: None) -> None:
        """`after_commit` is called whenever something is on the disk; tests end the world there."""
        self.path = folder / "state.sqlite"
        self._after_commit = after_commit
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise SettlementError(f"{folder} cannot hold the settlement's state: {error.strerror or error}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._file = self._open()
        except BlockingIOError as error:
            os.close(self._lock)
            raise SettlementError(f"{folder}: another settlement service is at work here; stop it first") from error
        except SettlementError:
            os.close(self._lock)
            raise

    def _open(self) -> sqlite3.Connection:
        """The file with its tables. One thread at a time uses it, though seldom the one that opened it."""
        file = None
        try:
            file = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
            file.execute("PRAGMA synchronous = FULL")
            file.executescript(SCHEMA)
        except sqlite3.Error as error:
            if file is not None:
                file.close()
            raise SettlementError(
                f"{self.path} is damaged, or cannot be written ({error}); if damaged, move it away: "
                "L1 and the journal know all that counts"
            ) from error
        return file

    def close(self) -> None:
        """Give the folder back."""
        self._file.close()
        os.close(self._lock)

    def bind(self, name: str, value: str, what: str) -> None:
        """What this file is about, the first time; SettlementError if it is about something else."""
        found = self.meta(name)
        if found is None:
            self.put_meta(name, value)
        elif found != value:
            raise SettlementError(f"{self.path} is of {what} {found}, not {value}: move it away to settle elsewhere")

    def meta(self, name: str) -> str | None:
        """A single value."""
        row = self._file.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def put_meta(self, name: str, value: str) -> None:
        """Remember a single value."""
        with self._commit() as file:
            file.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    # -- what was read of L1 ---------------------------------------------------------------------------------------

    def blocks(self) -> list[tuple[int, bytes]]:
        """Blocks that were read to their end, the newest first: number and hash."""
        return [(int(n), bytes(h)) for n, h in self._file.execute("SELECT * FROM blocks ORDER BY number DESC")]

    def tip(self) -> tuple[int, bytes] | None:
        """The newest of them."""
        row = self._file.execute("SELECT * FROM blocks ORDER BY number DESC LIMIT 1").fetchone()
        return None if row is None else (int(row[0]), bytes(row[1]))

    def advance(self, number: int, digest: bytes, told: Sequence[Told], time_ms: int = 0) -> None:
        """All blocks up to this one are read, and this is what was told in them; its batches are final at `time_ms`."""
        rows = [(each.kind, each.number, each.block, json.dumps(each.body, sort_keys=True)) for each in told]
        finals = [(each.number, time_ms) for each in told if each.kind == "settled"]
        with self._commit() as file:
            file.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)", rows)
            file.executemany("INSERT OR IGNORE INTO finals VALUES (?, ?)", finals)
            file.execute("INSERT OR REPLACE INTO blocks VALUES (?, ?)", (number, digest))
            file.execute("INSERT OR REPLACE INTO meta VALUES ('claims to', ?)", (str(number),))
            file.execute("DELETE FROM blocks WHERE number <= ?", (number - BLOCKS_KEPT,))

    def add_claims(self, number: int, told: Sequence[Told]) -> None:
        """The claims in blocks that were read before, up to this one."""
        rows = [(each.kind, each.number, each.block, json.dumps(each.body, sort_keys=True)) for each in told]
        with self._commit() as file:
            file.executemany("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?)", rows)
            file.execute("INSERT OR REPLACE INTO meta VALUES ('claims to', ?)", (str(number),))

    def settled_before(self, block: int) -> int:
        """The last batch that settled in a block before this one; 0 where none did."""
        query = "SELECT max(number) FROM told WHERE kind = 'settled' AND block < ?"
        return int(self._file.execute(query, (block,)).fetchone()[0] or 0)

    def rewind(self, number: int) -> None:
        """Forget what was read of later blocks. How often that happened is counted, for those who only read on."""
        with self._commit() as file:
            rewinds = "(SELECT 1 + coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE name = 'rewinds')"
            file.execute(f"INSERT OR REPLACE INTO meta VALUES ('rewinds', CAST({rewinds} AS TEXT))")
            claims = "UPDATE meta SET value = ? WHERE name = 'claims to' AND CAST(value AS INTEGER) > ?"
            file.execute(claims, (str(number), number))
            lost = "SELECT number FROM told WHERE kind = 'settled' AND block > ?"
            file.execute(f"DELETE FROM finals WHERE batch IN ({lost})", (number,))
            file.execute("DELETE FROM told WHERE block > ?", (number,))
            file.execute("DELETE FROM blocks WHERE number > ?", (number,))

    def told(self, kind: str, number: int) -> Told | None:
        """An entry by its number."""
        query = "SELECT kind, number, block, body FROM told WHERE kind = ? AND number = ?"
        return _told(self._file.execute(query, (kind, number)).fetchone())

    def last(self, kind: str) -> int:
        """The largest number of a kind, 0 where there is none."""
        row = self._file.execute("SELECT max(number) FROM told WHERE kind = ?", (kind,)).fetchone()
        return int(row[0] or 0)

    def taken(self) -> int:
        """How many deposits custody has handed over to L2."""
        rows = self._file.execute("SELECT body FROM told WHERE kind = 'taken'")
        return sum(int(json.loads(body)["count"]) for (body,) in rows)

    def deposit_after(self, number: int, skipped: int = 0) -> Told | None:
        """The first deposit beyond a number that was not cancelled, or one so many places behind it."""
        query = """SELECT kind, number, block, body FROM told AS one WHERE kind = 'deposit' AND number > ?
            AND NOT EXISTS (SELECT 1 FROM told WHERE kind = 'cancelled' AND number = one.number)
            ORDER BY number LIMIT 1 OFFSET ?"""
        return _told(self._file.execute(query, (number, skipped)).fetchone())

    def fed(self, kind: str, l2_number: int) -> int | None:
        """Which entry of L1 has a number on L2."""
        query = "SELECT l1_number FROM fed WHERE kind = ? AND l2_number = ?"
        row = self._file.execute(query, (kind, l2_number)).fetchone()
        return None if row is None else int(row[0])

    def feed(self, l2_number: int, entry: Told) -> None:
        """Remember which entry is going to have a number on L2."""
        body = json.dumps(entry.body, sort_keys=True)
        with self._commit() as file:
            file.execute("INSERT OR REPLACE INTO fed VALUES (?, ?, ?, ?)", (entry.kind, l2_number, entry.number, body))

    def conflict(self, kind: str, l2_number: int) -> int | None:
        """An entry of L1 with a number on L2 up to this one, though L1 tells of another now, or has given it back."""
        query = """SELECT fed.l1_number FROM fed
            LEFT JOIN told ON told.kind = fed.kind AND told.number = fed.l1_number
            WHERE fed.kind = ? AND l2_number <= ? AND (told.body != fed.body OR (fed.kind = 'deposit' AND EXISTS
                (SELECT 1 FROM told WHERE kind = 'cancelled' AND number = fed.l1_number))) LIMIT 1"""
        row = self._file.execute(query, (kind, l2_number)).fetchone()
        return None if row is None else int(row[0])

    # -- transactions ----------------------------------------------------------------------------------------------

    def attempts(self, sender: str, nonce: int) -> list[Attempt]:
        """All transactions of a nonce, in the order in which they were made."""
        query = """SELECT nonce, place, hash, raw, step, batch, part, target, data, gas, most, tip, sent_ms, abandoned
            FROM attempts WHERE sender = ? AND nonce = ? ORDER BY place"""
        return [_attempt(row) for row in self._file.execute(query, (sender, nonce))]

    def put_attempt(self, sender: str, made: Attempt) -> None:
        """Remember a transaction, before it is sent."""
        step, batch, part, to, data = made.call
        key = (sender, made.nonce, made.place, made.hash, made.raw)
        row = (*key, str(step), batch, part, to, data, made.gas, *made.fees, made.sent_ms, int(made.is_abandoned))
        with self._commit() as file:
            file.execute(f"INSERT INTO attempts VALUES ({', '.join('?' * len(row))})", row)

    def abandon(self, sender: str, nonce: int) -> None:
        """Transactions of a nonce are not to be sent again; they may yet appear in a block."""
        with self._commit() as file:
            file.execute("UPDATE attempts SET abandoned = 1 WHERE sender = ? AND nonce = ?", (sender, nonce))

    def unbooked(self, sender: str, nonce: int) -> int | None:
        """The first nonce below this one of which it is not known what became of it."""
        query = """SELECT min(nonce) FROM attempts AS one WHERE sender = ? AND nonce < ? AND NOT EXISTS
            (SELECT 1 FROM outcomes WHERE sender = one.sender AND nonce = one.nonce)"""
        row = self._file.execute(query, (sender, nonce)).fetchone()
        return None if row[0] is None else int(row[0])

    def book(self, sender: str, nonce: int, digest: bytes, block: int) -> None:
        """What became of a nonce: the hash that is in a block; no hash where it is somebody else's transaction."""
        with self._commit() as file:
            file.execute("INSERT OR REPLACE INTO outcomes VALUES (?, ?, ?, ?)", (sender, nonce, digest, block))

    def include(self, sender: str, done: Included, time_s: int) -> None:
        """Keep for whoever asks later which transaction is in which block; `time_s` is the block's."""
        row = (sender, done.nonce, done.hash, str(done.step), done.batch, done.part, done.block, done.gas_used)
        with self._commit() as file:
            values = (*row, int(done.succeeded), time_s)
            file.execute(f"INSERT OR REPLACE INTO included VALUES ({', '.join('?' * len(values))})", values)

    def answer(self, number: int, failed: str, time_ms: int) -> None:
        """Keep what became of a forced request: nothing failed, or the rule that it fails."""
        with self._commit() as file:
            file.execute("INSERT OR REPLACE INTO answered VALUES (?, ?, ?)", (number, failed, time_ms))

    def unbook(self, sender: str, nonce: int) -> int | None:
        """Forget what became of this nonce and later ones; the first block that was named there."""
        query = "SELECT min(block) FROM outcomes WHERE sender = ? AND nonce >= ?"
        first = self._file.execute(query, (sender, nonce)).fetchone()[0]
        if first is None:
            return None
        with self._commit() as file:
            file.execute("DELETE FROM outcomes WHERE sender = ? AND nonce >= ?", (sender, nonce))
            file.execute("DELETE FROM included WHERE sender = ? AND nonce >= ?", (sender, nonce))
        return int(first)

    def forget(self, sender: str, block: int) -> None:
        """Transactions in blocks up to this one need not be sent again: their bytes are dropped."""
        where = "sender = ? AND nonce IN (SELECT nonce FROM outcomes WHERE sender = ? AND block <= ?)"
        with self._commit() as file:
            file.execute(f"DELETE FROM attempts WHERE {where}", (sender, sender, block))
            file.execute("DELETE FROM outcomes WHERE sender = ? AND block <= ?", (sender, block))

    @contextmanager
    def _commit(self) -> Iterator[sqlite3.Connection]:
        try:
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield self._file
                self._file.execute("COMMIT")
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise SettlementError(f"{self.path} cannot be written: {error}") from error
        self._after_commit()


def _told(row: Any) -> Told | None:
    return None if row is None else Told(str(row[0]), int(row[1]), int(row[2]), json.loads(row[3]))


def _attempt(row: Any) -> Attempt:
    nonce, place, digest, raw, step, batch, part, target, data, gas, most, tip, sent_ms, abandoned = row
    call = Call(Step(step), batch, part, target, bytes(data))
    return Attempt(nonce, place, bytes(digest), bytes(raw), call, gas, Fees(most, tip), sent_ms, bool(abandoned))
