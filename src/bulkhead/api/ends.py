"""Which batch a command of the journal is in."""

from __future__ import annotations

from bisect import bisect_left

from sqlalchemy import select

from bulkhead.node.app import Node
from bulkhead.node.store import tables
from bulkhead.node.store.keeper import Unavailable


class Ends:
    """Where each sealed batch ends in the journal, from batch 1 on. What is new is read when somebody asks."""

    def __init__(self) -> None:
        self._ends: list[int] = []

    async def look(self, node: Node) -> None:
        """Learn of batches that were sealed since. While the database is away finality says less than is so."""
        known = len(self._ends)
        if known >= node.exchange.state.counters.batches:
            return
        table = tables.batches
        query = select(table.c.batch, table.c.sequence_last).where(table.c.batch > known).order_by(table.c.batch)
        try:
            rows = await node.store.rows(query)
        except Unavailable:
            return  # health tells it; open orders must be seen all the same
        for row in rows:
            if row["batch"] == len(self._ends) + 1:  # somebody else may have looked meanwhile
                self._ends.append(row["sequence_last"])

    def batch_of(self, sequence: int) -> int:
        """The batch that a command is in; 0 while that is open."""
        place = bisect_left(self._ends, sequence)
        return place + 1 if place < len(self._ends) else 0
