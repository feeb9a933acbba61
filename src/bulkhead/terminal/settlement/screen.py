"""The screen Settlement. Start reading here. It is built when the exchange is gone, too: from what is kept, and L1."""

from __future__ import annotations

from nicegui import ui

from bulkhead.terminal import parts
from bulkhead.terminal.live.venue import own_of, venue_of
from bulkhead.terminal.settlement import batches, checks
from bulkhead.terminal.settlement.kit import kit_of
from bulkhead.terminal.settlement.leaving import Leaving
from bulkhead.terminal.settlement.money import MoneyForm, on_l1
from bulkhead.terminal.settlement.ways import Ways
from bulkhead.terminal.shell import Page, screen


@screen("/settlement", "Settlement", order=4, needs_exchange=False)
def build(page: Page) -> None:
    """What is on its way and what can be checked on the left; money and the way out on the right."""
    venue, own, kit = venue_of(page.session), own_of(page.session), kit_of(page.session)
    asked = (
        venue.settlement, venue.batches, venue.forced, venue.solvency, own.orders, own.operations, kit.standing,
        kit.announced,
    )  # fmt: skip
    for one in asked:
        page.client.on_delete(one.hold())
    ui.timer(0.1, kit.refresh, once=True)
    ui.add_head_html('<link rel="stylesheet" href="/static/oversight.css">')
    parts.Text("Settlement", "h1", "visually-hidden")
    with ui.element("div").classes("bh-column"):
        batches.summary(page)
        with ui.element("div").classes("bh-settlement"):
            with ui.element("div").classes("bh-column"):
                Ways(page)
                batches.Batches(page)
                batches.forced(page)
                with ui.element("div").classes("bh-halves"):
                    checks.solvency(page)
                    checks.rebuilt(page)
                checks.held_to_l1(page)
            with ui.element("div").classes("bh-column"):
                MoneyForm(page)
                Leaving(page)
                on_l1(page)
