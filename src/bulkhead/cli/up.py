"""`bulkhead up`: everything in one process: an exchange, its interface, prices, makers, and a test account."""

from __future__ import annotations

import asyncio
import json
import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console

from bulkhead import private
from bulkhead.lab.prices import DEFAULT, DataError

if TYPE_CHECKING:  # the node's libraries take a second to import; other commands need not wait for them
    from bulkhead.api.serve import Address
    from bulkhead.node.app import Node
    from bulkhead.node.settings import Settings

TABLE_MAX = 1 << 24  # filled orders remembered: no batch of this venue has to be proven
PEOPLE_FILE = "people.json"
MAKERS = 2
TICK_S = 1.0
CALM_S = 20.0  # between the makers' and the taker's looks, where what they do is proven


def up(
    *,
    folder: Annotated[
        Path | None, typer.Option(help="Where the exchange is kept: `up`, or `up-settled`.", show_default=False)
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of this machine alone; 0: any that is free.")] = 8080,
    prices: Annotated[str, typer.Option(help="A price set (`bulkhead data list`), or live:VENUE,VENUE.")] = DEFAULT,
    data: Annotated[
        Path | None, typer.Option(envvar="BULKHEAD_DATA", help="Folder with recorded sets.", show_default=False)
    ] = None,
    tick_s: Annotated[
        float, typer.Option(min=0, help="Seconds for one recorded minute; 0: 1, or 15 where it settles.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="No makers: an empty market.")] = False,
    settle: Annotated[
        bool, typer.Option("--settle", help="Prove every batch and settle it, on an embedded Ethereum in the folder.")
    ] = False,
    l1_port: Annotated[int, typer.Option(min=0, max=65_535, help="Of that Ethereum; 0: any that is free.")] = 8545,
    terminal_port: Annotated[int, typer.Option(min=0, max=65_535, help="Of the terminal; 0: any that is free.")] = 8090,
    shape: Annotated[
        list[str] | None,
        typer.Option(help="Of batches that settle: small, middle, large; chosen at the first start, and then kept."),
    ] = None,
    no_terminal: Annotated[bool, typer.Option("--no-terminal", help="No screens: REST and streams alone.")] = False,
) -> None:
    """Run a whole test exchange with makers on recorded prices. Ctrl-C ends it in order; the next start goes on."""
    import uvloop

    from bulkhead.bridge.errors import ChainError
    from bulkhead.node import logs
    from bulkhead.node.keys import KeysError
    from bulkhead.node.replay import ExchangeError
    from bulkhead.node.segment import JournalError
    from bulkhead.node.settling.events import SettlementError
    from bulkhead.node.sources import SourceError
    from bulkhead.node.store.database import DatabaseError
    from bulkhead.node.store.rebuild import AheadOfJournal

    logs.set_up()
    console = Console()
    try:
        terms = Terms(
            folder or Path("up-settled" if settle else "up"), port, prices, tick_s, data, seed, l1_port,
            None if no_terminal else terminal_port, tuple(shape or ()),
        )  # fmt: skip
        uvloop.run(_run(console, terms, is_quiet=quiet, is_settling=settle))
    except (
        DataError, KeysError, ExchangeError, JournalError, DatabaseError, AheadOfJournal, SourceError, ChainError,
        SettlementError, OSError,
    ) as error:  # fmt: skip
        console.print(f"[red]{error}[/red]", soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:  # before it listened: whatever was begun is begun anew
        raise typer.Exit(130) from None


class Terms(NamedTuple):
    """What was asked for."""

    folder: Path
    port: int
    prices: str
    tick_s: float  # 0: as it fits
    data: Path | None
    seed: int
    l1_port: int
    terminal_port: int | None  # None: no terminal
    shapes: tuple[str, ...] = ()  # of batches; none: as it was deployed, at first as is usual


def _settings(terms: Terms, *, is_settling: bool) -> Settings:
    from bulkhead.node.settings import (
        ClockSettings,
        FaucetSettings,
        HttpSettings,
        LimitSettings,
        Settings,
        check_settings,
    )

    plain = Settings(
        folder=str(terms.folder),
        prices=terms.prices,
        http=HttpSettings(port=terms.port),
        clock=ClockSettings(interval_s=terms.tick_s or TICK_S),
        faucet=FaucetSettings(enabled=True),
    )
    if not is_settling:
        return check_settings(plain)
    from msgspec.structs import replace

    from bulkhead.cli import up_settled

    venue, settlement = up_settled.tables(terms.folder, terms.shapes)
    clock = up_settled.pace(terms.tick_s or up_settled.TICK_S, settlement.shapes)
    limits = LimitSettings(brown_out_batches=up_settled.BEHIND_MAX)
    return check_settings(replace(plain, venue=venue, settlement=settlement, clock=clock, limits=limits))


async def _run(console: Console, terms: Terms, *, is_quiet: bool, is_settling: bool) -> None:
    from bulkhead.api.serve import serve
    from bulkhead.cli import up_settled, up_terminal
    from bulkhead.lab.liquidity import keep_trading, populate
    from bulkhead.lab.recorded import recorded
    from bulkhead.lab.venue import markets_of
    from bulkhead.ledger.config import VenueConfig
    from bulkhead.node.app import config_of, open_node, settling_config_of
    from bulkhead.node.keys import Keys

    people = _people(terms.folder, is_settling=is_settling)
    source, markets = None, None
    if not terms.prices.startswith("live:"):
        found, source = recorded(terms.prices, terms.data, people["position"], terms.seed)
        markets = markets_of(found)

    def make_config(keys: Keys, chain_id: str) -> VenueConfig:
        config = config_of(keys, chain_id)._replace(filled_orders_max=TABLE_MAX)
        config = settling_config_of(keys, chain_id) if is_settling else config
        return config if markets is None else config._replace(markets=markets)

    if is_settling:
        up_settled.deploy_once(console, terms.folder, make_config, people["test"]["wallet"], terms.shapes)
    settings = _settings(terms, is_settling=is_settling)
    node = open_node(settings, source=source, make_config=make_config)
    trading: list[asyncio.Task[None]] = []
    levels, pause_s = (1, CALM_S) if is_settling else (4, 0.5)

    def ready(address: Address) -> None:
        trading.append(asyncio.create_task(begin(address), name="people"))

    async def begin(address: Address) -> None:
        account = await _test_account(node, people)
        _show(console, node, address, account, l1)
        if terms.terminal_port is not None:
            await asyncio.to_thread(up_terminal.prepare, terms.folder, address.url, account, people)
            _keep(terms.folder, people)
            stack.enter_context(up_terminal.running(terms.folder, address.url, terms.terminal_port, people, l1_url))
        if not is_quiet:
            agents = await populate(node, [int(key, 16) for key in people["keys"]], terms.seed, levels)
            await keep_trading(node, agents, pause_s)

    with ExitStack() as stack:
        l1: tuple[tuple[str, str], ...] = ()
        l1_url = ""
        if is_settling:
            l1_url = stack.enter_context(up_settled.served(node, terms.l1_port))
            l1 = up_settled.lines(node, l1_url, settings)
        try:
            await serve(node, ready=ready)
        finally:
            for task in trading:
                task.cancel()
            for problem in await asyncio.gather(*trading, return_exceptions=True):
                if isinstance(problem, Exception):
                    console.print(f"[red]makers have stopped: {problem}[/red]")
            if source is not None:
                people["position"] = source.position
            _keep(terms.folder, people)
            console.print("\nEnded in order. The next `bulkhead up` goes on here.", highlight=False)


def _people(folder: Path, *, is_settling: bool) -> dict[str, Any]:
    """Keys of makers, taker and test account, made once; and where the recording is."""
    from bulkhead.lab.liquidity import new_keys

    path = folder / PEOPLE_FILE
    if path.exists():
        try:
            found: dict[str, Any] = json.loads(private.read(path))
            known = {"keys": list(found["keys"]), "test": dict(found["test"]), "position": int(found["position"])}
            return known | ({"terminal": dict(found["terminal"])} if "terminal" in found else {})
        except (ValueError, KeyError, TypeError) as error:
            raise OSError(f"{path}: not a file of this command ({type(error).__name__}); move it away") from error
    made: dict[str, Any] = {
        "keys": [hex(key) for key in new_keys(MAKERS + 1)],
        "test": {"private_key": hex(new_keys(1)[0]), "wallet": "0x" + secrets.token_hex(20), "api_key": ""},
        "position": 0,
    }
    if is_settling:  # what is withdrawn is claimed with a key
        from bulkhead.cli.up_settled import new_wallet

        made["test"]["wallet"], made["test"]["wallet_key"] = new_wallet()
    _keep(folder, made)
    return made


def _keep(folder: Path, people: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    private.write(folder / PEOPLE_FILE, json.dumps(people).encode())


async def _test_account(node: Node, people: dict[str, Any]) -> dict[str, str]:
    """An account with money and an API key, the same at every start."""
    from bulkhead.lab.liquidity import Signer
    from bulkhead.node.directory import Named

    test: dict[str, str] = people["test"]
    signer = Signer(node, int(test["private_key"], 16))
    await signer.join(int(test["wallet"], 16), 100_000)
    now = int(node.clock_ms())
    user = node.directory.add_user(test["wallet"], now)
    if node.directory.account(signer.account_id) is None:
        node.directory.add_account(Named(signer.account_id, user.user_id, 0, "test account", signer.key, now))
    if not test["api_key"] or node.directory.key(test["api_key"], now) is None:
        test["api_key"] = node.directory.add_key(signer.account_id, "test account", now)
        _keep(node.settings.place, people)
    return {**test, "vault": str(signer.account_id), "public_key": hex(signer.key)}


def _show(
    console: Console, node: Node, address: Address, account: dict[str, str], more: tuple[tuple[str, str], ...]
) -> None:
    """URLs and the test account."""
    config = node.exchange.state.config
    lines = (
        ("REST", f"{address.url}/api/v1"),
        ("Streams", f"{address.streams}/v1"),
        ("Health", f"{address.url}/health"),
        ("Metrics", f"{address.url}/metrics"),
        ("Chain id", config.chain_id),
        ("Markets", ", ".join(terms.name for terms in config.markets)),
        ("Prices", node.source.name),
        ("", ""),
        *more,
        ("Test account", account["vault"]),
        ("API key", account["api_key"]),
        ("Stark key", account["private_key"]),
        *([("L1 key", account["wallet_key"])] if "wallet_key" in account else []),
    )
    console.print()
    for name, value in lines:
        console.print(f"  [bold]{name:<13}[/bold] {value}" if name else "", highlight=False, soft_wrap=True)
    console.print("\n  The keys are of this test venue alone. Ctrl-C ends it; nothing is lost.\n", highlight=False)
