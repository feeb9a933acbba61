"""`bulkhead lab sweep`: a question about the venue, asked at many points, answered as a page with plots."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bulkhead.cli.lab import app
from bulkhead.lab.cache import Cache
from bulkhead.lab.kernel import KernelError
from bulkhead.lab.pages import Page, as_json, write
from bulkhead.lab.prices import DataError
from bulkhead.lab.questions import QUESTIONS, question_of
from bulkhead.lab.questions.common import told
from bulkhead.lab.sweep import QuestionError, Result, Settings, answer, findings_of
from bulkhead.rules.terms import ConfigError

DataFolder = Annotated[
    Path | None, typer.Option("--data", envvar="BULKHEAD_DATA", help="A folder of recorded data.", show_default=False)
]


@app.command("sweep")
def sweep(
    name: Annotated[str | None, typer.Argument(metavar="QUESTION", help="A question; --list shows them.")] = None,
    *,
    show_list: Annotated[bool, typer.Option("--list", help="List the questions, with what each varies.")] = False,
    paths: Annotated[int, typer.Option(min=1, help="Paths a point.")] = 1_000,
    seed: Annotated[int, typer.Option(min=0, help="One seed, one result.")] = 1,
    world: Annotated[str | None, typer.Option(help="A world, as `bulkhead lab worlds` lists them.")] = None,
    data_dir: DataFolder = None,
    as_text: Annotated[bool, typer.Option("--json", help="Write the answer for machines.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the page here.")] = None,
    cluster: Annotated[str | None, typer.Option(help="A Ray cluster: host:port, auto, or local.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute again what is kept from before.")] = False,
) -> None:
    """Ask a question about the venue. What is known already is not computed again; stop and go on when you like."""
    console = Console(stderr=True)
    if show_list or name is None:
        _list(Console())
        raise typer.Exit(0 if show_list else 2)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        question = question_of(name)
        settings = Settings(paths, seed, world, data_dir)
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(name, total=None)

            def report(known: int, total: int, kept: int) -> None:
                progress.update(
                    task, completed=known, total=total, description=f"{name} ({kept} kept)" if kept else name
                )

            page, results = answer(question, settings, None if fresh else Cache(), cluster, report)
        page = told(page, settings) if question.worlds else page
    except (QuestionError, DataError, KernelError, ConfigError) as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    show(page, results, as_text)
    if html is not None:
        console.print(f"{write(page, html)} has the plots", highlight=False)


def show(page: Page, results: Sequence[Result], as_text: bool) -> None:
    """The answer on the screen, and the command that replays each failure."""
    findings = [finding for result in results for finding in findings_of(result)]
    if as_text:
        failures = [{"what": one.what, "command": one.command} for one in findings]
        typer.echo(json.dumps(as_json(page) | {"findings": failures}, indent=1, allow_nan=False))
        return
    console = Console()
    console.print(f"[bold]{page.title}[/bold]\n{page.question}\n", highlight=False)
    for sentence in (*page.answer, *page.against):
        console.print(f"  {sentence}\n", highlight=False, markup=False)
    for repair in page.repairs:
        console.print(f"Mended: {repair}", highlight=False, markup=False)
    for finding in findings:
        console.print(str(finding), highlight=False, markup=False, soft_wrap=True)
    console.print(f"Code: {page.version}; seed {page.seed}", style="dim", highlight=False)


def _list(console: Console) -> None:
    table = Table("question", "what is asked", "varies", "this venue has", title="bulkhead lab sweep QUESTION")
    for question in QUESTIONS.values():
        varied = [f"{one.name}: {one.meaning}{f', {one.unit}' if one.unit else ''}" for one in question.parameters]
        has = ["–" if one.default is None else str(one.default) for one in question.parameters]
        table.add_row(question.name, question.words, "\n".join(varied), "\n".join(has))
    console.print(table)
