"""What the screen shows of an answer: the table of modes, and the price panel with chart, slider and sentence."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

from nicegui import ui
from nicegui.elements.echart import EChart
from nicegui.events import GenericEventArguments

from bulkhead.client import Market
from bulkhead.terminal import numbers, parts
from bulkhead.terminal.compare import columns
from bulkhead.terminal.compare.figures import Answer, Mode
from bulkhead.terminal.compare.link import MODES
from bulkhead.terminal.events import told

assert EChart.component is not None, "its library is registered by importing it"

DASHES: dict[str, tuple[Any, str]] = {
    "isolated": ("solid", "circle"), "cross": ([7, 3], "rect"), "strategy": ([2, 3], "triangle"),
    "scenario": ([9, 3, 2, 3], "diamond"),
}  # fmt: skip
TURN_PIXELS = 8
SHOWN = (("left", "left in all accounts, USD"), ("equity", "equity of its account, USD"))


class ModesTable:
    """One column for each mode. `paint` shows an answer, `move` where the slider stands."""

    def __init__(self, market: Market, take: Callable[[str], None]) -> None:
        self.market = market
        self._rows: dict[str, dict[str, parts.Text]] = {}
        self._elements: dict[str, list[ui.element]] = {mode: [] for mode in MODES}
        self._buttons: dict[str, ui.element] = {}
        with ui.element("table").classes("bh-modes").props('data-mark="modes" aria-label="Margin modes side by side"'):
            self._head()
            with ui.element("tbody"):
                self._row("status", "This order", "Whether the mode takes it now", "bh-status")
                for name, label, title in columns.ROWS:
                    self._row(name, label, title)
                name, label, title = columns.SIZE_ROW
                self._sizes = self._row(name, label.format(unit=market.name.split("-")[0]), title)
                self._sizes.set_visibility(False)
            with ui.element("tbody"):
                with ui.element("tr").classes("bh-section"), ui.element("th").props('colspan=5 scope="rowgroup"'):
                    self.where = parts.Text("At the slider")
                for name, label, title in columns.POINT_ROWS:
                    self._row(name, label, title)
            with ui.element("tfoot"), ui.element("tr"):
                ui.element("td")
                for mode in MODES:
                    with ui.element("td"):
                        self._buttons[mode] = parts.button(
                            f"Trade {mode}", lambda mode=mode: take(mode), mark=f"take-{mode}"
                        )

    def _head(self) -> None:
        with ui.element("thead"), ui.element("tr"):
            with ui.element("th").props('scope="col"'):
                parts.Text("USD")
            for mode in MODES:
                with ui.element("th").props('scope="col"').classes("bh-mode") as cell:
                    ui.element("i").classes("bh-swatch").style(f"background: var(--{mode})")
                    parts.Text(mode.capitalize())
                self._elements[mode].append(cell)

    def _row(self, name: str, label: str, title: str, classes: str = "") -> ui.element:
        self._rows[name] = {}
        with ui.element("tr").classes(classes) as made:
            with ui.element("th").props('scope="row"') as head:
                head.props["title"] = title
                parts.Text(label)
            for mode in MODES:
                with ui.element("td").props(f'data-mark="{name}-{mode}"') as cell:
                    self._rows[name][mode] = parts.Text(numbers.NONE)
                self._elements[mode].append(cell)
        return made

    def paint(self, answer: Answer) -> None:
        """Show an answer; a mode that is not in it has no numbers."""
        self._sizes.set_visibility(bool(answer.question.loss))
        for name in MODES:
            mode = answer.mode(name)
            shown = {} if mode is None else {"status": columns.head(mode), **columns.cells(answer, mode, self.market)}
            self._show(name, shown, ["status", *(row[0] for row in columns.ROWS), "size"])
            is_refused = mode is not None and mode.what_if.reject is not None
            is_current = mode is not None and mode.preview.is_current
            worn = [style for style, is_worn in (("bh-chosen", is_current), ("bh-refused", is_refused)) if is_worn]
            for element in self._elements[name]:
                element.classes(add=" ".join(worn), remove=" ".join({"bh-chosen", "bh-refused"}.difference(worn)))
            parts.set_disabled(self._buttons[name], mode is None or is_refused)

    def move(self, answer: Answer, place: int) -> None:
        """Show what is so where the slider stands."""
        for name in MODES:
            mode = answer.mode(name)
            shown = {} if mode is None else columns.at_point(answer, mode, place)
            self._show(name, shown, [row[0] for row in columns.POINT_ROWS])
        if answer.modes:
            share = answer.grid[place]
            price = numbers.price(self.market, answer.index_at(place))
            others = [
                f"{market} {numbers.percent(moved, places=1, sign=True)}"
                for market, moved in answer.moves[place].shares.items()
                if market != answer.question.market
            ]
            moves = f"moves by {columns.share_text(share)} to" if share else "stays at"
            text = f"If {self.market.name} {moves} {price}"
            self.where.show(text + (f" ({', '.join(others)})" if others and share else ""))
        else:
            self.where.show("At the slider")

    def _show(self, mode: str, shown: dict[str, columns.Cell], rows: list[str]) -> None:
        for row in rows:
            cell = shown.get(row, columns.Cell(numbers.NONE, "bh-muted"))
            self._rows[row][mode].show(cell.text, cell.style)


class Slider(ui.element, component="../static/slider.js"):
    """Places of a list; `on_place` is told while it is dragged."""

    def __init__(self, label: str, on_place: Callable[[int], None]) -> None:
        super().__init__()
        self._props["label"] = label
        self._props["own"] = f"slider-{self.id}"
        self._props["disabled"] = True  # until there are places
        self.on("place", lambda event: self._told(event, on_place))

    def _told(self, event: GenericEventArguments, on_place: Callable[[int], None]) -> None:
        place = told(event, int)
        if place is not None and 0 <= place < len(self._props.get("stops", ())):
            on_place(place)

    def stand(self, place: int, grid: tuple[Decimal, ...], text: str) -> None:
        """Where it stands among all places, in words too."""
        stops = [float(100 * share) for share in grid]
        for name, value in (("stops", stops), ("value", place), ("text", text), ("disabled", False)):
            if self._props.get(name) != value:
                self._props[name] = value


class Chart(ui.element, component="../static/whatif.js"):
    """What is left in each mode along the price. Its canvas takes floats: it shows no more digits than they have."""

    def __init__(self) -> None:
        super().__init__()
        self._props["label"] = "What each margin mode leaves along the price, and where each is liquidated"
        self.classes("bh-fill")
        self._shown: dict[str, Any] = {}

    def paint(self, answer: Answer, what: str, place: int) -> None:
        """Draw an answer; nothing is sent when it looks the same."""
        drawn = drawn_of(answer, what)
        if drawn != self._shown:
            self._shown = drawn
            self.run_method("paint", {**drawn, "at": float(100 * answer.grid[place])})

    def stand(self, share: Decimal) -> None:
        """Stand the cursor there."""
        self.run_method("at", float(100 * share))


def drawn_of(answer: Answer, what: str) -> dict[str, Any]:
    """Lines and points of liquidation, in percent and dollars."""
    percents = [float(100 * share) for share in answer.grid]
    values = {mode.name: _values(mode, what) for mode in answer.modes}
    return {
        "least": percents[0],
        "most": percents[-1],
        "step": percents[-1] / 5,
        "series": [_series(answer, mode, percents, values) for mode in answer.modes],
    }


def _values(mode: Mode, what: str) -> list[float]:
    return [float(one.owner_left if what == "left" else one.equity) for one in mode.what_if.points]


def _series(answer: Answer, mode: Mode, percents: list[float], lines: dict[str, list[float]]) -> dict[str, Any]:
    """One line. Those that lie on each other take turns, each with a dash where the others have none; those that do so
    all along are said to be the same."""
    values = lines[mode.name]
    same = [name for name, line in lines.items() if line == values and name != mode.name]
    turns = sharing(mode.name, lines)
    dash, symbol = DASHES[mode.name]
    if len(turns) > 1:
        dash = [TURN_PIXELS, TURN_PIXELS * (len(turns) - 1)]
    return {
        "name": mode.name,
        "label": " = ".join([mode.name, *same]),
        "dash": dash,
        "offset": -TURN_PIXELS * turns.index(mode.name),
        "symbol": symbol,
        "isRefused": mode.what_if.reject is not None,
        "points": [list(point) for point in zip(percents, values, strict=True)],
        "liquidations": [[percents[place], values[place]] for place in liquidations(answer, mode)],
    }


def sharing(name: str, lines: dict[str, list[float]]) -> list[str]:
    """The modes whose lines run together with a mode's somewhere, or with one that does, its own among them."""
    found = {name}
    while True:
        more = {other for other, line in lines.items() if any(_run_together(line, lines[one]) for one in found)}
        if more == found:
            return [one for one in lines if one in found]
        found = more


def _run_together(one: list[float], other: list[float]) -> bool:
    """Two points that follow each other are the same: lines that only cross have one."""
    are_same = [a == b for a, b in zip(one, other, strict=True)]
    return any(a and b for a, b in pairwise(are_same))


def liquidations(answer: Answer, mode: Mode) -> list[int]:
    """Places at which the account that holds the position is first liquidated, going down and going up from now."""
    places = range(len(answer.grid))
    ways = (range(answer.now, -1, -1), range(answer.now, places.stop))
    found = [next((one for one in way if columns.is_down(mode, answer.point(mode, one))), None) for way in ways]
    return sorted({one for one in found if one is not None})
