"""The screen Trade."""

from __future__ import annotations

from bulkhead.terminal import parts
from bulkhead.terminal.shell import Page, screen


@screen("/", "Trade", order=0)
def build(page: Page) -> None:
    """Chart, book, trades, ticket, and what the account has."""
    market = page.hold_market()
    if market is None:
        return
    parts.Text(market.name, "h1")
