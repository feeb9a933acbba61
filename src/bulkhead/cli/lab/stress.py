"""`bulkhead lab stress`: a portfolio in every scripted crash and on every recorded day, under each margin mode."""

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bulkhead.cli.lab import app
from bulkhead.cli.lab.compare import Collateral, DataFolder, Key, PortfolioName, Terms, portfolio_of, problems, whole
from bulkhead.lab.choice.verdict import between_looks
from bulkhead.lab.impact import books
from bulkhead.lab.pages import Column, Page, Plot, Section, Source, version, write
from bulkhead.lab.pages import Table as PageTable
from bulkhead.lab.pages.plots import Axis, heat
from bulkhead.lab.portfolio import Portfolio
from bulkhead.lab.prices import DataError
from bulkhead.lab.stress import Absent, Row, cases
from bulkhead.lab.stress import stress as run_stress
from bulkhead.lab.worlds import symbols_in

TITLES = ("crash", "mode", "liquidated", "all lost", "kept", "kept, worst", "slippage", "debt", "stuck")
ROW_PIXELS = 30
UNITS = ("", "", "%", "%", "$", "$", "bp", "$", "%")


@app.command("stress")
def stress(
    portfolio: PortfolioName,
    *,
    world: Annotated[str, typer.Option(help="What scripted crashes come on top of.")] = "regimes",
    paths: Annotated[int, typer.Option(min=1, help="Paths a scripted crash.")] = 500,
    days: Annotated[float, typer.Option(min=0.3, help="How long a scripted path is.")] = 3.0,
    seed: Annotated[int, typer.Option(min=0, help="One seed, one result.")] = 1,
    step_ms: Annotated[int, typer.Option(min=1_000, help="Of scripted paths; events have their bars'.")] = 300_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page here.")] = None,
    collateral: Collateral = None,
    api_key: Key = None,
    venue: Terms = None,
    data_dir: DataFolder = None,
) -> None:
    """Run a portfolio through every crash, scripted and recorded; each failure tells the command that replays it."""
    try:
        held = portfolio_of(portfolio, api_key, collateral, venue).known_in(symbols_in(world, data_dir))
        with Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=Console(stderr=True)
        ) as progress:
            task = progress.add_task("")
            found = list(
                run_stress(
                    held,
                    cases(world, paths, days, step_ms, data_dir),
                    seed=seed,
                    step_ms=step_ms,
                    data_dir=data_dir,
                    tell=lambda title: progress.update(task, description=title),
                )
            )
        rows = [one for one in found if isinstance(one, Row)]
        absent = [one for one in found if isinstance(one, Absent)]
        if not rows:
            raise DataError(f"no crash could be run; {absent[0].title}: {absent[0].reason}")
    except problems() as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(_as_json(held, rows, absent, seed), allow_nan=False))
    else:
        _show(Console(), rows, absent)
        for repair in _repairs(held, rows):
            typer.echo(f"Mended or taken: {repair}")
    if html is not None:
        page = _page(held, rows, absent, seed, (world, step_ms))
        typer.echo(f"{write(page, html)} has the tables", err=True)


def _cells(row: Row) -> tuple[Any, ...]:
    percent = [100 * one for one in (row.liquidated.value, row.lost.value, row.stuck)]
    money = (row.kept, row.kept_worst)
    return row.title, row.mode, percent[0], percent[1], *money, row.slippage_bp, row.debt, percent[2]


def _show(console: Console, rows: list[Row], absent: list[Absent]) -> None:
    table = Table(*TITLES, title="A portfolio in every crash (chances with intervals of 95 %)")
    last = ""
    for row in rows:
        _, mode, *_ = _cells(row)
        chances = [
            f"{100 * one.value:.0f} % ({100 * one.low:.0f}–{100 * one.high:.0f})" for one in (row.liquidated, row.lost)
        ]
        slippage = "–" if row.slippage_bp is None else f"{row.slippage_bp:.1f} bp"
        money = [f"${one:,.0f}" for one in (row.kept, row.kept_worst)]
        title = "" if row.title == last else row.title
        table.add_row(title, mode, *chances, *money, slippage, f"${row.debt:,.0f}", f"{100 * row.stuck:.0f} %")
        last = row.title
    console.print(whole(table))
    console.print("kept: equity at the end in dollars; stuck: called while no collateral can be moved", style="dim")
    for one in absent:
        console.print(f"not run: {one.title}: {one.reason}", markup=False, highlight=False)
    for row in rows:
        if row.finding is not None:
            console.print(str(row.finding), markup=False, highlight=False, soft_wrap=True)


