"""`bulkhead lab compare`: a portfolio under every margin mode, with a recommendation and the case against it."""

import asyncio
import json
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from bulkhead.cli.lab import app
from bulkhead.lab.cache import Cache, default_folder, key_of
from bulkhead.lab.choice.comparison import Setting, compare
from bulkhead.lab.choice.estimates import Estimate
from bulkhead.lab.choice.inputs import inputs_of
from bulkhead.lab.choice.page import page_of
from bulkhead.lab.choice.result import Comparison
from bulkhead.lab.choice.stored import from_json
from bulkhead.lab.choice.verdict import title
from bulkhead.lab.finding import folder_named
from bulkhead.lab.house import House, HouseError, house_in, house_of
from bulkhead.lab.kernel import KernelError
from bulkhead.lab.pages import write
from bulkhead.lab.portfolio import Portfolio, PortfolioError, from_account, kept, load_portfolio, with_collateral
from bulkhead.lab.prices import DataError
from bulkhead.node.cluster import ClusterError
from bulkhead.rules.terms import ConfigError

READER = 1  # a private key that nothing is signed with
DataFolder = Annotated[
    Path | None, typer.Option("--data", envvar="BULKHEAD_DATA", help="A folder of price sets.", show_default=False)
]
PortfolioName = Annotated[
    str, typer.Argument(metavar="PORTFOLIO", help="A .toml file, a .json file as ccxt has it, or the URL of a venue.")
]
Key = Annotated[str | None, typer.Option(envvar="BULKHEAD_API_KEY", help="API key of the account, for a URL.")]
Terms = Annotated[
    str | None,
    typer.Option("--venue", help="The exchange whose terms count: a URL, or a file of them."),
]
Collateral = Annotated[float | None, typer.Option(help="USD, instead of what the portfolio says.")]


def problems() -> tuple[type[Exception], ...]:
    """What a command of the lab tells in a line. The client takes a second to import: others need not wait for it."""
    from bulkhead.client.errors import ClientError

    return PortfolioError, HouseError, DataError, KernelError, ConfigError, ClusterError, ClientError, OSError


def portfolio_of(name: str, api_key: str | None, collateral: float | None, venue: str | None = None) -> Portfolio:
    """The portfolio that an argument names, at the terms of its own exchange or of `venue`; kept in a file.

    Raises PortfolioError and HouseError, or what the client raises.
    """
    if "://" in name:
        if not api_key:
            raise PortfolioError(f"{name}: an account is read with its key: --api-key or BULKHEAD_API_KEY")
        found = asyncio.run(_live(name, api_key))
    else:
        found = load_portfolio(Path(name))
    if venue is not None and not (found.house is not None and found.house.source == venue):
        found = found.at(asyncio.run(_terms(venue)) if "://" in venue else house_in(Path(venue)))
    if collateral is not None:
        found = with_collateral(found, collateral)
    return kept(found, default_folder() / "portfolios")


async def _terms(url: str) -> House:
    from bulkhead.client import Exchange

    async with Exchange(url) as exchange:
        return await house_of(exchange)


async def _live(url: str, api_key: str) -> Portfolio:
    from bulkhead.client import Exchange
    from bulkhead.client.signer import Signer
    from bulkhead.client.trader import Trader

    async with Exchange(url) as exchange:
        # Nothing is signed here: reading takes the API key alone, so the key is one that signs for nobody.
        reader = Trader(exchange, api_key, Signer((await exchange.domain()).named, 0, READER))
        return await from_account(reader)


