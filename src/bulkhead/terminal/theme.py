"""Colours, type and spacing of every screen: one set of CSS variables, in `static/theme.css`, dark and light.

Gains, longs and bids are blue, losses, shorts and asks orange: told apart by everybody, and never by colour alone, for
numbers carry signs and sides are written out. The browser chooses and keeps the theme by itself (`static/theme.js`).
"""

from __future__ import annotations

from pathlib import Path

from nicegui import ui

STATIC = Path(__file__).parent / "static"


class Choice(ui.element, component="static/theme_choice.js"):
    """Auto, dark or light, for every tab of this browser, now and at its next visit."""
