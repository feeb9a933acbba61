"""`bulkhead demo`: a real crash, once per margin mode; one trader four ways, then everybody, then a proof of it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bulkhead.cli.demo_proof import StageFailed, prove_and_settle
from bulkhead.cli.explain import save_witnesses
from bulkhead.lab.compare import Job, Outcome, Setting, modes_of, prices_of, run_all, story_setting
from bulkhead.lab.prices import BAR_ORDERS, DEFAULT, BarOrder, DataError
from bulkhead.lab.report.summary import Cell, Summary, summarise
from bulkhead.lab.traders import CAPITAL, SWING, TRADERS, MarginMode

COLUMNS = ("mode", "end", "verdict", "low-first", "traded", "refused", "calls", "steps")
VERDICT_STYLE = {"survived": "green", "liquidated": "yellow", "wiped out": "bold red"}


def demo(
    *,
    prices_name: Annotated[str, typer.Option("--prices", help="price set; see `bulkhead data list`")] = DEFAULT,
    data: Annotated[
        Path | None, typer.Option(envvar="BULKHEAD_DATA", help="folder with recorded sets", show_default=False)
    ] = None,
    out: Annotated[Path, typer.Option(help="folder for the report")] = Path("demo"),
    seed: Annotated[int, typer.Option(min=0, help="same seed, same run")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=8, help="runs side by side")] = 2,
    story_only: Annotated[bool, typer.Option("--story-only", help="stop after one trader four ways")] = False,
    replay_only: Annotated[bool, typer.Option("--replay-only", help="prove and settle nothing")] = False,
) -> None:
    """Replay a crash with the same traders in four margin modes, write the report; prove a batch and settle it."""
    console = Console()
    setting = Setting(prices_name, None if data is None else str(data), seed)
    try:
        prices, _ = prices_of(setting)
    except DataError as problem:
        console.print(f"[red]{problem}[/red]")
        raise typer.Exit(2) from None
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that a stopped demo stops its runs
    began = time.monotonic()
    console.print(f"\n[bold]{prices.title}[/bold]  [dim]{prices.source}, {prices.licence}[/dim]")
    _story(console, replace(story_setting(setting), journals=str(out / "journals")), workers)
    if story_only:
        return
    console.print(
        "\n[bold]Everybody[/bold]: three traders, makers and a leveraged crowd, minute by minute, four times; and once "
        "more\nwith every bar walked to its low first, for a bar does not say which came first and that decides.\n"
    )
    runs = _run(console, setting, BAR_ORDERS, workers)
    outcomes, others = (modes_of(runs, order) for order in BAR_ORDERS)
    summary = summarise(outcomes, others)
    _tables(console, outcomes, summary)
    from bulkhead.lab.report.page import write_report  # here, for plotting takes a second to import

    report = write_report(out / "report.html", setting, prices, outcomes, summary)
    save_witnesses(out, outcomes)
    orders = sum(outcome.orders for outcome in runs.values())
    console.print(f"\n{orders:,} orders in {time.monotonic() - began:.0f} s. Report: [bold]{report}[/bold]")
    if summary.rows:
        first = next((row for row in summary.rows if row.owner == SWING.name), summary.rows[0])
        console.print(f"Why was somebody liquidated?  [bold]bulkhead explain {first.identity} --run {out}[/bold]\n")
    if replay_only:
        return
    try:
        prove_and_settle(console, out)
    except StageFailed as problem:
        console.print(f"[red]{problem}[/red]")
        raise typer.Exit(1) from None
    console.print(f"Everything took {time.monotonic() - began:.0f} s")


def _run(console: Console, setting: Setting, orders: tuple[BarOrder, ...], workers: int) -> dict[Job, Outcome]:
    """Every mode for each order of bars, with a progress bar each."""
    jobs = [Job(mode, order) for order in orders for mode in MarginMode]
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TextColumn("{task.fields[orders]:>9,} orders"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        names = {job: f"{job.mode.value:<9}" + (f" {job.bar_order}" if len(orders) > 1 else "") for job in jobs}
        bars = {job: progress.add_task(names[job], total=None, orders=0, start=False) for job in jobs}
        begun: set[Job] = set()

        def report(job: Job, step: int, steps: int, sent: int) -> None:
            if job not in begun:
                begun.add(job)
                progress.start_task(bars[job])
            progress.update(bars[job], completed=step, total=steps, orders=sent)

        return run_all(setting, jobs, report, workers)


def _story(console: Console, setting: Setting, workers: int) -> None:
    """One trader, four accounts, one table."""
    plan = f"{SWING.title}, ${CAPITAL:,.0f}: {SWING.words}. The same orders, four ways to hold them."
    console.print(f"[dim]{plan}[/dim]\n")
    outcomes = modes_of(_run(console, setting, BAR_ORDERS[:1], workers), BAR_ORDERS[0])
    summary = summarise(outcomes)
    table = Table(title="One trader, four ways", title_justify="left", show_lines=True)
    table.add_column("mode", style="bold")
    table.add_column("end", justify="right")
    table.add_column("verdict")
    table.add_column("why", ratio=1)
    for cell in summary.cells[SWING.name]:
        table.add_row(cell.mode.value, _money(cell.end), _verdict(cell), cell.why)
    console.print(table)


def _tables(console: Console, outcomes: Mapping[MarginMode, Outcome], summary: Summary) -> None:
    for trader in TRADERS:
        table = Table(
            title=f"{trader.title}: {trader.words}",
            title_justify="left",
            caption=_path(outcomes, trader.name),
            box=SIMPLE_HEAD,
        )
        for name in COLUMNS:
            table.add_column(name, justify="left" if name in ("mode", "verdict") else "right")
        for cell in summary.cells[trader.name]:
            table.add_row(
                cell.mode.value,
                _money(cell.end),
                _verdict(cell),
                _money(cell.other_end),
                f"{cell.filled}/{cell.planned}",
                str(sum(cell.refused.values())),
                str(cell.margin_calls),
                str(cell.liquidations),
            )
        console.print(table)
        for cell in summary.cells[trader.name]:
            console.print(f"  [bold]{cell.mode.value}[/bold]: {cell.why}")
        console.print()
    _venue(console, outcomes)


def _path(outcomes: Mapping[MarginMode, Outcome], name: str) -> str:
    """Equity every so often, as a row of small bars for each mode."""
    blocks = " ▁▂▃▄▅▆▇█"
    lines: list[str] = []
    top = max(max(outcome.recorder.equity[name]) for outcome in outcomes.values())
    for mode, outcome in outcomes.items():
        path = outcome.recorder.equity[name]
        picked = [path[len(path) * k // 60] for k in range(60)]
        bars = "".join(blocks[max(0, min(8, round(8 * value / max(top, 1.0))))] for value in picked)
        lines.append(f"{mode.value:>9} {bars}")
    return "\n".join(lines)


def _venue(console: Console, outcomes: Mapping[MarginMode, Outcome]) -> None:
    table = Table(title="The venue", title_justify="left", box=SIMPLE_HEAD)
    for name in ("mode", "orders", "trades", "steps", "vs mark", "backstop", "ADL", "insurance"):
        table.add_column(name, justify="left" if name == "mode" else "right")
    for mode, outcome in outcomes.items():
        rows = outcome.recorder.rows
        booked = [row for row in rows if row.taken_by == "book"]
        weight = sum(row.notional for row in booked)
        slip = sum(row.slippage_bp * row.notional for row in booked) / weight if weight else 0.0
        table.add_row(
            mode.value,
            f"{outcome.orders:,}",
            f"{outcome.recorder.trades:,}",
            str(len(rows)),
            f"{-slip:+.1f} bp",
            str(sum(row.taken_by == "backstop" for row in rows)),
            str(sum(row.taken_by == "deleveraging" for row in rows)),
            _money(outcome.insurance),
        )
    console.print(table)


def _verdict(cell: Cell) -> str:
    style = VERDICT_STYLE[cell.verdict]
    return f"[{style}]{cell.verdict}[/{style}]"


def _money(value: float) -> str:
    return f"-${-value:,.0f}" if value < -0.5 else f"${value:,.0f}"
