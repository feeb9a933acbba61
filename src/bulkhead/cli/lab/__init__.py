"""`bulkhead lab`: which margin mode, which parameters, what can go wrong. Each command is a file beside this one."""

import typer

app = typer.Typer(name="lab", help="Which margin mode, which parameters, what can go wrong.", no_args_is_help=True)

from bulkhead.cli.lab import checklist, compare, fit, replay, stress, sweep, validate, worlds  # noqa: E402, F401  (commands register themselves in `app`)
