"""`bulkhead lab checklist`: five questions before a portfolio is held somewhere, answered with its own numbers."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from bulkhead.cli.lab import app
from bulkhead.cli.lab.compare import Collateral, DataFolder, Key, PortfolioName, Terms, portfolio_of, problems
from bulkhead.lab.choice.comparison import Setting
from bulkhead.lab.pages import version, write
from bulkhead.lab.worlds import symbols_in, world_of

if TYPE_CHECKING:  # the client takes a second to import; the other commands need not wait for it
    from bulkhead.client.checklist import Answer, Facts


async def _facts(address: str) -> Facts:
    from bulkhead.client import Exchange
    from bulkhead.client.checklist import facts_of

    async with Exchange(address) as exchange:
        return await facts_of(exchange.books)


@app.command("checklist")
def checklist(
    portfolio: PortfolioName,
    *,
    venue: Terms = None,
    world: Annotated[str, typer.Option(help="A world, as `bulkhead lab worlds` lists them.")] = "regimes",
    seed: Annotated[int, typer.Option(min=0, help="One seed, one result.")] = 1,
    paths: Annotated[int, typer.Option(min=100, help="Paths.")] = 10_000,
    days: Annotated[float, typer.Option(min=0.01, help="Days of each path.")] = 7.0,
    step: Annotated[float, typer.Option(min=0.01, help="Minutes of a step.")] = 5.0,
    collateral: Collateral = None,
    api_key: Key = None,
    data_dir: DataFolder = None,
    as_text: Annotated[bool, typer.Option("--json", help="Write the answers for machines.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the page here.")] = None,
) -> None:
    """Answer the practical checklist: tail, margin call, speed of collateral, liquidations, what must be trusted."""
    from bulkhead.lab.checklist import answers, as_json, lived, page_of, repairs_of

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    address = venue if venue and "://" in venue else portfolio if "://" in portfolio else ""
    try:
        held = portfolio_of(portfolio, api_key, collateral, venue)
        setting = Setting(world, seed, days, round(step * 60_000), paths)
        held.known_in(symbols_in(world, data_dir))
        source = world_of(world, seed=seed, data_dir=data_dir, symbols=held.symbols)
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("checklist", total=paths)
            life = lived(held, setting, data_dir, lambda what, done, total: progress.update(task, completed=done))
        facts = asyncio.run(_facts(address)) if address else None
        given = answers(held, setting, life, facts, address)
        repairs = (*held.notes, *repairs_of(source))
    except problems() as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    if as_text:
        told = {"portfolio": held.name, "seed": seed, "version": version(), "world": source.source, "terms": held.terms}
        told |= {"answers": as_json(given), "repairs": repairs}
        typer.echo(json.dumps(told, indent=1))
    else:
        show(held.name, given, Console())
        for repair in repairs:
            typer.echo(f"Mended or taken: {repair}")
    if html is not None:
        page = page_of(held, setting, given, source, shlex.join(["bulkhead", *sys.argv[1:]]))
        console.print(f"{write(page, html)} has the answers", highlight=False)


def show(name: str, given: tuple[Answer, ...], console: Console) -> None:
    """The answers on the screen."""
    console.print(f"\n[bold]Checklist of {name}[/bold]")
    for number, one in enumerate(given, 1):
        console.print(f"\n[bold]{number}. {one.question}[/bold]\n{one.verdict}", highlight=False)
        table = Table("", "", "", show_header=False, box=None)
        for figure in one.figures:
            digits = 0 if figure.value is not None and abs(figure.value) >= 100 else 2
            value = "–" if figure.value is None else f"{figure.value:,.{digits}f}"
            table.add_row(f"   {figure.label}", value, figure.unit)
        console.print(table)
        console.print(f"   from: {one.source}", style="dim", highlight=False)