@app.command("compare")
def compare_command(
    portfolio: PortfolioName,
    *,
    world: Annotated[str, typer.Option(help="A world, as `bulkhead lab worlds` lists them.")] = "regimes",
    seed: Annotated[int, typer.Option(min=0, help="One seed, one result.")] = 1,
    paths: Annotated[int, typer.Option(min=100, help="Paths.")] = 10_000,
    days: Annotated[float, typer.Option(min=0.01, help="Days of each path.")] = 7.0,
    step: Annotated[float, typer.Option(min=0.01, help="Minutes of a step.")] = 5.0,
    level: Annotated[float, typer.Option(help="Level of expected shortfall.")] = 0.975,
    probability: Annotated[float, typer.Option(help="Probability of liquidation that capital is asked for.")] = 0.01,
    broken: Annotated[int, typer.Option("--broken-paths", min=0, help="Paths of each break of correlations.")] = 2_000,
    collateral: Collateral = None,
    api_key: Key = None,
    venue: Terms = None,
    data_dir: DataFolder = None,
    as_text: Annotated[bool, typer.Option("--json", help="Write the comparison for machines.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write the page here.")] = None,
    cluster: Annotated[str | None, typer.Option(help="A Ray cluster: host:port, auto, or local.")] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Neither read nor keep results.")] = False,
) -> None:
    """Compare isolated, cross, strategies and scenario margin on one portfolio. Stop it and go on when you like."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    start = time.perf_counter()
    try:
        held = portfolio_of(portfolio, api_key, collateral, venue)
        setting = Setting(world, seed, days, round(step * 60_000), paths, level, probability, broken)
        cache = None if no_cache else Cache()
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task("", total=None)

            def report(what: str, done: int, total: int) -> None:
                progress.update(task, description=what, completed=done, total=total)

            arguments = {"data_dir": data_dir, "cache": cache, "cluster": cluster, "report": report}
            found = _remembered(held, setting, arguments, shlex.join(["bulkhead", *sys.argv[1:]]))
    except problems() as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    if as_text:
        typer.echo(json.dumps(found.as_json(), indent=1, allow_nan=False))
    else:
        show(found, Console())
        console.print(f"{time.perf_counter() - start:.1f} s; {found.version}; seed {found.seed}", style="dim")
    if html is not None:
        console.print(f"{write(page_of(found), html)} has the plots", highlight=False)


def _remembered(held: Portfolio, setting: Setting, arguments: dict[str, Any], command: str) -> Comparison:
    """The comparison that is kept, or a new one. A world that names a file, and price sets, count by their content."""
    cache: Cache | None = arguments["cache"]
    if cache is None:
        return compare(held, setting, **arguments, command=command)
    key = key_of(
        what="comparison",
        portfolio=[held.name, held.collateral, [[*_row(one)] for one in held.holdings]],
        notes=[*held.notes],
        house=None if held.house is None else [*_row(held.house)],
        setting=[*_row(setting)],
        inputs=inputs_of(setting.world, arguments["data_dir"]),
    )
    known = cache.get(key)
    if known is None:
        found = compare(held, setting, **arguments, command=command)
        cache.put(key, found.as_json())
        return found
    found = from_json(known)
    data = folder_named(arguments["data_dir"])
    findings = tuple(replace(one, portfolio=held.file, data=data) for one in found.findings)
    return replace(found, command=command, portfolio_source=held.source, findings=findings)


def _row(one: Any) -> list[Any]:
    return [getattr(one, name) for name in one.__dataclass_fields__]


def _chance(one: Estimate) -> str:
    return f"{100 * one.value:.2f} ({100 * one.low:.2f} to {100 * one.high:.2f})"


def _amount(one: Estimate | None) -> str:
    if one is None:
        return "–"
    digits = 0 if max(abs(end) for end in one) >= 100 else 2
    return f"{one.value:,.{digits}f} ({one.low:,.{digits}f} to {one.high:,.{digits}f})"


def whole(table: Table) -> Table:
    """The same table; what is too wide for its column goes on below instead of being cut off."""
    for column in table.columns:
        column.overflow = "fold"
    return table


def show(found: Comparison, console: Console) -> None:
    """The comparison on the screen."""
    behind = f"{found.collateral:,.0f} USD behind {found.gross:,.0f}"
    console.print(f"\n[bold]How to hold {found.portfolio}[/bold]: {behind}", highlight=False)
    console.print(f"{found.world_source}; {found.paths:,} paths", style="dim", highlight=False)
    table = Table("mode", "initial margin", "any liquidation, %", "everything, %", "margin call 66, %",
                  title="Probabilities (95 %)")  # fmt: skip
    money = Table("mode", f"worst {100 * (1 - found.level):.3g} % lose", "mean loss", "capital needed",
                  "cost", "slippage where liquidated", title="USD (95 %)")  # fmt: skip
    for mode in found.modes:
        style = "bold" if mode.name == found.best else ""
        chances = (mode.any_liquidated, mode.all_wiped, mode.call_66)
        table.add_row(title(mode), f"{mode.initial:,.0f}", *map(_chance, chances), style=style)
        amounts = (mode.shortfall, mode.loss, mode.capital, mode.cost, mode.slippage_if)
        money.add_row(title(mode), *map(_amount, amounts), style=style)
    console.print(whole(table), whole(money))
    parts = Table("mode", "compartment", "collateral", "liquidated, %", "capital needed", title="Compartments")
    for mode in found.modes:
        for one in mode.compartments:
            parts.add_row(mode.name, one.name, f"{one.collateral:,.0f}", _chance(one.liquidated), _amount(one.capital))
    console.print(whole(parts))
    if found.broken:
        broken = Table("correlations", "mode", "any liquidation, %", "worst lose, USD", title="When correlations break")
        for each in found.broken:
            broken.add_row(each.correlation, each.mode, _chance(each.any_liquidated), _amount(each.shortfall))
        console.print(whole(broken))
    console.print(f"\n[bold]{found.recommendation}[/bold]", highlight=False)
    for sentence in found.reasons:
        console.print(f"  + {sentence}", highlight=False, markup=False)
    console.print("Against it:")
    for sentence in found.against:
        console.print(f"  - {sentence}", highlight=False, markup=False)
    for repair in found.repairs:
        console.print(f"Mended or taken: {repair}", highlight=False, markup=False)
    for finding in found.findings:
        console.print(str(finding), style="dim", highlight=False, markup=False)
