"""What a report is made of. Values only: `html.render` writes them for people, `as_json` for machines."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bulkhead.lab.pages.plots import Plot

Cell = str | int | float | bool | None
"""None is shown as a dash: there is no such number. NaN and infinity are refused, for JSON has no word for them."""


class PageError(ValueError):
    """A report that would not say what it is about; the message names the table, row and column."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table. `digits` after the point, None for words; `unit` stands under the title, or before it
    as a sign ("$")."""

    title: str
    unit: str = ""
    digits: int | None = None

    def shown(self, value: Cell) -> str:
        """A cell as people read it."""
        if value is None:
            return "–"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str) or self.digits is None:
            return str(value)
        if value != 0 and abs(value) < 0.5 * 10.0**-self.digits:
            return f"{value:.1e}".replace("-", "−")
        sign = "−" if value < 0 else ""
        return f"{sign}{'$' if self.unit == '$' else ''}{abs(value):,.{self.digits}f}"


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns. `name` is the file it is downloaded as. `marked` is the row to look at first."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    marked: int | None = None

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise PageError(f"table {self.name}: row {number} has {len(row)} cells, not {len(self.columns)}")
            for column, value in zip(self.columns, row, strict=True):
                if isinstance(value, float) and not math.isfinite(value):
                    raise PageError(f"table {self.name}: row {number}, {column.title}: {value} is no number")
        if self.marked is not None and not 0 <= self.marked < len(self.rows):
            raise PageError(f"table {self.name}: there is no row {self.marked} to mark")

    def csv(self) -> str:
        """The table as a file for spreadsheets: titles with units, raw values."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(f"{column.title} [{column.unit}]" if column.unit else column.title for column in self.columns)
        writer.writerows(["" if value is None else value for value in row] for row in self.rows)
        return text.getvalue()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, sentences, plots and tables, in this order. `code` is shown as it is: a command that replays it."""

    title: str
    text: tuple[str, ...] = ()
    plots: tuple[Plot, ...] = ()
    tables: tuple[Table, ...] = ()
    code: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of the strip at the top: what, how much, and what to hold it against."""

    title: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Where data come from and what may be done with them."""

    name: str
    licence: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report. `answer` is what a reader must know if he reads nothing else; `command` remakes the page.

    `seed` is None where nothing was drawn by chance. `repairs` are what was mended in the data on the way.
    """

    title: str
    question: str
    answer: tuple[str, ...]
    command: str
    seed: int | None
    sources: tuple[Source, ...]
    version: str
    sections: tuple[Section, ...]
    figures: tuple[Figure, ...] = ()
    against: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    simulated: bool = False
    settings: dict[str, Cell] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.sources:
            raise PageError(f"{self.title}: a page says where its data come from")
        if not self.answer:
            raise PageError(f"{self.title}: a page answers its question")


def as_json(page: Page) -> dict[str, Any]:
    """The page for machines: the same numbers, unrounded, without plots (they show what the tables hold)."""
    return {
        "title": page.title,
        "question": page.question,
        "answer": list(page.answer),
        "against": list(page.against),
        "figures": [{"title": one.title, "value": one.value, "note": one.note} for one in page.figures],
        "sections": [_section_json(section) for section in page.sections],
        "settings": dict(page.settings),
        "repairs": list(page.repairs),
        "simulated": page.simulated,
        "seed": page.seed,
        "command": page.command,
        "version": page.version,
        "sources": [{"name": one.name, "licence": one.licence, "detail": one.detail} for one in page.sources],
    }


def _section_json(section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "text": list(section.text),
        "code": section.code,
        "tables": {table.name: records(table.columns, table.rows) for table in section.tables},
    }


def records(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[dict[str, Cell]]:
    """Rows as objects, keyed by title and unit."""
    titles = [f"{column.title} [{column.unit}]" if column.unit else column.title for column in columns]
    return [dict(zip(titles, row, strict=True)) for row in rows]
