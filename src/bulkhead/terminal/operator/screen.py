"""The screen Operator. Start reading here."""

from __future__ import annotations

from nicegui import ui

from bulkhead.terminal import parts
from bulkhead.terminal.live.venue import own_of, venue_of
from bulkhead.terminal.operator import tables
from bulkhead.terminal.operator.drafts import Drafting
from bulkhead.terminal.operator.figures import strip
from bulkhead.terminal.operator.upgrades import proposals
from bulkhead.terminal.shell import Page, screen


@screen("/operator", "Operator", order=5)
def build(page: Page) -> None:
    """Figures on top, markets below them, then everything that is watched, and the draft beside it."""
    venue = venue_of(page.session)
    shown = (venue.operator, venue.oracle, venue.markets, venue.insurance, venue.liquidations, venue.proposals)
    for one in shown:
        page.client.on_delete(one.hold())
    page.client.on_delete(own_of(page.session).ranks.hold())
    ui.add_head_html('<link rel="stylesheet" href="/static/oversight.css">')
    parts.Text("Operator", "h1", "visually-hidden")
    with tables.column():
        strip(page)
        tables.markets(page)
        with ui.element("div").classes("bh-halves"):
            with tables.column():
                tables.oracle(page)
                tables.insurance(page)
                tables.deleveraging(page)
            with tables.column():
                Drafting(page)
        proposals(page)
        tables.liquidations(page)
