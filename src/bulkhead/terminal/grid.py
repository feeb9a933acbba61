"""Tables of a few hundred rows at most, with bars, steps, notes below a row, and buttons; and grids of plain figures.

    grid = Grid("Markets", COLUMNS, rows=lambda: rows(), on_act=act)
    page.painter.on(venue.markets, grid.paint)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from nicegui import ui
from nicegui.events import GenericEventArguments

from bulkhead.terminal.events import Act, told


class Column(NamedTuple):
    """A heading; numbers stand at the right. `hint` says what it means."""

    label: str
    number: bool = False
    hint: str = ""


class Bar(NamedTuple):
    """A share of 1 as a bar, with marks at other shares; `words` say it to whoever does not see it."""

    share: float
    words: str
    style: str = ""
    marks: tuple[tuple[float, str], ...] = ()


class Cell(NamedTuple):
    """What one cell shows. With `action` it is a button; `at_ms` an age that counts on; `mark` a name for tests."""

    text: str = ""
    style: str = ""
    action: str = ""
    title: str = ""
    bar: Bar | None = None
    at_ms: int = 0
    old_ms: int = 0  # the age that is too old; 0: none is
    mark: str = ""


class Line(NamedTuple):
    """A row under a name of its own. `depth` indents it; `note` is a line of text below it."""

    id: str
    cells: Sequence[Cell]
    depth: int = 0
    style: str = ""
    note: str = ""
    note_style: str = ""


class Grid(ui.element, component="static/grid.js"):
    """`rows` gives all lines, in the order in which they are shown."""

    def __init__(
        self,
        label: str,
        columns: Sequence[Column],
        *,
        rows: Callable[[], Sequence[Line]],
        empty: str = "Nothing here yet",
        on_act: Callable[[str, str], Awaitable[object]] | None = None,
        mark: str = "",
    ) -> None:
        super().__init__()
        self._props["label"] = label
        self._props["columns"] = [one._asdict() for one in columns]
        self._props["empty"] = empty
        self._props["mark"] = mark
        self._props["lines"] = []
        self._rows, self._on_act = rows, on_act
        if on_act is not None:
            self.on("act", self._act)

    def paint(self) -> None:
        """Show what is there now; nothing is sent when it looks the same."""
        made = [_plain(line) for line in self._rows()]
        if made != self._props["lines"]:
            self._props["lines"] = made

    async def _act(self, event: GenericEventArguments) -> None:
        assert self._on_act is not None, "listened to only with one"
        act = told(event, Act)
        if act is not None and self._offers(act):
            await self._on_act(act.id, act.action)

    def _offers(self, act: Act) -> bool:
        """Whether a row that stands here has this button."""
        rows = (line for line in self._props["lines"] if line["id"] == act.id)
        return any(cell.get("action") == act.action for line in rows for cell in line["cells"])


def _plain(line: Line) -> dict[str, Any]:
    cells = [
        {**{name: value for name, value in cell._asdict().items() if value and name != "bar"}, "text": cell.text}
        | ({} if cell.bar is None else {"bar": cell.bar._asdict()})
        for cell in line.cells
    ]
    return {
        "id": line.id, "cells": cells, "depth": line.depth, "style": line.style, "note": line.note,
        "noteStyle": line.note_style,
    }  # fmt: skip
