"""Keys of the screen Trade; "?" lists them. They rest while one types into a field."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from nicegui import ui
from nicegui.events import KeyEventArguments

from bulkhead.terminal import parts
from bulkhead.terminal.trade.order_form import LIMIT, MARKET, STOP
from bulkhead.terminal.trade.tabs import Tabs
from bulkhead.terminal.trade.ticket import Ticket

Do = Callable[[], object] | Callable[[], Awaitable[object]]
TABLES = ("positions", "orders", "fills", "funding", "orders-past", "positions-past")


def build(ticket: Ticket, tabs: Tabs) -> None:
    """Listen for keys, and have a list of them at hand."""
    keys: dict[str, tuple[str, Do]] = {
        "b": ("Buy", lambda: ticket.choose_side("BUY")),
        "s": ("Sell", lambda: ticket.choose_side("SELL")),
        "l": ("Limit order", lambda: ticket.choose_kind(LIMIT)),
        "m": ("Market order", lambda: ticket.choose_kind(MARKET)),
        "t": ("Stop or trigger order", lambda: ticket.choose_kind(STOP)),
        "p": ("Go to the price", lambda: ticket.focus("price")),
        "z": ("Go to the size", lambda: ticket.focus("size")),
        "e": ("Edit the newest order here; again: the one before", ticket.editing.begin_next),
        "X": ("Cancel all orders", tabs.cancel_all),
    }
    for place, name in enumerate(TABLES, 1):
        keys[str(place)] = (f"Table: {name.replace('-', ', ')}", partial(tabs.show, name))
    help_box = _help(keys)

    async def pressed(event: KeyEventArguments) -> None:
        key = event.key.name
        if not event.action.keydown or event.modifiers.ctrl or event.modifiers.alt or event.modifiers.meta:
            return
        if key == "?":
            help_box.set_visibility(not help_box.visible)
        elif key == "Escape":
            help_box.set_visibility(False)
            ticket.editing.leave()
        elif key in keys:
            done = keys[key][1]()
            if isinstance(done, Awaitable):
                await done

    ui.keyboard(pressed, repeating=False, ignore=["input", "select", "textarea"])


def _help(keys: dict[str, tuple[str, Do]]) -> ui.element:
    with ui.element("section").classes("bh-panel bh-help") as box:
        box.props('role="dialog" aria-label="Keys" data-mark="help" data-floats="yes"')
        with ui.element("h2"):
            parts.Text("Keys")
        with ui.element("dl"):
            for key, (meaning, _) in keys.items():
                with ui.element("div"):
                    parts.Text("Shift+X" if key == "X" else key.upper(), "dt")
                    parts.Text(meaning.capitalize(), "dd")
            others = (
                ("Enter", "In a field of the ticket: send"), ("?", "This list"),
                ("Esc", "Close it; leave an order as it is"),
            )  # fmt: skip
            for key, meaning in others:
                with ui.element("div"):
                    parts.Text(key, "dt")
                    parts.Text(meaning, "dd")
        parts.button("Close", lambda: box.set_visibility(False))
    box.set_visibility(False)
    return box
