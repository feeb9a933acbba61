"""The screen Keys."""

from __future__ import annotations

from bulkhead.terminal import parts
from bulkhead.terminal.shell import Page, screen


@screen("/keys", "Keys", order=9)
def build(page: Page) -> None:
    """Accounts on this machine."""
    parts.Text("Keys", "h1")
