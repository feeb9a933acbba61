"""Measure every figure, or those of the modules named, and print them in one table beside references and targets.

    python -m benchmarks [MODULE ...] [--full] [--write]

Each module runs in a process of its own, so that no figure suffers from what was measured before it. Results are kept
in benchmarks/results.json; `--write` also renews docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import Row, measure

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
DOCUMENT = HERE.parent / "docs" / "benchmarks.md"
HIDDEN = {"__init__", "__main__"}


class Target(NamedTuple):
    """A figure to reach: rows of a module whose figure begins so must be at least (or at most) this."""

    module: str
    figure: str
    value: float
    is_least: bool

    def is_met(self, value: float) -> bool:
        """Reached, on this machine and in this run."""
        return value >= self.value if self.is_least else value <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.is_least else '≤'} {shown(self.value)}"


TARGETS = (
    Target("matching", "order book", 800_000, True),  # messages a second with fills reported
    Target("ledger", "ledger.apply", 10_000, True),  # trades a second, signatures and tree apart
    Target("ledger", "health", 5, False),  # microseconds for an account of eight positions
    Target("journal", "journal ", 50_000, True),  # commands a second, group-committed
    Target("replay", "Replay of a million", 300, False),  # seconds
    Target("replay", "Opening a million", 10, False),  # seconds
    Target("restart", "Restart of a node with a million commands, from", 10, False),  # seconds
    Target("restart", "Restart of a node with a million commands, in", 300, False),
    Target("field", "Field product", 14, False),  # nanoseconds a core
    Target("field", "Transform of 2^20", 0.25, False),  # seconds on two cores
    Target("poseidon", "Poseidon of two, arrays", 6, False),  # microseconds: one Hades permutation
    Target("ecdsa", "Batch ECDSA", 10_000, True),  # signatures a second and core
    Target("proving", "Proving, per cell", 3.3, False),  # microseconds a cell and core, blow-up 4
    Target("proving", "Verification of 2^18", 1, False),  # seconds
    Target("proving", "Proof library: kernels", 60, False),  # seconds
    Target("streams", "Book delta to 100 subscribers at 20/s, p99", 50, False),  # milliseconds
    Target("streams", "Book delta to 100 subscribers at 200/s, p99", 50, False),
    Target("api", "Signed orders", 1_500, True),  # a second, over HTTP
    Target("api", "Acknowledgement at 500/s, p50", 5, False),  # milliseconds
    Target("api", "Acknowledgement at 500/s, p99", 25, False),
    Target("terminal", "First view, median", 2_000, False),  # milliseconds
    Target("terminal", "Click to acknowledged, p95", 100, False),  # milliseconds
    Target("settlement", "Forced request", 90_000, False),  # gas
    Target("settlement", "A changed position", 40, False),  # bytes
    Target("settlement", "A changed word", 40, False),
    *(
        Target("on_chain", f"Batch of {trades}: {figure}", value, False)
        for trades in ("110 trades on chain", "1500 trades on chain")
        for figure, value in (("transactions", 6), ("longest transaction", 125_000), ("in all", 30_000_000))
    ),
    Target("escape", "Rebuild of 10,000", 60, False),  # seconds
    Target("escape", "A claim after", 150_000, False),  # gas
    Target("escape", "Escape of 10,000 accounts: peak memory", 10, False),  # GiB
    Target("escape", "Escape, its dearest", 1 << 24, False),  # gas
    Target("escape", "Escape, its largest", 125_000, False),  # bytes
    Target("lab", "Margin kernel", 300, True),  # million position-steps a second
    Target("lab", "Compare of 8", 20, False),  # seconds
    Target("lab", "Exact search", 90, False),
    Target("circuit", "Cells a trade, padding included, 1500", 20_000, False),
    Target("circuit", "A trade, isolated", 30_000, False),
    Target("circuit", "An oracle tick", 16_000, False),  # cells
    Target("circuit", "An order of", 3_000, False),  # cells for it and its list, however many live
    Target("circuit", "Trades proven, standard, 1500", 20, True),  # a second, on two cores
    Target("circuit", "A batch, tables filled, 110", 30, False),  # seconds; more than the 64 trades that are asked for
    Target("circuit", "Filling", 15, False),  # percent of proving
    Target("circuit", "Peak memory, 110", 3, False),  # GiB
    Target("circuit", "Peak memory, 1500", 10, False),
    Target("lab_paths", "Fitted world", 4, True),  # millions of path-steps a second
)


def modules() -> list[str]:
    """Names of the modules that measure something: they define `run`."""
    names = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in HIDDEN)
    return [name for name in names if "\ndef run(" in (HERE / f"{name}.py").read_text(encoding="utf-8")]


def measure_all(names: list[str], full: bool, console: Console) -> tuple[dict[str, list[Row]], dict[str, str]]:
    """Rows by module, and what went wrong by module."""
    found: dict[str, list[Row]] = {}
    failed: dict[str, str] = {}
    columns = (SpinnerColumn(), TextColumn("{task.completed}/{task.total} {task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            progress.update(task, description=f"measuring {name}")
            start = time.perf_counter()
            with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
                try:
                    found[name] = process.submit(measure, name, full).result()
                except Exception as error:
                    failed[name] = f"{type(error).__name__}: {error}"
            outcome = "failed" if name in failed else f"{len(found[name])} figures"
            console.print(f"{name}: {outcome} in {time.perf_counter() - start:.0f} s", style="dim", highlight=False)
            progress.advance(task)
    return found, failed


def target_of(module: str, row: Row) -> Target | None:
    """The target of a row, if it has one."""
    for target in TARGETS:
        if target.module == module and str(row["figure"]).startswith(target.figure):
            return target
    return None


def shown(value: object) -> str:
    """A number as people read it; anything else as it is."""
    if not isinstance(value, int | float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cells(module: str, row: Row) -> tuple[str, str, str, str, str, str]:
    """One line of the table: figure, value, unit, target, reference, ratio."""
    target, value, ratio = target_of(module, row), row["value"], row["ratio"]
    aim = ""
    if target is not None:
        aim = f"{target} {'reached' if isinstance(value, int | float) and target.is_met(value) else 'MISSED'}"
    ratio_shown = f"{ratio:.2f}" if isinstance(ratio, int | float) else str(ratio)
    return str(row["figure"]), shown(value), str(row["unit"]), aim, shown(row["reference"]), ratio_shown


def unmeasured(names: list[str], found: dict[str, list[Row]]) -> list[Target]:
    """Targets that no row answers, of the modules that were to be measured; of all targets when everything was."""
    return [
        target
        for target in TARGETS
        if (target.module in names or names == modules())
        and not any(target_of(target.module, row) == target for row in found.get(target.module, []))
    ]


def table(found: dict[str, list[Row]]) -> Table:
    """Every figure, module by module."""
    made = Table(title="Figures, each beside its reference of the same run")
    made.add_column("figure", overflow="fold", ratio=1)
    for heading in ("value", "unit", "target", "reference", "ratio"):
        made.add_column(heading, justify="left" if heading == "unit" else "right", no_wrap=True)
    for module, rows in found.items():
        made.add_section()
        made.add_row(f"[bold]{module}")
        for row in rows:
            figure, value, unit, aim, reference, ratio = cells(module, row)
            style = "" if not aim else "green" if aim.endswith("reached") else "red"
            made.add_row(figure, f"[{style}]{value}[/]" if style else value, unit, aim, reference, ratio)
    return made


def machine() -> dict[str, str | int | float]:
    """What the figures were measured on, and how busy it was."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count() or 1,
        "load": round(os.getloadavg()[0], 2),
    }


