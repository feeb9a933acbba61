"""`bulkhead lab fit`: a jump diffusion with regimes from a price set, with errors and goodness of fit."""

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bulkhead.cli.lab import app
from bulkhead.lab.fit_page import fit_page
from bulkhead.lab.pages import version, write
from bulkhead.lab.paths.calibration import YEAR_MS, Calibration
from bulkhead.lab.paths.fit import REGIMES, T_BLOCKS, Fit, sound_returns
from bulkhead.lab.paths.fit import fit as fit_to
from bulkhead.lab.paths.goodness import Judged, judge
from bulkhead.lab.paths.grid import GAPS, align
from bulkhead.lab.prices import DataError, load

DataFolder = Annotated[
    Path | None, typer.Option("--data", envvar="BULKHEAD_DATA", help="A folder of price sets.", show_default=False)
]


@app.command("fit")
def fit(
    dataset: Annotated[str, typer.Argument(help="A price set (see `data list`), or a table (.parquet, .csv).")],
    *,
    symbols: Annotated[str, typer.Option(help="Markets, with commas; all of the set unless given.")] = "",
    regimes: Annotated[int, typer.Option(min=1, max=5, help="Calm to wild.")] = REGIMES,
    gaps: Annotated[str, typer.Option(help=f"Of missing bars: {', '.join(GAPS)}.")] = "refuse",
    mend: Annotated[bool, typer.Option("--mend", help="Mend rows out of order, doubled or unsound; told.")] = False,
    seed: Annotated[int, typer.Option(help="Of the replicates that the fit is judged by.")] = 1,
    errors: Annotated[bool, typer.Option(help="Standard errors, by leaving out a tenth of the time in turn.")] = True,
    out: Annotated[Path | None, typer.Option(help="Write the calibration (JSON): --world regimes:FILE.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything for machines.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots here.")] = None,
    data_dir: DataFolder = None,
) -> None:
    """Fit regimes, tails, jumps, correlations and funding to a price set, and judge the fit."""
    wanted = tuple(symbol.strip().upper() for symbol in symbols.split(",") if symbol.strip())
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    try:
        if gaps not in GAPS:
            raise DataError(f"--gaps is one of {', '.join(GAPS)}, not {gaps!r}")
        data = load(dataset, data_dir, mends=mend)
        grid = align(data, None, wanted, gaps=gaps)
        with Progress(*columns, console=Console(stderr=True)) as progress:
            tasks = {name: progress.add_task(name, total=1.0) for name in ("fit", "errors", "judge")}
            found = fit_to(
                grid,
                data,
                regimes=regimes,
                errors=errors,
                progress=lambda name, share: progress.update(tasks[name], completed=share),
            )
            judged = judge(found.calibration, sound_returns(grid), seed=seed)
            progress.update(tasks["judge"], completed=1.0)
    except DataError as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    if out is not None:
        found.calibration.save(out)
    if html is not None:
        words = ["bulkhead", "lab", "fit", dataset, "--regimes", str(regimes), "--gaps", gaps, "--seed", str(seed)]
        words += (["--symbols", symbols] if symbols else []) + (["--mend"] if mend else [])
        ends = grid.time_ms[1:][grid.returns()[1]] + grid.step_ms
        typer.echo(f"{write(fit_page(found, judged, ends, shlex.join(words), seed), html)} has the plots", err=True)
    if as_json:
        typer.echo(json.dumps(_as_json(found, judged, seed)))
    else:
        _show(Console(), found, judged)
        if out is not None:
            typer.echo(f"written: --world regimes:{out}")


def _as_json(found: Fit, judged: list[Judged], seed: int) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        if isinstance(value, np.ndarray):
            return value.tolist()
        return {key: plain(each) for key, each in value.items()} if isinstance(value, dict) else value

    calibration = {
        each.name: plain(getattr(found.calibration, each.name)) for each in dataclasses.fields(Calibration)
    }
    return {
        "calibration": calibration,
        "likelihood": found.likelihood,
        "returns": found.returns,
        "rounds": found.rounds,
        "converged": found.has_converged,
        "seed": seed,
        "version": version(),
        "goodness": [one._asdict() | {"explained": one.is_explained} for one in judged],
    }


def _show(console: Console, found: Fit, judged: list[Judged]) -> None:
    one = found.calibration
    console.print(f"{one.source}: {found.returns:,} returns of {len(one.symbols)} markets, {found.rounds} rounds")
    for note in one.notes:
        console.print(f"  {note}")
    yearly = np.sqrt(YEAR_MS / one.interval_ms)

    def shown(name: str, value: Any, place: Any = (), factor: float = 1.0, digits: int = 3) -> str:
        error = one.errors.get(name)
        text = f"{factor * float(np.asarray(value)[place]):.{digits}f}"
        return text if error is None else f"{text} ± {factor * T_BLOCKS * float(np.asarray(error)[place]):.{digits}f}"

    markets = Table(title="Markets (95 % intervals); volatility per year, jumps per year and in percent")
    names = ["market", *(f"scale {k + 1}" for k in range(len(one.scale))), "volatility"]
    for column in (*names, "own jumps", "size", "joint jump", "funding φ"):
        markets.add_column(column)
    per_year = YEAR_MS / one.interval_ms
    for place, symbol in enumerate(one.symbols):
        markets.add_row(
            symbol,
            *(shown("scale", one.scale, (k, place), yearly) for k in range(len(one.scale))),
            f"{one.annual_volatility()[place]:.3f}",
            shown("jump_chance", one.jump_chance, 1 + place, per_year, 0),
            shown("alone_deviation", one.alone_deviation, place, 100, 1),
            shown("joint_deviation", one.joint_deviation, place, 100, 1),
            shown("funding_persistence", one.funding_persistence, place, digits=2),
        )
    console.print(markets)
    console.print(
        f"tail: {shown('tail', one.tail)} degrees of freedom; joint jumps a year: "
        f"{shown('jump_chance', one.jump_chance, 0, per_year, 1)}; a size that shows ± 0 is at its least"
    )
    chain = Table("from regime", *(f"to {k + 1}" for k in range(len(one.scale))), "share of time", title="Regimes")
    for k, row in enumerate(one.transition):
        cells = [shown("transition", one.transition, (k, after), digits=4) for after in range(len(row))]
        chain.add_row(str(k + 1), *cells, f"{one.stationary[k]:.3f}")
    console.print(chain)
    fits = Table(title="Goodness of fit: data, and the model's median and range of nine in ten replicates")
    for column in ("figure", "market", "data", "model", "from", "to", ""):
        fits.add_column(column)
    for each in judged:
        numbers = [f"{value:.4g}" for value in (each.data, each.model, each.low, each.high)]
        fits.add_row(each.figure, each.symbol, *numbers, "" if each.is_explained else "not explained")
    console.print(fits)
    explained = sum(each.is_explained for each in judged)
    console.print(f"{explained} of {len(judged)} figures are within what the model makes of as much time.")
