"""Rows that wait to be written: each once, in its newest form, whatever happened to it since the last flush."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]


class Staged:
    """What one flush writes, cut loose from rows that go on changing."""

    def __init__(self, rows: dict[str, list[Row]], notes: dict[str, str]) -> None:
        self.rows = rows
        self.notes = notes


class Staging:
    """Filled by the deriver, emptied by the store; both in the event loop."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[Any, Row]] = {}
        self._notes: dict[str, str] = {}
        self.count = 0
        self.watch: Callable[[str, Row], None] | None = None  # told of every row at once, before it is final

    def put(self, table: str, key: Any, row: Row) -> None:
        """Write this row at the next flush. It may still change until then."""
        rows = self._rows.get(table)
        if rows is None:
            rows = self._rows[table] = {}
        rows[key] = row
        self.count += 1
        if self.watch is not None:
            self.watch(table, row)

    def note(self, name: str, value: object) -> None:
        """Write a line of progress at the next flush."""
        self._notes[name] = str(value)

    def take(self) -> Staged:
        """Everything since the last time, as it is now."""
        rows = {table: [dict(row) for row in found.values()] for table, found in self._rows.items()}
        staged = Staged(rows, self._notes)
        self._rows, self._notes, self.count = {}, {}, 0
        return staged