def document(found: dict[str, list[Row]], where: dict[str, str | int | float]) -> str:
    """The table as Markdown."""
    lines = [
        "# Benchmarks",
        "",
        "Made by `python -m benchmarks --write`. Every reference was measured in the same run as its figure.",
        "",
        f"Python {where['python']}, {where['system']}, {where['cores']} cores, load {where['load']} at the start.",
    ]
    for module, rows in found.items():
        lines += ["", f"## {module}", "", "| figure | value | unit | target | reference | ratio |"]
        lines.append("| :-- | --: | :-- | --: | --: | --: |")
        lines += ["| " + " | ".join(cells(module, row)) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, show, keep; 1 when a module failed or a target was not measured at all."""
    known = modules()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure every figure.")
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"all of them, or some of: {', '.join(known)}")
    parser.add_argument("--full", action="store_true", help="whole runs where a part is measured and scaled")
    parser.add_argument("--write", action="store_true", help="renew docs/benchmarks.md (with every module only)")
    chosen = parser.parse_args()
    names = [name for name in known if not chosen.modules or name in chosen.modules]
    if unknown := sorted(set(chosen.modules) - set(known)):
        parser.error(f"there is no {', '.join(unknown)}; there are {', '.join(known)}")
    if chosen.write and names != known:
        parser.error("--write needs every module, or the document would lose the others")
    console, where = Console(), machine()
    if not console.is_terminal:
        console = Console(width=140)  # a file has no width, and 80 columns break every figure's name
    if float(where["load"]) > int(where["cores"]) / 2:
        console.print(f"The machine is busy (load {where['load']} on {where['cores']} cores): figures are too low.")
    found, failed = measure_all(names, chosen.full, console)
    console.print(table(found))
    for name, reason in failed.items():
        console.print(f"{name} failed: {reason}", style="red", markup=False)
    missing = unmeasured(names, found)
    for target in missing:
        console.print(f"not measured: {target.module}, {target.figure.strip()} {target}", style="red", markup=False)
    RESULTS.write_text(json.dumps({"machine": where, "figures": found, "failed": failed}, indent=1) + "\n")
    if chosen.write and not failed:
        DOCUMENT.parent.mkdir(exist_ok=True)
        DOCUMENT.write_text(document(found, where), encoding="utf-8")
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
