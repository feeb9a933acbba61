"""The strip of figures at the top: is it well, how much does it do, how far behind is proving."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

from nicegui import ui

from bulkhead.terminal import numbers, parts
from bulkhead.terminal.live.venue import venue_of
from bulkhead.terminal.shell import Page


class Shown(NamedTuple):
    """A figure with what it is measured in or by, and how it looks."""

    text: str
    note: str = ""
    style: str = ""


LABELS = {
    "health": "Health", "brown-out": "Brown-out", "queue": "Queue", "commands": "Commands/s", "fills": "Fills/s",
    "latency": "Command, p95", "reads": "Question, p95", "prover": "Not proven", "tables": "Tables behind",
}  # fmt: skip


WIDE = ("brown-out", "prover")


def strip(page: Page) -> None:
    """All of them, of the node's last second."""
    asked = venue_of(page.session).operator
    texts: dict[str, tuple[parts.Text, parts.Text]] = {}
    with ui.element("div").classes("bh-figures").props('data-mark="figures"'):
        for name, label in LABELS.items():
            wide = " bh-wide-figure" if name in WIDE else ""
            with ui.element("div").classes(f"bh-figure{wide}").props(f'data-figure="{name}" data-mark="figure-{name}"'):
                parts.Text(label, "small")
                texts[name] = parts.Text(numbers.NONE, "strong"), parts.Text("", "span", "bh-note")
                if name == "health":
                    age = parts.Age()
    problem = parts.Text("", "p", "bh-note bh-warning")
    failures = parts.Text("", "p", "bh-note bh-danger")
    failures.props('data-mark="failures"')

    def paint() -> None:
        age.told(asked.changed_ms)
        problem.show(f"No newer figures: {asked.problem}" if asked.problem else "")
        if asked.value is None:
            return
        for name, shown in figures(asked.value).items():
            value, note = texts[name]
            value.show(shown.text, shown.style or None)
            note.show(shown.note)
        failures.show("; ".join(f"{one['part']}: {one['reason']}" for one in asked.value["failures"]))

    page.painter.on(asked, paint)


def figures(told: dict[str, Any]) -> dict[str, Shown]:
    """What the node told of itself, in words and numbers."""
    brown, prover, rates = told["brownOut"], told["prover"], told["throughput"]
    failed = len(told["failures"])
    limit = f"from {brown['depth']:,} waiting" + (f", {brown['batches']:,} unproven" if brown["batches"] else "")
    proving = prover["proving"]
    doing = "no prover here" if not prover["runs"] else "idle" if proving is None else (
        f"batch {proving['batch']}: {proving['step']} {numbers.percent(Decimal(proving['share']), places=0)}"
    )  # fmt: skip
    return {
        "health": Shown("well" if not failed else f"{failed} failed", "", "bh-danger" if failed else "bh-plain"),
        "brown-out": Shown("on" if brown["isOn"] else "off", limit, "bh-warning" if brown["isOn"] else "bh-plain"),
        "queue": Shown(f"{told['queue']:,}", f"of {told['queueMax']:,}"),
        "commands": Shown(numbers.fixed(Decimal(rates["commands"]), 1), f"over {rates['spanSeconds']} s"),
        "fills": Shown(numbers.fixed(Decimal(rates["fills"]), 1), f"over {rates['spanSeconds']} s"),
        "latency": _latency(told["latency"]),
        "reads": _latency(told["readLatency"]),
        "prover": Shown(f"{prover['unproven']:,}", f"of {prover['sealed']:,} batches; {doing}"),
        "tables": Shown(f"{told['storeLag']:,}", "commands"),
    }


def _latency(told: dict[str, str | None]) -> Shown:
    if told["p95"] is None:
        return Shown(numbers.NONE, "none yet")
    median, most = (numbers.fixed(1000 * Decimal(told[name] or 0), 1) for name in ("p50", "p99"))
    return Shown(f"{numbers.fixed(1000 * Decimal(told['p95']), 1)} ms", f"p50\u00a0{median}, p99\u00a0{most}")
