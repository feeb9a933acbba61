"""The entry point: puts the commands together. Each group of commands has a module of its own beside this one."""

import typer

from bulkhead.cli.circuit import circuit
from bulkhead.cli.data import data
from bulkhead.cli.demo import demo
from bulkhead.cli.exit import leave, rebuild
from bulkhead.cli.explain import explain
from bulkhead.cli.l1 import l1
from bulkhead.cli.l1_upgrade import enact, propose, withdraw
from bulkhead.cli.lab import app as lab
from bulkhead.cli.node import node
from bulkhead.cli.prove import prove, verify
from bulkhead.cli.replay import replay
from bulkhead.cli.settle import settle
from bulkhead.cli.terminal import terminal
from bulkhead.cli.up import up

app = typer.Typer(
    name="bulkhead",
    help="An open perpetual-futures exchange: choose what one loss can sink.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(data, name="data")
app.add_typer(l1, name="l1")
app.add_typer(lab, name="lab")
l1.command()(propose)
l1.command()(enact)
l1.command()(withdraw)
app.command()(circuit)
app.command()(demo)
app.command()(explain)
app.command()(node)
app.command()(up)
app.command()(terminal)
app.command()(replay)
app.command()(prove)
app.command()(verify)
app.command()(settle)
app.command()(rebuild)
app.command(name="exit")(leave)


def main() -> None:
    """Run the command line."""
    app()
