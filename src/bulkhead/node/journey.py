"""The way of batches and forced requests, as the settlement service has written it down beside the journal: which
transactions of L1 carry a batch, in which blocks, at what gas, and what became of each request. Only read here.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from bulkhead.node.finality import FILE
from bulkhead.node.settling.events import Step
from bulkhead.node.settling.store import FOLDER

WITHDRAWAL = 1  # kind of a forced request; any other closes a position


class OnL1(NamedTuple):
    """A transaction that is in a block. `part` counts the pieces of a proof; `time_ms` is the block's, 0 unknown."""

    step: str
    batch: int
    part: int
    hash: str
    block: int
    gas_used: int
    succeeded: bool
    time_ms: int


class Request(NamedTuple):
    """A forced request of L1's queue. `answered_ms` 0: it waits. `failed`: the rule that it fails; empty when done."""

    number: int
    kind: str
    account_id: int
    subject: int  # smallest units of a withdrawal, or the market that is to be closed
    sender: str
    included_ms: int
    block: int
    answered_ms: int
    failed: str


class Journey:
    """Of one exchange's folder. Each answer reads the file; a folder without one has nothing to tell."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FOLDER / FILE

    def transactions(self, batches: range) -> dict[int, list[OnL1]]:
        """Of some batches, in the order in which L1 took them."""
        query = """SELECT step, batch, part, hash, block, gas_used, succeeded, time_s FROM included
            WHERE batch >= ? AND batch < ? ORDER BY block, nonce"""
        found: dict[int, list[OnL1]] = {}
        for step, batch, part, digest, block, gas, succeeded, time_s in self._ask(query, batches.start, batches.stop):
            one = OnL1(step, batch, part, f"0x{digest.hex()}", block, gas, bool(succeeded), 1000 * time_s)
            found.setdefault(batch, []).append(one)
        return found

    def finals(self, batches: range) -> dict[int, int]:
        """When each of some batches was first seen to be final, in milliseconds."""
        query = "SELECT batch, time_ms FROM finals WHERE batch >= ? AND batch < ?"
        return {int(batch): int(time_ms) for batch, time_ms in self._ask(query, batches.start, batches.stop)}

    def requests(self, before: int, limit: int) -> list[Request]:
        """Forced requests below a number, newest first."""
        query = """SELECT told.number, block, body, time_ms, failed FROM told
            LEFT JOIN answered ON answered.number = told.number
            WHERE kind = 'request' AND told.number < ? ORDER BY told.number DESC LIMIT ?"""
        return [_request(row) for row in self._ask(query, before, limit)]

    def _ask(self, query: str, *values: int) -> list[Any]:
        if not self._path.exists():
            return []
        try:
            with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=1.0)) as file:
                return file.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):  # written by a version that kept none
                return []
            raise


def settling(found: list[OnL1]) -> OnL1 | None:
    """The transaction that settled the batch, among its own."""
    return next((one for one in found if one.step == Step.SETTLE and one.succeeded), None)


def _request(row: Any) -> Request:
    number, block, text, answered_ms, failed = row
    body = json.loads(text)
    return Request(
        number,
        "WITHDRAWAL" if body["kind"] == WITHDRAWAL else "CLOSE",
        int(body["account"]),
        int(body["subject"]),
        str(body["sender"]),
        int(body["included_ms"]),
        block,
        answered_ms or 0,
        failed or "",
    )
