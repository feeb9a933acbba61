"""Colours, type and spacing of every screen: one set of CSS variables, in `static/theme.css`, dark and light.

Gains, longs and bids are blue, losses, shorts and asks orange: told apart by everybody, and never by colour alone, for
numbers carry signs and sides are written out.
"""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"
COOKIE = "bulkhead-theme"
DARK, LIGHT = "dark", "light"

# For canvases, which see no CSS variables: the same values as in theme.css (a test holds them to it).
COLOURS: dict[str, dict[str, str]] = {
    DARK: {
        "ground": "#12161c", "panel": "#181d25", "line": "#2c343f", "text": "#dfe5ec", "muted": "#98a4b3",
        "up": "#5aa9f0", "down": "#f0913a", "accent": "#5aa9f0", "warning": "#e8c547", "danger": "#ff7b72",
    },
    LIGHT: {
        "ground": "#f4f6f8", "panel": "#ffffff", "line": "#d5dbe2", "text": "#1b232d", "muted": "#56616f",
        "up": "#0b62b0", "down": "#a94f00", "accent": "#0b62b0", "warning": "#7a5c00", "danger": "#b3261e",
    },
}  # fmt: skip


def colours(is_dark: bool) -> dict[str, str]:
    """Colours by name."""
    return COLOURS[DARK if is_dark else LIGHT]
