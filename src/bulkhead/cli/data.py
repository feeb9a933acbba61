"""`bulkhead data`: list the price sets at hand, and fetch recent ones from public exchange endpoints."""

import typer

data = typer.Typer(help="Price sets: list them, fetch recent ones.", no_args_is_help=True)
