"""The screen Trade: chart, book, trades, ticket, and what the account has."""

from __future__ import annotations

from nicegui import ui

from bulkhead.terminal.shell import Page, screen
from bulkhead.terminal.trade import book, chart, handed, keyboard, strip
from bulkhead.terminal.trade.tabs import Tabs
from bulkhead.terminal.trade.ticket import Ticket


@screen("/", "Trade", order=0)
def build(page: Page) -> None:
    """Everything of one market in sight at once."""
    market = page.hold_market()
    if market is None:
        return
    with ui.element("div").classes("bh-trade"):
        strip.build(page, market)
        chart.build(page, market)
        with ui.element("div").classes("bh-area-book bh-slot") as place:
            pass
        ticket = Ticket(page, market)
        with place:
            book.build(page, market, ticket.take_price)
        book.build_trades(page, market)
        tabs = Tabs(page, ticket.editing.begin)
    handed.take_over(page, ticket)
    keyboard.build(ticket, tabs)
