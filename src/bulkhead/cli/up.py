"""`bulkhead up`: everything in one process: an exchange, its interface, prices, makers, and a test account."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from bulkhead.lab.prices import DEFAULT, DataError

if TYPE_CHECKING:  # the node's libraries take a second to import; other commands need not wait for them
    from bulkhead.api.serve import Address
    from bulkhead.node.app import Node
    from bulkhead.node.settings import Settings

TABLE_MAX = 1 << 24  # filled orders remembered: no circuit of this venue has to carry the table
PEOPLE_FILE = "people.json"
MAKERS = 2


def up(
    *,
    folder: Annotated[Path, typer.Option(help="Where the exchange is kept.")] = Path("up"),
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Of this machine alone; 0: any that is free.")] = 8080,
    prices: Annotated[str, typer.Option(help="A price set (`bulkhead data list`), or live:VENUE,VENUE.")] = DEFAULT,
    data: Annotated[
        Path | None, typer.Option(envvar="BULKHEAD_DATA", help="Folder with recorded sets.", show_default=False)
    ] = None,
    tick_s: Annotated[float, typer.Option(min=0.1, help="Seconds for one recorded minute.")] = 1.0,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="No makers: an empty market.")] = False,
) -> None:
    """Run a whole test exchange with makers on recorded prices. Ctrl-C ends it in order; the next start goes on."""
    import uvloop

    from bulkhead.node import logs
    from bulkhead.node.keys import KeysError
    from bulkhead.node.replay import ExchangeError
    from bulkhead.node.segment import JournalError
    from bulkhead.node.sources import SourceError
    from bulkhead.node.store.database import DatabaseError
    from bulkhead.node.store.rebuild import AheadOfJournal

    logs.set_up()
    console = Console()
    try:
        uvloop.run(_run(console, _settings(folder, port, prices, tick_s), data, seed, quiet))
    except (
        DataError, KeysError, ExchangeError, JournalError, DatabaseError, AheadOfJournal, SourceError, OSError,
    ) as error:  # fmt: skip
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(2) from None


def _settings(folder: Path, port: int, prices: str, tick_s: float) -> Settings:
    from bulkhead.node.settings import ClockSettings, FaucetSettings, HttpSettings, Settings, check_settings

    return check_settings(
        Settings(
            folder=str(folder),
            prices=prices,
            http=HttpSettings(port=port),
            clock=ClockSettings(interval_s=tick_s),
            faucet=FaucetSettings(enabled=True),
        )
    )


async def _run(console: Console, settings: Settings, data_dir: Path | None, seed: int, quiet: bool) -> None:
    from bulkhead.api.serve import serve
    from bulkhead.lab.liquidity import keep_trading, populate
    from bulkhead.lab.recorded import recorded
    from bulkhead.lab.venue import markets_of
    from bulkhead.ledger.config import VenueConfig
    from bulkhead.node.app import config_of, open_node
    from bulkhead.node.keys import Keys

    people = _people(settings.place)
    source, markets = None, None
    if not settings.prices.startswith("live:"):
        found, source = recorded(settings.prices, data_dir, people["position"], seed)
        markets = markets_of(found)

    def make_config(keys: Keys, chain_id: str) -> VenueConfig:
        config = config_of(keys, chain_id)._replace(filled_orders_max=TABLE_MAX)
        return config if markets is None else config._replace(markets=markets)

    node = open_node(settings, source=source, make_config=make_config)
    trading: list[asyncio.Task[None]] = []

    def ready(address: Address) -> None:
        trading.append(asyncio.create_task(begin(address), name="people"))

    async def begin(address: Address) -> None:
        account = await _test_account(node, people)
        _show(console, node, address, account)
        if not quiet:
            await keep_trading(node, await populate(node, [int(key, 16) for key in people["keys"]], seed))

    try:
        await serve(node, ready=ready)
    finally:
        for task in trading:
            task.cancel()
        await asyncio.gather(*trading, return_exceptions=True)
        if source is not None:
            people["position"] = source.position
        _keep(settings.place, people)
        console.print("\nEnded in order. The next `bulkhead up` goes on here.", highlight=False)


def _people(folder: Path) -> dict[str, Any]:
    """Keys of makers, taker and test account, made once; and where the recording is."""
    from bulkhead.lab.liquidity import new_keys

    path = folder / PEOPLE_FILE
    if path.exists():
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return {"keys": list(found["keys"]), "test": dict(found["test"]), "position": int(found["position"])}
        except (ValueError, KeyError, TypeError) as error:
            raise OSError(f"{path}: not a file of this command ({type(error).__name__}); move it away") from error
    made = {
        "keys": [hex(key) for key in new_keys(MAKERS + 1)],
        "test": {"private_key": hex(new_keys(1)[0]), "wallet": "0x" + secrets.token_hex(20), "api_key": ""},
        "position": 0,
    }
    _keep(folder, made)
    return made


def _keep(folder: Path, people: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{PEOPLE_FILE}.part"
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(people, file)
        file.flush()
        os.fsync(file.fileno())
    os.rename(part, folder / PEOPLE_FILE)


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


def _show(console: Console, node: Node, address: Address, account: dict[str, str]) -> None:
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
        ("Test account", account["vault"]),
        ("API key", account["api_key"]),
        ("Stark key", account["private_key"]),
    )
    console.print()
    for name, value in lines:
        console.print(f"  [bold]{name:<13}[/bold] {value}" if name else "", highlight=False, soft_wrap=True)
    console.print("\n  The keys are of this test venue alone. Ctrl-C ends it; nothing is lost.\n", highlight=False)
