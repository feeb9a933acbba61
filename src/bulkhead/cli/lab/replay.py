"""`bulkhead lab replay`: one path of a world again, around one step, and what it did to a portfolio."""

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bulkhead.cli.lab import app
from bulkhead.lab.choice.sample import venue_for
from bulkhead.lab.kernel import KernelError, run
from bulkhead.lab.kernel.terms import MICRO
from bulkhead.lab.paths.cube import Paths
from bulkhead.lab.paths.single import path_of
from bulkhead.lab.portfolio import Portfolio, PortfolioError, load_portfolio, with_strategies
from bulkhead.lab.prices import DataError
from bulkhead.lab.stress import accounts_of, event_steps
from bulkhead.lab.worlds import world_of

DataFolder = Annotated[
    Path | None, typer.Option("--data", envvar="BULKHEAD_DATA", help="A folder of price sets.", show_default=False)
]
WEEK_MS = 7 * 86_400_000
AROUND = 6  # steps shown on either side


@app.command("replay")
def replay(
    seed: Annotated[int, typer.Argument(min=0, help="What the path was drawn from.")],
    *,
    world: Annotated[str, typer.Option(help="A world, as `lab worlds` lists them.")] = "regimes",
    path: Annotated[int, typer.Option(min=0, help="The number of the path.")] = 0,
    step: Annotated[int, typer.Option(min=0, help="The step to look at, from 0.")] = 0,
    portfolio: Annotated[Path | None, typer.Option(help="A portfolio to run on it.", show_default=False)] = None,
    steps: Annotated[int, typer.Option(min=0, help="Of the whole path; a week, or an event to its end.")] = 0,
    symbols: Annotated[str, typer.Option(help="Markets in their order, with commas.")] = "",
    step_ms: Annotated[int, typer.Option(min=0, help="The world's own unless given.")] = 0,
    strategies: Annotated[str, typer.Option(help="Strategies instead of the file's: BTC+LTC|ETH.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print for machines.")] = False,
    data_dir: DataFolder = None,
) -> None:
    """Show a path of a world again, the same to the last bit: what every simulated failure names."""
    try:
        held = None if portfolio is None else load_portfolio(portfolio)
        if held is not None and strategies:
            held = with_strategies(held, strategies)
        wanted = tuple(one.strip() for one in symbols.split(",") if one.strip()) or (held.symbols if held else ())
        made = world_of(world, seed=seed, step_ms=step_ms or None, symbols=wanted, data_dir=data_dir)
        is_event = world.startswith("event:") and "+" not in world
        usual = event_steps(made) if is_event else max(WEEK_MS // made.step_ms, step + 1)
        one = path_of(made, path, steps or usual)
        if step >= one.steps:
            raise DataError(f"{world}: step {step} of a path of {one.steps} steps")
        told = None if held is None else _run(held, one)
    except (DataError, PortfolioError, KernelError) as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps(_as_json(one, path, step, told), allow_nan=False))
    else:
        _show(Console(), one, path, step, told)


def _run(held: Portfolio, one: Paths) -> dict[str, list[dict[str, Any]]]:
    """What became of each account of each mode on this path."""
    venue = venue_for(held)
    told: dict[str, list[dict[str, Any]]] = {}
    for mode, (inside, accounts) in accounts_of(venue, held).items():
        done = run(venue, accounts, one.select(held.symbols))
        told[mode] = [
            {
                "positions": [symbol for symbol, holds in zip(held.symbols, row, strict=True) if holds],
                "first call at 80 %": int(done.call_80_step[0, place]),
                "first liquidation": int(done.first_step[0, place]),
                "steps of liquidation": int(done.liquidations[0, place]),
                "all closed": int(done.flat_step[0, place]),
                "equity at the end": float(done.equity[0, place]) / MICRO,
                "debt": float(done.bad_debt[0, place]) / MICRO,
            }
            for place, row in enumerate(inside)
        ]
    return told


def _rows(one: Paths, step: int) -> list[tuple[int, list[float], list[float] | None]]:
    """Steps around the one: prices over the start, and lows where there are any."""
    around = range(max(0, step - AROUND), min(one.steps, step + AROUND + 1))
    low = one.low
    return [
        (at, one.ratio[0, at].astype(float).tolist(), None if low is None else low[0, at].astype(float).tolist())
        for at in around
    ]


def _as_json(one: Paths, path: int, step: int, told: dict[str, list[dict[str, Any]]] | None) -> dict[str, Any]:
    return {
        "source": one.source,
        "seed": one.seed,
        "path": path,
        "step": step,
        "step_ms": one.step_ms,
        "symbols": one.symbols,
        "repairs": [str(repair) for repair in one.repairs],
        "prices": [{"step": at, "ratio": ratio, "low": low} for at, ratio, low in _rows(one, step)],
        "accounts": told,
    }


def _show(console: Console, one: Paths, path: int, step: int, told: dict[str, list[dict[str, Any]]] | None) -> None:
    length = f"{one.steps} steps of {one.step_ms // 1000} s"
    console.print(f"{one.source}\nseed {one.seed}, path {path}, {length}", markup=False)
    for repair in one.repairs:
        console.print(f"  {repair}", markup=False)
    prices = Table("step", *one.symbols, *(["lows"] if one.low is not None else []), title="Price over the start")
    for at, ratio, low in _rows(one, step):
        shown = [f"{value:.4f}" for value in ratio] + ([] if low is None else [" ".join(f"{v:.4f}" for v in low)])
        prices.add_row(str(at), *shown, style="bold" if at == step else None)
    console.print(prices)
    least = one.ratio[0].argmin(axis=0)
    lowest = np.take_along_axis(one.ratio[0], least[None], axis=0)[0]
    for symbol, value, at in zip(one.symbols, lowest, least, strict=True):
        console.print(f"{symbol}: lowest close {value:.4f} at step {at}")
    for mode, accounts in (told or {}).items():
        table = Table(*accounts[0], title=mode)
        for account in accounts:
            table.add_row(*(_cell(value) for value in account.values()))
        console.print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, float):
        return f"${value:,.2f}"
    return "–" if value < 0 else str(value)
