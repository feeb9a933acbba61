"""The screen Risk. Start reading here."""

from __future__ import annotations

from nicegui import ui

from bulkhead.terminal import parts
from bulkhead.terminal.grid import Grid
from bulkhead.terminal.live.venue import own_of
from bulkhead.terminal.risk import checks
from bulkhead.terminal.risk.modes import ModeForm, StrategyForm
from bulkhead.terminal.risk.moving import MoveForm
from bulkhead.terminal.risk.tree import COMPARTMENTS, POSITIONS, compartment_lines, position_lines
from bulkhead.terminal.shell import Page, screen


@screen("/risk", "Risk", order=3)
def build(page: Page) -> None:
    """What is where; forms beside it; the checklist and liquidations below."""
    own = own_of(page.session)
    for one in (own.compartments, own.profit, own.facts, own.liquidations):
        page.client.on_delete(one.hold())
    ui.add_head_html('<link rel="stylesheet" href="/static/oversight.css">')
    parts.Text("Risk", "h1", "visually-hidden")
    with ui.element("div").classes("bh-risk"):
        with ui.element("div").classes("bh-column"):
            _accounts(page)
            _positions(page)
            checks.checklist(page)
            checks.liquidations(page)
        with ui.element("div").classes("bh-column"):
            MoveForm(page)
            ModeForm(page)
            StrategyForm(page)


def _accounts(page: Page) -> None:
    own = own_of(page.session)
    with parts.panel("Compartments, in USD", mark="compartments") as made:
        age = parts.heading_age(made)
        problem = parts.Text("", "p", "bh-note bh-warning")
        grid = Grid(
            "Compartments", COMPARTMENTS,
            rows=lambda: compartment_lines(own.compartments.value, own.profit.value),
            empty="Unlock an account on the Keys screen to see what it risks.",
        )  # fmt: skip

    def paint() -> None:
        grid.paint()
        age.told(own.compartments.changed_ms)
        problem.show(own.compartments.problem)

    page.painter.on(own.compartments, paint)
    page.painter.on(own.profit, grid.paint)


def _positions(page: Page) -> None:
    own = own_of(page.session)
    with parts.panel("Positions, in USD", mark="positions") as made:
        age = parts.heading_age(made)
        grid = Grid(
            "Positions", POSITIONS, rows=lambda: position_lines(page.session, own.compartments.value),
            empty="No position is open.",
        )  # fmt: skip

    def paint() -> None:
        grid.paint()
        age.told(own.compartments.changed_ms)

    page.painter.on(own.compartments, paint)
