"""Reports: one file that needs no network, the same bytes each time, tables that can be downloaded, JSON beside it."""

from __future__ import annotations

import base64
import csv
import io
import json
import re

import pytest

from bulkhead.lab.pages import Column, Figure, Page, Section, Source, Table, as_json, render
from bulkhead.lab.pages.page import PageError
from bulkhead.lab.pages.plots import GREY, GREY_ON_DARK, ON_DARK, PALETTE, Axis, Series, bars, heat, lines, scatter

COLUMNS = (Column("world"), Column("pause", "s", 0), Column("paid", "$", 2))


def page(**changes: object) -> Page:
    table = Table("steps", COLUMNS, (("crash, <b>", 10, 1234.5), ("calm", 1, None)), marked=0)
    plot = lines([Series("a", [1, 10], [1, 2], [0.5, 1.5], [1.5, 2.5])], Axis("pause", log=True), Axis("n"), "Steps.")
    given: dict[str, object] = {
        "title": "Title", "question": "Why?", "answer": ("So.",), "command": "bulkhead lab sweep x --seed 7", "seed": 7,
        "sources": (Source("Bars of an exchange", "MIT", "set one"),), "version": "bulkhead 1, commit abc",
        "sections": (Section("One", ("Words & <script>alert(1)</script>.",), (plot,), (table,)),),
        "figures": (Figure("Paid", "$1"),),
    }  # fmt: skip
    return Page(**(given | changes))  # type: ignore[arg-type]


def luminance(colour: str) -> float:
    """Relative luminance, as the contrast of WCAG has it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_page_is_one_file_without_addresses_and_the_same_each_time() -> None:
    text = render(page())
    assert text == render(page())
    head, _, rest = text.partition("<script>")
    ours = head + rest[rest.index('<script type="application/json"') :]
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", ours)
    assert "<script>alert" not in text


def test_a_page_says_seed_commit_source_licence_and_command() -> None:
    text = render(page())
    for words in ("commit abc", "Bars of an exchange", "Licence: MIT", "bulkhead lab sweep x --seed 7", "<dd>7</dd>"):
        assert words in text
    assert "nothing here was drawn by chance" in render(page(seed=None))
    assert ">simulated<" not in text
    assert ">simulated<" in render(page(simulated=True))


def test_a_table_is_downloaded_with_all_its_rows_and_raw_values() -> None:
    many = Table("many", COLUMNS, tuple(("w", place, place / 3) for place in range(100)))
    text = render(page(sections=(Section("One", tables=(many,)),)))
    found = re.search(r'download="many.csv" href="data:text/csv;base64,([^"]+)"', text)
    assert found is not None
    rows = list(csv.reader(io.StringIO(base64.b64decode(found[1]).decode())))
    assert rows[0] == ["world", "pause [s]", "paid [$]"]
    assert len(rows) == 101
    assert float(rows[2][2]) == 1 / 3
    assert "24 of 100 rows" in text


def test_the_twin_for_machines_has_what_the_tables_hold() -> None:
    made = json.loads(json.dumps(as_json(page()), allow_nan=False))
    assert made["sections"][0]["tables"]["steps"][0] == {"world": "crash, <b>", "pause [s]": 10, "paid [$]": 1234.5}
    assert (made["seed"], made["version"], made["sources"][0]["licence"]) == (7, "bulkhead 1, commit abc", "MIT")


def test_what_would_mislead_is_refused_by_name() -> None:
    with pytest.raises(PageError, match="table steps: row 0, paid: nan is no number"):
        Table("steps", COLUMNS, (("a", 1, float("nan")),))
    with pytest.raises(PageError, match="row 0 has 1 cells, not 3"):
        Table("steps", COLUMNS, (("a",),))
    with pytest.raises(PageError, match="no row 3 to mark"):
        Table("steps", COLUMNS, (("a", 1, 1.0),), marked=3)
    with pytest.raises(PageError, match="where its data come from"):
        page(sources=())
    with pytest.raises(PageError, match="answers its question"):
        page(answer=())


def test_cells_are_written_as_people_read_them() -> None:
    dollars, words = Column("a", "$", 2), Column("b")
    assert [dollars.shown(value) for value in (1234.5, -0.5, None, 0.00001)] == ["$1,234.50", "−$0.50", "–", "1.0e−05"]
    assert [words.shown(value) for value in (True, "x", 3)] == ["yes", "x", "3"]


def test_colours_stand_out_on_both_grounds() -> None:
    assert min(contrast(colour, "#191f29") for colour in (*ON_DARK, GREY_ON_DARK)) >= 4.5
    assert min(contrast(colour, "#ffffff") for colour in (*PALETTE, GREY)) >= 2.0  # each has a marker or dash beside it


def test_every_kind_of_plot_is_data_that_a_browser_can_read() -> None:
    x, y = Axis("x"), Axis("y", format=".1%")
    series = [Series("a", [1, 2], [3, 4], [2, 3], [4, 5]), Series("b", [1, 2], [None, 4], labels=["p", "q"])]
    plots = (
        lines(series[:1], x, y, "l", marks=[(1.5, "default")]),
        bars(series[:1], x, y, "b", stacked=True),
        scatter(series, x, y, "s", diagonal=True),
        heat(["c"], ["r"], [[0.5]], (x, y), y, "h"),
    )
    text = render(page(sections=(Section("One", plots=plots),)))
    found = re.search(r'id="plots">(.*?)</script>', text)
    assert found is not None
    assert [figure["data"][-1]["type"] for figure in json.loads(found[1])] == ["scatter", "bar", "scatter", "heatmap"]
    assert text.count('class="plot"') == 4
