"""The embedded chain on disk: SQLite, one transaction a block, so that a block is there as a whole or not at all.

Beside the state there is what each block changed, the old values: to go back to an earlier block, and to look at it.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from eth_utils.crypto import keccak

from bulkhead.bridge.embedded.machine import Changes, Record
from bulkhead.bridge.errors import ChainError

VERSION = 1
WORD = 32
SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE block (number INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, fields TEXT NOT NULL);
CREATE TABLE transactions (
    hash BLOB PRIMARY KEY, block INTEGER NOT NULL, place INTEGER NOT NULL, raw BLOB NOT NULL, receipt TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX transactions_of_block ON transactions (block, place);
CREATE TABLE log (
    block INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, transaction_place INTEGER NOT NULL,
    address BLOB NOT NULL, topics BLOB NOT NULL, topic BLOB, data BLOB NOT NULL, PRIMARY KEY (block, place)
) WITHOUT ROWID;
CREATE INDEX log_of_address ON log (address, topic, block);
CREATE TABLE code (hash BLOB PRIMARY KEY, code BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE account (
    address BLOB PRIMARY KEY, nonce INTEGER NOT NULL, balance BLOB NOT NULL, code BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE word (
    address BLOB NOT NULL, slot BLOB NOT NULL, value BLOB NOT NULL, PRIMARY KEY (address, slot)
) WITHOUT ROWID;
CREATE TABLE old_account (
    block INTEGER NOT NULL, address BLOB NOT NULL, nonce INTEGER, balance BLOB, code BLOB, PRIMARY KEY (block, address)
) WITHOUT ROWID;
CREATE TABLE old_word (
    block INTEGER NOT NULL, address BLOB NOT NULL, slot BLOB NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (block, address, slot)
) WITHOUT ROWID;
"""


class StoreError(ChainError):
    """The file of the embedded chain cannot be used; the message says why and what to do."""


class LogRow(NamedTuple):
    """A log in a block: `place` counts within the block."""

    block: int
    place: int
    hash: bytes
    transaction_place: int
    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


class TransactionRow(NamedTuple):
    """A transaction in a block, as it was signed, with its receipt."""

    hash: bytes
    block: int
    place: int
    raw: bytes
    receipt: dict[str, Any]


class BlockRow(NamedTuple):
    """A block: `fields` is its header in JSON, numbers as numbers."""

    number: int
    hash: bytes
    fields: dict[str, Any]


