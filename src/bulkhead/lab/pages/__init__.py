"""Reports of the lab: a `Page` of plots, tables and sentences, as one HTML file that needs no network, or as JSON.

Start with `page.py` (what a page is made of), `plots.py` (plots a page can show) and `html.py` (how it is written).
"""

from bulkhead.lab.pages.html import render, write
from bulkhead.lab.pages.page import Column, Figure, Page, Section, Source, Table, as_json
from bulkhead.lab.pages.plots import Plot
from bulkhead.lab.pages.provenance import source_of, version

__all__ = [
    "Column",
    "Figure",
    "Page",
    "Plot",
    "Section",
    "Source",
    "Table",
    "as_json",
    "render",
    "source_of",
    "version",
    "write",
]
