"""Tables of any length: only the rows in sight are made and sent, so that ten thousand cost what thirty do.

    table = Table("Open orders", COLUMNS, source=lambda: orders, row=row_of, on_act=cancel)
    page.painter.on(account.orders_changed, table.paint)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from nicegui import ui
from nicegui.events import GenericEventArguments

from bulkhead.terminal.events import Act, Window, told

ROW_PIXELS = 22
AT_FIRST = 40
Item = TypeVar("Item")


class Column(NamedTuple):
    """A heading; numbers stand at the right."""

    label: str
    number: bool = False


class Cell(NamedTuple):
    """What one cell shows. With `action` it is a button, and `title` says to screen readers what it does."""

    text: str
    style: str = ""
    action: str = ""
    title: str = ""


class Row(NamedTuple):
    """One row under a name of its own."""

    id: str
    cells: Sequence[Cell]


class Table(ui.element, Generic[Item], component="static/table.js"):
    """`source` gives all items, in the order in which they are shown, `row` what one looks like."""

    def __init__(
        self,
        label: str,
        columns: Sequence[Column],
        *,
        source: Callable[[], Sequence[Item]],
        row: Callable[[Item], Row],
        empty: str = "Nothing here yet",
        on_act: Callable[[str, str], Awaitable[object]] | None = None,
    ) -> None:
        super().__init__()
        self._props["label"] = label
        self._props["columns"] = [one._asdict() for one in columns]
        self._props["empty"] = empty
        self._props["row"] = ROW_PIXELS
        self._source = source
        self._row = row
        self._on_act = on_act
        self._first, self._count = 0, AT_FIRST
        self._shown: dict[str, Any] = {}
        self._offered: set[str] = set()  # actions that a row of this table had at some time: a click may come late
        self.on("window", self._look)
        if on_act is not None:
            self.on("act", self._act)

    def paint(self) -> None:
        """Show what is there now; nothing is sent when it looks the same."""
        if not self.visible:
            return
        items = self._source()
        start = max(0, min(self._first, len(items) - self._count))
        rows = [self._row(item) for item in items[start : start + self._count]]
        made = [{"id": row.id, "cells": [cell._asdict() for cell in row.cells]} for row in rows]
        state = {"total": len(items), "start": start, "rows": made}
        if state != self._shown:
            self._shown = state
            self._offered.update(cell.action for row in rows for cell in row.cells if cell.action)
            self.run_method("paint", state)

    def _look(self, event: GenericEventArguments) -> None:
        window = told(event, Window)
        if window is not None:
            self._first, self._count = window.first, min(200, window.count)
            self.paint()

    async def _act(self, event: GenericEventArguments) -> None:
        assert self._on_act is not None, "listened to only with one"
        act = told(event, Act)
        if act is None or act.action not in self._offered:
            return
        try:
            await self._on_act(act.id, act.action)
        finally:
            if not self.is_deleted:
                self.run_method("free", act.id, act.action)