def _as_json(held: Portfolio, rows: list[Row], absent: list[Absent], seed: int) -> dict[str, Any]:
    made = []
    for row in rows:
        value: dict[str, Any] = dict(zip(TITLES, _cells(row), strict=True))
        value |= {"paths": row.paths, "source": row.source}
        value["liquidated interval"] = [row.liquidated.low, row.liquidated.high]
        value["replay"] = None if row.finding is None else row.finding.command
        made.append(value)
    units = dict(zip(TITLES, UNITS, strict=True))
    missing = [{"crash": one.title, "reason": one.reason} for one in absent]
    said = {"version": version(), "seed": seed, "terms": held.terms, "books": books(held.symbols)}
    return said | {"repairs": _repairs(held, rows), "units": units, "rows": made, "not run": missing}


def _repairs(held: Portfolio, rows: list[Row]) -> tuple[str, ...]:
    """What was mended in the data, or taken for something, each once."""
    return tuple(dict.fromkeys((*held.notes, *(repair for row in rows for repair in row.repairs))))


def _plot(rows: list[Row], collateral: float) -> Plot:
    """What is left under each mode, crash by crash, the first one on top."""
    kept = {(row.title, row.mode): row.kept / collateral for row in rows}
    titles = list(dict.fromkeys(row.title for row in reversed(rows)))
    modes = list(dict.fromkeys(row.mode for row in rows))
    caption = "Equity at the end over the collateral: a scripted crash's mean, or what a recorded day left."
    made = heat(
        modes, titles, [[kept[title, mode] for mode in modes] for title in titles], (Axis("margin mode"), Axis("")),
        Axis("kept", format=".0%"), caption,
    )  # fmt: skip
    made.figure.update_layout(height=ROW_PIXELS * len(titles) + 120)
    made.figure.update_yaxes(automargin=True)
    return made


def _page(
    held: Portfolio, rows: list[Row], absent: list[Absent], seed: int, looked: tuple[str, int]
) -> Page:
    name, collateral, (world, step_ms) = held.name, held.collateral, looked
    digits = (None, None, 1, 1, 0, 0, 1, 0, 1)
    columns = tuple(Column(*parts) for parts in zip(TITLES, UNITS, digits, strict=True))
    # Below what is shown there are only remainders of rounding to lots.
    shown = [
        tuple(round(cell, places) + 0.0 if isinstance(cell, float) else cell
              for cell, places in zip(_cells(row), digits, strict=True))
        for row in rows
    ]  # fmt: skip
    table = PageTable("stress", columns, tuple(shown))
    worst = min(rows, key=lambda row: row.kept_worst)
    replays = "\n".join(str(row.finding) for row in rows if row.finding is not None)
    sections = [Section("Every crash, every mode", plots=(_plot(rows, collateral),), tables=(table,))]
    if absent:
        sections.append(Section("Not run", tuple(f"{one.title}: {one.reason}" for one in absent)))
    if replays:
        sections.append(Section("See each worst path again", code=replays))
    return Page(
        title=f"Stress of {name}",
        question="What becomes of this portfolio in a crash, under each margin mode?",
        answer=(f"Worst: {worst.title} under {worst.mode} leaves ${worst.kept_worst:,.0f}.",),
        against=("Scripted crashes say what would happen, not how likely they are.", *between_looks(step_ms, world)),
        sections=tuple(sections),
        seed=seed,
        version=version(),
        sources=tuple(Source(source, "named with it") for source in dict.fromkeys(row.source for row in rows)),
        command=shlex.join(["bulkhead", *sys.argv[1:]]),
        simulated=True,
        repairs=_repairs(held, rows),
        settings={"terms": held.terms, "books": books(held.symbols)},
    )
