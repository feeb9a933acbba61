"""`bulkhead lab validate`: the lab against other venues' examples, closed forms and a recorded crash."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bulkhead.cli.lab import app
from bulkhead.cli.lab.sweep import DataFolder, show
from bulkhead.lab.pages import as_json, write
from bulkhead.lab.prices import DataError
from bulkhead.lab.validation import validate
from bulkhead.lab.validation.report import is_sound


@app.command("validate")
def run_validation(
    *,
    paths: Annotated[int, typer.Option(min=100, help="Paths a closed form is held to.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="One seed, one result.")] = 1,
    data_dir: DataFolder = None,
    as_text: Annotated[bool, typer.Option("--json", help="Write the result for machines.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the page here.")] = None,
) -> None:
    """Hold the lab to what others published, to formulas, and to 10 October 2025. Status 1 where it does not hold."""
    try:
        page = validate(paths, seed, data_dir)
    except (DataError, OSError) as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    if as_text:
        typer.echo(json.dumps(as_json(page), indent=1, allow_nan=False))
    else:
        show(page, (), False)
    if html is not None:
        Console(stderr=True).print(f"{write(page, html)} has the plots", highlight=False)
    if not is_sound(page):
        raise typer.Exit(1)
