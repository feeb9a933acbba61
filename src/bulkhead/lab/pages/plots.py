"""Plots of the reports: Plotly figures in colours that colour-blind readers can tell apart, by light or dark.

Colours are those of Okabe and Ito; each series also has a marker or a dash of its own, so that a plot survives being
printed in grey. `html.py` swaps them for their twins on a dark ground.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as graph

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b5b95")
ON_DARK = ("#4aa8e0", "#f0803c", "#2fc79b", "#e3a0c5", "#f2b92e", "#86cdf5", "#a99bd0")
"""The same hues for a dark ground, each at least 4.5 times as light as it."""
GREY, GREY_ON_DARK = "#6f7785", "#98a1b0"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star")
HEIGHT = 380
MARKED_MOST = 80
"""Points of a line that are marked; more would hide it."""
TICKS_MOST = 13
"""So many values on a logarithmic axis are written out; of more, decades."""


@dataclass(frozen=True, slots=True)
class Plot:
    """A Plotly figure and what it shows, in words: for those who cannot see it, and for the caption."""

    figure: Any
    caption: str


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one set of bars. `low` and `high` are the ends of an interval around each value."""

    name: str
    x: Sequence[Any]
    y: Sequence[float | None]
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    labels: Sequence[str] | None = None  # said when pointed at


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis: its title, `log` or linear, and how numbers on it are written (d3: "$,.0f", ".1%")."""

    title: str
    log: bool = False
    format: str = ""
    range: tuple[float, float] | None = None


def lines(series: Sequence[Series], x: Axis, y: Axis, caption: str, *, marks: Sequence[tuple[float, str]] = ()) -> Plot:
    """Lines with markers and, where there are intervals, a band around each. `marks` are values of x to point out."""
    figure = _empty(x, y)
    for place, one in enumerate(series):
        colour = PALETTE[place % len(PALETTE)]
        if one.low is not None and one.high is not None:
            figure.add_trace(_band(one, colour))
        figure.add_trace(
            graph.Scatter(
                x=list(one.x), y=list(one.y), name=one.name, text=_texts(one),
                mode="lines+markers" if len(one.x) <= MARKED_MOST else "lines",
                line={"color": colour, "dash": DASHES[place % len(DASHES)], "width": 2},
                marker={"symbol": _marker(place), "size": 7},
            )
        )  # fmt: skip
    values = sorted({value for one in series for value in one.x if isinstance(value, int | float)})
    if x.log and 0 < len(values) <= TICKS_MOST:
        figure.update_xaxes(tickmode="array", tickvals=values, tickformat=x.format or ",~g")
    heights = [value for one in series for value in one.y if value is not None and value > 0]
    if y.log and heights and max(heights) < 10 * min(heights):
        figure.update_yaxes(dtick="D1")  # within a decade its ends would be all that is written
    _mark(figure, marks, x)
    return Plot(figure, caption)


def bars(series: Sequence[Series], x: Axis, y: Axis, caption: str, *, stacked: bool = False) -> Plot:
    """Bars side by side, or on top of each other, with intervals where there are any."""
    figure = _empty(x, y)
    figure.update_layout(barmode="stack" if stacked else "group", bargap=0.25)
    patterns = ("", "/", ".", "x", "-", "+", "|")
    for place, one in enumerate(series):
        interval = None
        if one.low is not None and one.high is not None:
            above = [high - value for high, value in zip(one.high, one.y, strict=True) if value is not None]
            below = [value - low for low, value in zip(one.low, one.y, strict=True) if value is not None]
            interval = {
                "type": "data",
                "symmetric": False,
                "array": above,
                "arrayminus": below,
                "thickness": 1.4,
                "color": GREY,
            }
        figure.add_trace(
            graph.Bar(
                x=list(one.x), y=list(one.y), name=one.name, text=_texts(one), textposition="none",
                error_y=interval,
                marker={"color": PALETTE[place % len(PALETTE)], "pattern": {"shape": patterns[place % len(patterns)]}},
            )
        )  # fmt: skip
    return Plot(figure, caption)


def scatter(series: Sequence[Series], x: Axis, y: Axis, caption: str, *, diagonal: bool = False) -> Plot:
    """Points. `diagonal` draws where both axes are equal, through the range of the points."""
    figure = _empty(x, y)
    figure.update_layout(hovermode="closest")
    for place, one in enumerate(series):
        figure.add_trace(
            graph.Scatter(
                x=list(one.x), y=list(one.y), name=one.name, mode="markers", text=_texts(one),
                marker={
                    "color": PALETTE[place % len(PALETTE)], "symbol": _marker(place),
                    "size": 8, "opacity": 0.8,
                },
            )
        )  # fmt: skip
    if diagonal:
        values = [
            value for one in series for value in (*one.x, *one.y) if value is not None and (value > 0 or not x.log)
        ]
        ends = [min(values), max(values)]
        figure.add_trace(
            graph.Scatter(
                x=ends, y=ends, mode="lines", name="equal", hoverinfo="skip",
                line={"color": GREY, "dash": "dot", "width": 1},
            )
        )  # fmt: skip
    return Plot(figure, caption)


def heat(
    columns: Sequence[str], rows: Sequence[str], values: Sequence[Sequence[float | None]], axes: tuple[Axis, Axis],
    shade: Axis, caption: str,
) -> Plot:  # fmt: skip
    """A grid of numbers, each cell shaded (Cividis, which grey and colour-blind eyes read) and written out."""
    figure = _empty(*axes)
    shown = [["" if value is None else f"{value:{shade.format or '.3g'}}" for value in row] for row in values]
    figure.add_trace(
        graph.Heatmap(
            x=list(columns), y=list(rows), z=[list(row) for row in values], colorscale="Cividis", text=shown,
            texttemplate="%{text}", xgap=2, ygap=2, colorbar={"title": {"text": shade.title, "side": "right"}},
            hovertemplate="%{x}, %{y}: %{text}<extra></extra>",
        )
    )  # fmt: skip
    figure.update_layout(hovermode="closest")
    figure.update_xaxes(type="category")
    figure.update_yaxes(type="category")
    return Plot(figure, caption)


def _marker(place: int) -> str:
    """A marker that no other series of the same colour has."""
    return MARKERS[(place + place // len(PALETTE)) % len(MARKERS)]


def _texts(series: Series) -> list[str] | None:
    return None if series.labels is None else list(series.labels)


def _band(series: Series, colour: str) -> Any:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return graph.Scatter(
        x=[*series.x, *reversed(series.x)], y=[*(series.high or ()), *reversed(series.low or ())],
        mode="lines", fill="toself", fillcolor=f"rgba({red},{green},{blue},0.16)", line={"width": 0},
        hoverinfo="skip", showlegend=False, name=f"{series.name}, interval",
    )  # fmt: skip


def _mark(figure: Any, marks: Sequence[tuple[float, str]], x: Axis) -> None:
    for value, words in marks:
        figure.add_shape(
            type="line", x0=value, x1=value, y0=0, y1=1, yref="paper", line={"color": GREY, "dash": "dot", "width": 1.4}
        )
        figure.add_annotation(  # on a logarithmic axis a note is placed by its logarithm, a shape is not
            x=math.log10(value) if x.log else value, y=1, yref="paper", xanchor="left", yanchor="top", showarrow=False,
            text=words, font={"color": GREY, "size": 12}, xshift=4,
        )  # fmt: skip


def _empty(x: Axis, y: Axis) -> Any:
    """A figure without a ground or colours of its own: the page gives them, by light or dark."""
    figure = graph.Figure(layout={"template": None})
    figure.update_layout(
        height=HEIGHT, hovermode="x unified", colorway=list(PALETTE),
        margin={"l": 64, "r": 20, "t": 34, "b": 52},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        font={"family": 'system-ui, "Segoe UI", Roboto, sans-serif', "size": 13},
    )  # fmt: skip
    for place, axis in (("xaxis", x), ("yaxis", y)):
        settings: dict[str, Any] = {"title": {"text": axis.title}, "automargin": True, "zeroline": False}
        if axis.log:
            settings |= {"type": "log", "dtick": 1 if place == "yaxis" else "D2"}
        if axis.format:
            settings |= {"tickformat": axis.format, "hoverformat": axis.format}
        if axis.range is not None:
            settings["range"] = list(axis.range)
        figure.update_layout({place: settings})
    return figure
