"""How far batches have come, as far as files beside the journal tell: proofs on the disk, and settlement's notes."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from enum import StrEnum
from pathlib import Path

from bulkhead.node.settling.store import FOLDER

FILE = "state.sqlite"  # of the settlement service
AGE_S = 5.0  # after which the files are looked at again


class Finality(StrEnum):
    """Of what was accepted: a trade, an order, a withdrawal."""

    ACCEPTED = "ACCEPTED"  # journalled; its batch is still open
    SEALED = "SEALED"
    PROVEN = "PROVEN"  # the proof is on the disk
    FINAL = "FINAL"  # settled on L1, as deep as settlement was asked to wait


class Progress:
    """Of one exchange's folder. Asked often, looked up seldom; another process may write there meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked_s = -AGE_S
        self._proven: frozenset[int] = frozenset()
        self._final = 0

    @property
    def proven(self) -> frozenset[int]:
        """Batches whose proof, of whatever profile, is on the disk."""
        self._look()
        return self._proven

    @property
    def final(self) -> int:
        """The newest batch that is final on L1, and all before it; 0 where none is, or nobody settles."""
        self._look()
        return self._final

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
        names = (path.name.split(".")[0].removeprefix("batch-") for path in self._folder.glob("proofs/batch-*.proof"))
        self._proven = frozenset(int(name) for name in names if name.isdigit())
        self._final = final_batch(self._folder)


def final_batch(folder: Path) -> int:
    """What the settlement service has written down; its file is only read."""
    path = folder / FOLDER / FILE
    if not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=1.0)) as connection:
            found = connection.execute("SELECT MAX(number) FROM told WHERE kind = 'settled'").fetchone()
    except sqlite3.Error:  # it is being made, or is locked: then nothing is claimed of it
        return 0
    return int(found[0] or 0)
