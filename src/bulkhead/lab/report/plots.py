"""Plots of the report as SVG text, one function each. Colours mean the same everywhere: one per margin mode."""

from __future__ import annotations

import io
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib

matplotlib.use("agg")
import matplotlib.dates as dates  # noqa: E402  (the backend must be chosen first)
import matplotlib.pyplot as pyplot  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.ticker import FuncFormatter  # noqa: E402

from bulkhead.lab.compare import Outcome  # noqa: E402
from bulkhead.lab.measures import LiquidationRow  # noqa: E402
from bulkhead.lab.traders import CAPITAL, MarginMode  # noqa: E402

COLOURS = {
    MarginMode.ISOLATED: "#1b9e77",
    MarginMode.CROSS: "#d95f02",
    MarginMode.STRATEGY: "#4c63b6",
    MarginMode.SCENARIO: "#c2388a",
}
GREY = "#7a828e"
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#b8bec9",
    "axes.labelcolor": "#3b4252",
    "xtick.color": "#596273",
    "ytick.color": "#596273",
    "axes.grid": True,
    "grid.color": "#e7eaf0",
    "axes.axisbelow": True,
    "svg.fonttype": "path",
    "svg.hashsalt": "bulkhead",
}


@contextmanager
def figure(width: float, height: float) -> Iterator[tuple[Axes, list[str]]]:
    """An empty plot; its SVG is appended to the list when the block ends."""
    with pyplot.rc_context(STYLE):
        drawing, axes = pyplot.subplots(figsize=(width, height), layout="constrained")
        text: list[str] = []
        yield axes, text
        buffer = io.StringIO()
        drawing.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        pyplot.close(drawing)
        svg = re.sub("<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.DOTALL)
        text.append(svg[svg.index("<svg") :])


def _times(outcome: Outcome) -> list[float]:
    """Days since the epoch, matplotlib's own unit of dates."""
    return [time_ms / 86_400_000 for time_ms in outcome.recorder.times]


def _dates(axes: Axes) -> None:
    locator = dates.AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _dollars(axes: Axes) -> None:
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"${value / 1000:,.0f}k" if value else "$0"))


def equity(outcomes: Mapping[MarginMode, Outcome], trader: str, rows: Sequence[LiquidationRow]) -> str:
    """Equity of one trader in each mode, a mark at every liquidation of his."""
    with figure(9.2, 3.4) as (axes, text):
        axes.axhline(CAPITAL, color=GREY, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.axhline(0, color="#3b4252", linewidth=0.8)
        for mode, outcome in outcomes.items():
            path = outcome.recorder.equity[trader]
            times = _times(outcome)
            axes.plot(times, path, color=COLOURS[mode], linewidth=1.8, label=f"{mode.value}  ${path[-1]:,.0f}")
            for row in rows:
                if row.mode is mode and row.owner == trader:
                    place = min(bisect_left(outcome.recorder.times, row.time_ms), len(path) - 1)
                    axes.plot(
                        times[place], path[place], "v", color=COLOURS[mode], markersize=6, markeredgecolor="white"
                    )
        axes.set_ylabel("equity")
        axes.legend(frameon=False, ncols=4, loc="upper left", bbox_to_anchor=(0, 1.16))
        _dates(axes)
        _dollars(axes)
    return text[0]


def compartments(outcome: Outcome, trader: str) -> str:
    """Value of each of a trader's accounts over time, in one mode."""
    palette = ["#35507a", "#8fb3d9", "#e0a458", "#b5533c", "#6b8f71", "#9a7fb0", "#555b66"]
    with figure(9.2, 2.6) as (axes, text):
        times = _times(outcome)
        for place, (label, path) in enumerate(outcome.recorder.parts[trader].items()):
            padded = path + [0.0] * (len(times) - len(path))
            axes.plot(times, padded, color=palette[place % len(palette)], linewidth=1.4, label=label)
        axes.axhline(0, color="#3b4252", linewidth=0.8)
        axes.legend(frameon=False, ncols=6, loc="upper left", bbox_to_anchor=(0, 1.2))
        _dates(axes)
        _dollars(axes)
    return text[0]


def market(outcome: Outcome) -> str:
    """Index prices of the set, each from 100."""
    palette = ["#f2a900", "#6f7cba", "#2f3b52", "#8a8d91", "#3fa796", "#b5533c", "#9a7fb0"]
    with figure(9.2, 2.8) as (axes, text):
        times = _times(outcome)
        for place, (market_id, path) in enumerate(outcome.recorder.index.items()):
            series = [100 * price / path[0] for price in path]
            name = outcome.symbols[market_id - 1].removesuffix("-USD")
            label = f"{name} {series[-1] - 100:+.0f} %"
            axes.plot(times, series, color=palette[place % len(palette)], linewidth=1.4, label=label)
        axes.set_ylabel("index, start = 100")
        axes.legend(frameon=False, ncols=5, loc="upper left", bbox_to_anchor=(0, 1.2))
        _dates(axes)
    return text[0]


def slippage(rows: Sequence[LiquidationRow]) -> str:
    """How far from the mark liquidations filled, by size: one dot a step."""
    with figure(4.5, 3.0) as (axes, text):
        for mode in MarginMode:
            mine = [row for row in rows if row.mode is mode]
            axes.scatter(
                [row.notional for row in mine],
                [row.slippage_bp for row in mine],
                s=13,
                color=COLOURS[mode],
                alpha=0.7,
                label=mode.value,
                linewidths=0,
            )
        axes.set_xscale("log")
        axes.axhline(0, color="#3b4252", linewidth=0.8)
        axes.set_xlabel("notional of the step, USD")
        axes.set_ylabel("worse than mark, bp")
        axes.legend(frameon=False, fontsize=8)
    return text[0]


def insurance(outcomes: Mapping[MarginMode, Outcome]) -> str:
    """The insurance fund over time in each mode."""
    with figure(4.5, 3.0) as (axes, text):
        for mode, outcome in outcomes.items():
            axes.plot(_times(outcome), outcome.recorder.insurance, color=COLOURS[mode], linewidth=1.6, label=mode.value)
        axes.set_ylabel("insurance fund")
        axes.legend(frameon=False, fontsize=8)
        _dates(axes)
        _dollars(axes)
    return text[0]
