"""`bulkhead data`: list the price sets at hand, and fetch recent ones from public exchange endpoints."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from bulkhead.lab.prices import DataError, list_sets

data = typer.Typer(help="Price sets: list them, fetch recent ones.", no_args_is_help=True)

DataFolder = Annotated[
    Path | None, typer.Option("--data", envvar="BULKHEAD_DATA", help="A folder of price sets.", show_default=False)
]


@data.command("list")
def show(data_dir: DataFolder = None) -> None:
    """List the price sets, where they come from, and which are at hand."""
    console = Console()
    try:
        sets = list_sets(data_dir)
    except DataError as error:
        raise refuse(error) from error
    table = Table(title="Price sets")
    for column in ("name", "what", "source", "licence", "at hand"):
        table.add_column(column, no_wrap=column == "name", overflow="fold")
    for one in sets:
        table.add_row(one.name, one.title, one.source, one.licence, "yes" if one.present else "no")
    console.print(table)
    if not all(one.present for one in sets):
        console.print("Sets not at hand are read from the folder named by --data or BULKHEAD_DATA.")


@data.command()
def fetch(
    symbols: Annotated[str, typer.Option(help="Coins, with commas between them.")] = "BTC,ETH,SOL,XRP,DOGE",
    days: Annotated[int, typer.Option(min=1, max=365, help="How many whole days up to midnight UTC.")] = 14,
    exchange: Annotated[str, typer.Option(help="The exchange, as ccxt calls it.")] = "binanceusdm",
    interval: Annotated[str, typer.Option(help="How long a bar is.")] = "1m",
    out: Annotated[Path, typer.Option(help="The folder to write to; read it with --data.")] = Path("data"),
) -> None:
    """Fetch recent bars and funding of perpetuals. Run it again to go on where it was cut off."""
    # ccxt takes about a second to import; the other commands need not wait for it.
    from bulkhead.lab.prices import fetch as fetching

    wanted = [symbol.strip().upper() for symbol in symbols.split(",") if symbol.strip()]
    midnight_ms = int(time.time() * 1000) // fetching.DAY_MS * fetching.DAY_MS
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            tasks = {symbol: progress.add_task(symbol, total=1.0) for symbol in wanted}
            note = fetching.fetch(
                fetching.open_exchange(exchange),
                wanted,
                midnight_ms,
                days,
                out,
                interval=interval,
                progress=lambda symbol, share: progress.update(tasks[symbol], completed=share),
            )
    except DataError as error:
        raise refuse(error) from error
    typer.echo(f"{note.stem} is in {out}: bulkhead demo --data {out} --prices {note.stem}")


def refuse(error: DataError) -> typer.Exit:
    """Say what is wrong, without a traceback, and end with status 1."""
    typer.secho(str(error), err=True, fg="red")
    return typer.Exit(1)
