"""A page as one HTML file: plotly.js once, plots as data, tables that can be downloaded, nothing from the network."""

from __future__ import annotations

import base64
import json
from importlib import resources
from pathlib import Path

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from bulkhead.lab.pages.page import Page, Table
from bulkhead.lab.pages.plots import GREY, GREY_ON_DARK, ON_DARK, PALETTE

ROWS_SHOWN = 24
"""A longer table is shown this far; the download has all of it."""


def render(page: Page) -> str:
    """The file's text. The same page gives the same bytes."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["download"] = download
    template = environment.from_string(_text("page.html"))
    plots = [plot for section in page.sections for plot in section.plots]
    return template.render(
        page=page,
        style=Markup(_text("page.css")),
        script=Markup(_text("page.js")),
        library=Markup(get_plotlyjs()) if plots else Markup(""),
        plots=Markup(_safe(json.dumps([json.loads(plot.figure.to_json()) for plot in plots]))),
        twins=Markup(_safe(json.dumps([*zip(PALETTE, ON_DARK, strict=True), (GREY, GREY_ON_DARK)]))),
        rows_shown=ROWS_SHOWN,
    )


def write(page: Page, path: Path) -> Path:
    """Write the file, and its folder where there is none; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(page), encoding="utf-8")
    return path


def download(table: Table) -> str:
    """The table's CSV as an address that a browser saves."""
    return f"data:text/csv;base64,{base64.b64encode(table.csv().encode()).decode()}"


def _text(name: str) -> str:
    return resources.files("bulkhead.lab.pages").joinpath(name).read_text(encoding="utf-8")


def _safe(text: str) -> str:
    """JSON inside a script element: no end tag, no comment can begin in it."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