class Store:
    """One file, or memory without one. Only one process may write; any may read the last block that was committed."""

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self.path, self.read_only = path, read_only
        self._lock = -1
        self._codes: set[bytes] = set()
        if read_only and (path is None or not path.is_file()):
            raise StoreError(f"{path}: no embedded chain is here; `bulkhead l1 deploy` makes one")
        if path is not None and not read_only:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._acquire(path)
        name = ":memory:" if path is None else f"file:{path}?mode={'ro' if read_only else 'rwc'}"
        try:
            # Requests of several threads come one after the other: their caller holds a lock.
            self._file = sqlite3.connect(name, uri=True, isolation_level=None, check_same_thread=False)
            self._prepare()
        except sqlite3.Error as error:
            self._release()
            raise StoreError(f"{path}: not an embedded chain, or damaged ({error})") from error
        except BaseException:
            self._release()
            raise

    def _acquire(self, path: Path) -> None:
        self._lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._release()
            raise StoreError(f"{path} is open in another process; reach it there by URL (`l1 serve`)") from None

    def _release(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _prepare(self) -> None:
        if not self.read_only:
            # A block that was answered for survives a power cut: the log is synced before the answer.
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=FULL")
        else:
            self._file.execute("BEGIN")  # never ended: all that is read is of one moment, whatever the writer does
        tables = self._file.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]
        if not tables and not self.read_only:
            # With the version in the same breath: a file that was cut off here is an empty one.
            self._file.executescript(f"BEGIN; {SCHEMA} INSERT INTO meta VALUES ('version', '{VERSION}'); COMMIT;")
        if self.meta("version") != VERSION:
            raise StoreError(f"{self.path}: version {self.meta('version')} of the file, and this program has {VERSION}")

    def close(self) -> None:
        """Give the file back."""
        self._file.close()
        self._release()

    # -- single values ---------------------------------------------------------------------------------------------

    def meta(self, name: str) -> Any:
        """A remembered value; None when there is none."""
        found = self._file.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if found is None else json.loads(found[0])

    def put_meta(self, name: str, value: Any) -> None:
        """Remember a value, at once."""
        self._file.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, json.dumps(value)))

    # -- blocks ----------------------------------------------------------------------------------------------------

    def commit(
        self,
        block: BlockRow,
        transactions: Iterable[TransactionRow],
        logs: Iterable[LogRow],
        changes: Changes,
    ) -> None:
        """A block with everything in it, durable on return. An error leaves the file as it was."""
        run = self._file.execute
        run("BEGIN IMMEDIATE")
        try:
            run("INSERT INTO block VALUES (?, ?, ?)", (block.number, block.hash, json.dumps(block.fields)))
            self._file.executemany(
                "INSERT INTO transactions VALUES (?, ?, ?, ?, ?)",
                ((row.hash, row.block, row.place, row.raw, json.dumps(row.receipt)) for row in transactions),
            )
            self._file.executemany(
                "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                ((*row[:5], b"".join(row.topics), row.topics[0] if row.topics else None, row.data) for row in logs),
            )
            for address, (was, now) in changes.accounts.items():
                self._keep(block.number, address, was)
                self._put_account(address, now)
            for (address, slot), (old, new) in changes.words.items():
                run("INSERT INTO old_word VALUES (?, ?, ?, ?)", (block.number, address, slot, _bytes(old)))
                self._put_word(address, slot, _bytes(new))
            run("COMMIT")
        except BaseException:
            run("ROLLBACK")
            raise

    def _keep(self, number: int, address: bytes, was: Record | None) -> None:
        values = (None, None, None) if was is None else (was.nonce, _bytes(was.balance), self._code(was.code))
        self._file.execute("INSERT INTO old_account VALUES (?, ?, ?, ?, ?)", (number, address, *values))

    def _put_account(self, address: bytes, now: Record | None) -> None:
        if now is None:
            self._file.execute("DELETE FROM account WHERE address = ?", (address,))
        else:
            values = (address, now.nonce, _bytes(now.balance), self._code(now.code))
            self._file.execute("INSERT OR REPLACE INTO account VALUES (?, ?, ?, ?)", values)

    def _put_word(self, address: bytes, slot: bytes, value: bytes) -> None:
        if any(value):
            self._file.execute("INSERT OR REPLACE INTO word VALUES (?, ?, ?)", (address, slot, value))
        else:
            self._file.execute("DELETE FROM word WHERE address = ? AND slot = ?", (address, slot))

    def _code(self, code: bytes) -> bytes:
        """The hash under which a code is kept: each is written once."""
        digest = keccak(code) if code else b""
        if digest:
            self._file.execute("INSERT OR IGNORE INTO code VALUES (?, ?)", (digest, code))
        return digest

    def revert(self, number: int) -> None:
        """Forget every block after this one, durable on return."""
        run = self._file.execute
        run("BEGIN IMMEDIATE")
        try:
            for address, old in self.accounts_at(number):
                self._put_account(address, old)
            for address, slot, value in self.words_at(number):
                self._put_word(address, slot, _bytes(value))
            for table in ("block", "transactions", "log", "old_account", "old_word"):
                column = "number" if table == "block" else "block"
                run(f"DELETE FROM {table} WHERE {column} > ?", (number,))
            run("COMMIT")
        except BaseException:
            run("ROLLBACK")
            raise

    # -- reading ---------------------------------------------------------------------------------------------------

    def accounts(self) -> Iterator[tuple[bytes, Record]]:
        """Every account now."""
        codes: dict[bytes, bytes] = dict(self._file.execute("SELECT hash, code FROM code"))
        for address, nonce, balance, digest in self._file.execute("SELECT * FROM account"):
            yield address, Record(nonce, int.from_bytes(balance, "big"), codes[digest] if digest else b"")

    def words(self) -> Iterator[tuple[bytes, bytes, int]]:
        """Every word of storage now: address, slot, value."""
        for address, slot, value in self._file.execute("SELECT * FROM word"):
            yield address, slot, int.from_bytes(value, "big")

    def accounts_at(self, number: int) -> list[tuple[bytes, Record | None]]:
        """The accounts that later blocks changed, as they were at the end of this one."""
        # Of the blocks after it, the first that changed an account knows what it was.
        rows = self._file.execute(
            "SELECT address, nonce, balance, old_account.code, code.code, min(block) FROM old_account "
            "LEFT JOIN code ON code.hash = old_account.code WHERE block > ? GROUP BY address",
            (number,),
        ).fetchall()
        return [
            (address, None if nonce is None else Record(nonce, int.from_bytes(balance, "big"), code or b""))
            for address, nonce, balance, _, code, _ in rows
        ]

    def words_at(self, number: int) -> list[tuple[bytes, bytes, int]]:
        """The words that later blocks changed, as they were at the end of this one."""
        rows = self._file.execute(
            "SELECT address, slot, value, min(block) FROM old_word WHERE block > ? GROUP BY address, slot", (number,)
        ).fetchall()
        return [(address, slot, int.from_bytes(value, "big")) for address, slot, value, _ in rows]

    def block(self, number: int | None = None, digest: bytes | None = None) -> BlockRow | None:
        """A block by number or by hash; the last one without either."""
        query = "SELECT number, hash, fields FROM block "
        if digest is not None:
            found = self._file.execute(query + "WHERE hash = ?", (digest,)).fetchone()
        elif number is not None:
            found = self._file.execute(query + "WHERE number = ?", (number,)).fetchone()
        else:
            found = self._file.execute(query + "ORDER BY number DESC LIMIT 1").fetchone()
        return None if found is None else BlockRow(found[0], found[1], json.loads(found[2]))

    def hashes(self, before: int, count: int) -> tuple[bytes, ...]:
        """Hashes of the blocks before a number, the newest last."""
        query = "SELECT hash FROM block WHERE number < ? ORDER BY number DESC LIMIT ?"
        return tuple(row[0] for row in reversed(self._file.execute(query, (before, count)).fetchall()))

    def transaction(self, digest: bytes) -> TransactionRow | None:
        """A transaction that is in a block."""
        found = self._file.execute(
            "SELECT hash, block, place, raw, receipt FROM transactions WHERE hash = ?", (digest,)
        ).fetchone()
        return None if found is None else _transaction(found)

    def transactions(self, number: int) -> list[TransactionRow]:
        """The transactions of a block, in order."""
        rows = self._file.execute(
            "SELECT hash, block, place, raw, receipt FROM transactions WHERE block = ? ORDER BY place", (number,)
        )
        return [_transaction(row) for row in rows]

    def logs(self, first: int, last: int, addresses: list[bytes], topics: list[bytes]) -> Iterator[LogRow]:
        """Logs of blocks `first` to `last`, in order; of these addresses and with these first topics, if any."""
        query, values = "SELECT * FROM log WHERE block BETWEEN ? AND ?", [first, last, *addresses, *topics]
        for column, wanted in (("address", addresses), ("topic", topics)):
            if wanted:
                query += f" AND {column} IN ({','.join('?' * len(wanted))})"
        rows = self._file.execute(query + " ORDER BY block, place", values).fetchall()
        for block, place, digest, transaction_place, address, packed, _, data in rows:
            split = tuple(packed[at : at + WORD] for at in range(0, len(packed), WORD))
            yield LogRow(block, place, digest, transaction_place, address, split, data)


def _transaction(row: Any) -> TransactionRow:
    digest, block, place, raw, receipt = row
    return TransactionRow(digest, block, place, raw, json.loads(receipt))


def _bytes(value: int) -> bytes:
    return value.to_bytes(WORD, "big")
