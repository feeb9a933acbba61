"""The entry point: puts the commands together. Each group of commands has a module of its own beside this one."""

import typer

from bulkhead.cli.data import data
from bulkhead.cli.replay import replay

app = typer.Typer(
    name="bulkhead",
    help="An open perpetual-futures exchange: choose what one loss can sink.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data, name="data")
app.command()(replay)


@app.callback()
def root() -> None:
    """Keep `data` a group even while it is the only one."""


def main() -> None:
    """Run the command line."""
    app()
