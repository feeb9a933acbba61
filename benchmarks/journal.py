"""Journal and codec: commands made durable per second, beside SQLite in the same run; records encoded and decoded.

Each journalled command is a record of 15 fields with a signature, encoded by the codec inside the measured time, on
both sides. SQLite runs with write-ahead log and synchronous=FULL, which syncs once per transaction, as the journal
syncs once per group. Rounds alternate between the two, so that a busy disk is busy for both; the best round counts.
"""

from __future__ import annotations

import pickle
import sqlite3
import tempfile
import time
from collections.abc import Callable
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

from bulkhead.codec import Codec
from bulkhead.node.journal import Journal

GENESIS = bytes(32)
GROUPS = (64, 256, 1024)
COMMANDS = 16_384
ROUNDS = 3


class Side(IntEnum):
    """Which way a command trades."""

    BUY = 1
    SELL = -1


class Command(NamedTuple):
    """What placing an order carries, about 190 bytes encoded."""

    time_ms: int
    account_id: int
    market_id: int
    side: Side
    size: int
    price: int
    fee: int
    post_only: bool
    reduce_only: bool
    expiration_s: int
    salt: int
    client_id: str | None
    public_key: int
    signature_r: int
    signature_s: int


Row = dict[str, str | float]
CODEC: Codec[Command] = Codec([Command])


def command(number: int) -> Command:
    """A command unlike its neighbours."""
    element = (number * 0x9E3779B97F4A7C15 << 180) + number
    return Command(
        1796126400000 + number,
        64 * (1 + number % 1000),
        1 + number % 5,
        Side.BUY if number % 2 else Side.SELL,
        12_340 + number,
        98_765 - number % 100,
        609_381,
        number % 3 == 0,
        False,
        1797336000,
        number,
        f"order-{number:020d}-{number % 977}",
        element % 2**251,
        element * 3 % 2**251,
        element * 7 % 2**251,
    )


def journal_seconds(folder: Path, commands: list[Command], group: int) -> float:
    """Time to encode and commit all commands, group by group."""
    with Journal.open(folder, GENESIS) as journal:
        begin = time.perf_counter()
        for start in range(0, len(commands), group):
            for each in commands[start : start + group]:
                journal.append(CODEC.encode(each))
            journal.commit()
        return time.perf_counter() - begin


def sqlite_seconds(folder: Path, commands: list[Command], group: int) -> float:
    """The same commands, encoded alike, as rows of a table in transactions of one group."""
    folder.mkdir()
    database = sqlite3.connect(folder / "journal.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE journal (sequence INTEGER PRIMARY KEY, payload BLOB NOT NULL)")
    begin = time.perf_counter()
    for start in range(0, len(commands), group):
        database.execute("BEGIN")
        rows = ((number, CODEC.encode(each)) for number, each in enumerate(commands[start : start + group], start + 1))
        database.executemany("INSERT INTO journal VALUES (?, ?)", rows)
        database.execute("COMMIT")
    seconds = time.perf_counter() - begin
    database.close()
    return seconds


def best(function: Callable[[], Any]) -> float:
    """The shortest of some rounds, in seconds."""
    seconds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def row(figure: str, seconds: float, reference_seconds: float) -> Row:
    """A figure and its reference in commands per second; the ratio says how many times faster ours is."""
    value, reference = COMMANDS / seconds, COMMANDS / reference_seconds
    return {"figure": figure, "value": value, "unit": "commands/s", "reference": reference, "ratio": value / reference}


def run() -> list[Row]:
    """All rows."""
    commands = [command(number) for number in range(1, COMMANDS + 1)]
    encoded = [CODEC.encode(each) for each in commands]
    pickled = [pickle.dumps(each) for each in commands]
    size = round(sum(map(len, encoded)) / COMMANDS)
    rows = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as scratch:  # not /tmp, which may be memory
        folder = Path(scratch)
        for group in GROUPS:
            ours, theirs = [], []
            for turn in range(ROUNDS):
                ours.append(journal_seconds(folder / f"journal-{group}-{turn}", commands, group))
                theirs.append(sqlite_seconds(folder / f"sqlite-{group}-{turn}", commands, group))
            name = f"journal {size}-byte commands in groups of {group} (SQLite, WAL, synchronous=FULL)"
            rows.append(row(name, min(ours), min(theirs)))

        def reopen() -> None:
            with Journal.open(folder / "journal-1024-0", GENESIS) as journal:
                assert sum(1 for _ in journal.read()) == COMMANDS

        def select() -> None:
            database = sqlite3.connect(folder / "sqlite-1024-0" / "journal.db")
            assert sum(1 for _ in database.execute("SELECT * FROM journal ORDER BY sequence")) == COMMANDS
            database.close()

        rows.append(row("open a journal, verify and read it (SQLite, unverified)", best(reopen), best(select)))
    encode = best(lambda: [CODEC.encode(each) for each in commands])
    rows.append(row("encode a command of 15 fields (pickle)", encode, best(lambda: list(map(pickle.dumps, commands)))))
    decode = best(lambda: [CODEC.decode(data) for data in encoded])
    rows.append(row("decode and check it (pickle, unchecked)", decode, best(lambda: list(map(pickle.loads, pickled)))))
    return rows


if __name__ == "__main__":
    for each in run():
        print(f"{each['figure']:80} {each['value']:>10,.0f} {each['unit']}  x{each['ratio']:.2f}")
