"""How far batches have come, as far as files beside the journal tell: proofs on the disk, and settlement's notes; and
which claims custody has paid.
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from bulkhead.node.settling.store import FOLDER

FILE = "state.sqlite"  # of the settlement service
AGE_S = 5.0  # after which the files are looked at again


class Finality(StrEnum):
    """Of what was accepted: a trade, an order, a withdrawal."""

    ACCEPTED = "ACCEPTED"  # journalled; its batch is still open
    SEALED = "SEALED"
    PROVEN = "PROVEN"  # the proof is on the disk
    FINAL = "FINAL"  # settled on L1, as deep as settlement was asked to wait
    CLAIMED = "CLAIMED"  # a withdrawal that custody has paid, as deep


class Noted(NamedTuple):
    """What the settlement service has written down. `rewinds` rises whenever L1 took something back."""

    final: int = 0  # the newest batch that is final; 0 where none is, or nobody settles
    rewinds: int = 0
    claim: int = 0  # number of the newest claim; 0 where there is none


class Claim(NamedTuple):
    """Custody has paid a recipient, in lower case, what it owed him by `batch` and all before: smallest units."""

    number: int  # rises with its place on L1
    recipient: str
    amount: int
    batch: int
    block: int
    time_ms: int  # the block's
    transaction: str


class Progress:
    """Of one exchange's folder. Asked often, looked up seldom; another process may write there meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._looked_s = -AGE_S
        self._proven: frozenset[int] = frozenset()
        self._noted = Noted()

    @property
    def proven(self) -> frozenset[int]:
        """Batches whose proof, of whatever profile, is on the disk."""
        self._look()
        return self._proven

    @property
    def final(self) -> int:
        """The newest batch that is final on L1, and all before it; 0 where none is, or nobody settles."""
        return self.noted.final

    @property
    def noted(self) -> Noted:
        """What the settlement service has written down."""
        self._look()
        return self._noted

    def of(self, batch: int) -> Finality:
        """How far a sealed batch has come; of 0, which is none, that it is open."""
        if not batch:
            return Finality.ACCEPTED
        if batch <= self.final:
            return Finality.FINAL
        return Finality.PROVEN if batch in self.proven else Finality.SEALED

    def _look(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s <= AGE_S:
            return
        self._looked_s = now_s
        names = (path.name.split(".")[0].removeprefix("batch-") for path in self.folder.glob("proofs/batch-*.proof"))
        self._proven = frozenset(int(name) for name in names if name.isdigit())
        self._noted = noted(self.folder) or self._noted


def final_batch(folder: Path) -> int:
    """The newest batch that is final on L1, as the settlement service has written it down; 0 where none is."""
    found = noted(folder)
    return 0 if found is None else found.final


def noted(folder: Path) -> Noted | None:
    """What the settlement service has written down; its file is only read. None where that cannot be read now."""
    query = """SELECT (SELECT MAX(number) FROM told WHERE kind = 'settled'),
        (SELECT value FROM meta WHERE name = 'rewinds'), (SELECT MAX(number) FROM told WHERE kind = 'claimed')"""
    found = _ask(folder, query)
    if found is None:
        return None
    return Noted(*(int(value or 0) for value in found[0])) if found else Noted()


def claims_from(folder: Path, first: int) -> list[Claim] | None:
    """Claims that custody has paid, from this number on, in order. None where that cannot be read now."""
    query = "SELECT number, block, body FROM told WHERE kind = 'claimed' AND number >= ? ORDER BY number"
    found = _ask(folder, query, first)
    return None if found is None else [_claim(*row) for row in found]


def _ask(folder: Path, query: str, *values: int) -> list[tuple[int | str, ...]] | None:
    """Rows of settlement's file, none where there is no file. None while it is being made, or is locked."""
    path = folder / FOLDER / FILE
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)) as connection:
            return connection.execute(query, values).fetchall()
    except sqlite3.Error:
        return None


def _claim(number: int | str, block: int | str, text: int | str) -> Claim:
    body = json.loads(str(text))
    return Claim(
        int(number), body["recipient"], body["amount"], body["batches"], int(block), 1000 * body["time_s"],
        body["transaction"],
    )  # fmt: skip
