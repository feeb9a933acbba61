"""The HTML page: one self-contained file, plots inside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import jinja2

from bulkhead.lab.compare import Outcome, Setting
from bulkhead.lab.prices import DataSet
from bulkhead.lab.report import plots
from bulkhead.lab.report.summary import Summary
from bulkhead.lab.traders import CAPITAL, TRADERS, MarginMode

ROWS_SHOWN = 60


def write_report(
    path: Path, setting: Setting, data: DataSet, outcomes: Mapping[MarginMode, Outcome], summary: Summary
) -> Path:
    """Write the report of a comparison and return its path."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["date"] = lambda ms: datetime.fromtimestamp(ms / 1000, UTC).strftime("%d %b %H:%M")
    environment.filters["dollars"] = lambda value: f"−${-value:,.0f}" if value < -0.5 else f"${value:,.0f}"
    template = environment.from_string(
        resources.files("bulkhead.lab.report").joinpath("page.html").read_text(encoding="utf-8")
    )
    first = next(iter(outcomes.values()))
    text = template.render(
        setting=setting,
        data=data,
        first=first,
        outcomes=list(outcomes.values()),
        modes=list(outcomes),
        traders=[trader for trader in TRADERS if trader.name in summary.cells],
        summary=summary,
        capital=CAPITAL,
        colours={mode.value: plots.COLOURS[mode] for mode in outcomes},
        orders=sum(outcome.orders for outcome in outcomes.values()),
        rows=summary.rows[:ROWS_SHOWN],
        plot_market=plots.market(first),
        plot_equity={name: plots.equity(outcomes, name, summary.rows) for name in summary.cells},
        plot_parts={
            (name, mode.value): plots.compartments(outcomes[mode], name)
            for name in summary.cells
            for mode in (MarginMode.ISOLATED, MarginMode.STRATEGY)
            if mode in outcomes and len(outcomes[mode].recorder.parts[name]) > 1
        },
        plot_slippage=plots.slippage(summary.rows) if summary.rows else "",
        plot_insurance=plots.insurance(outcomes),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
