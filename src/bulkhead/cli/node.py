"""`bulkhead node`: a node by its settings, until it is interrupted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML; see docs/node.md.", show_default=False)]


def node(
    config: ConfigFile = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Make derived tables anew from the journal.")] = False,
    as_json: Annotated[bool, typer.Option("--json-log", help="Log as JSON.")] = False,
    certificate: Annotated[
        Path | None, typer.Option("--tls-certificate", help="PEM; with --tls-key, TLS is on.", show_default=False)
    ] = None,
    key: Annotated[Path | None, typer.Option("--tls-key", help="PEM.", show_default=False)] = None,
) -> None:
    """Run a node: exchange, interface, clock and oracle signers, as a TOML file and BULKHEAD_* variables say."""
    import uvloop

    from bulkhead.api.serve import Address, serve
    from bulkhead.node import logs
    from bulkhead.node.app import open_node
    from bulkhead.node.keys import KeysError
    from bulkhead.node.replay import ExchangeError
    from bulkhead.node.segment import JournalError
    from bulkhead.node.settings import SettingsError, load_settings
    from bulkhead.node.settling.events import SettlementError
    from bulkhead.node.sources import SourceError
    from bulkhead.node.store.database import DatabaseError
    from bulkhead.node.store.rebuild import AheadOfJournal

    logs.set_up(as_json=as_json)
    console = Console()

    def ready(address: Address) -> None:
        console.print(f"listening on {address.url}", highlight=False)

    named = {"BULKHEAD_HTTP__TLS_CERTIFICATE": certificate, "BULKHEAD_HTTP__TLS_KEY": key}
    environment = {**os.environ, **{name: str(file) for name, file in named.items() if file is not None}}

    async def run() -> None:
        opened = open_node(load_settings(config, environment), is_rebuilding=rebuild)
        await serve(opened, ready=ready)

    try:
        uvloop.run(run())
    except (
        SettingsError, KeysError, ExchangeError, JournalError, DatabaseError, AheadOfJournal, SourceError,
        SettlementError, OSError,
    ) as error:  # fmt: skip
        console.print(f"[red]{error}[/red]")
        raise typer.Exit(2) from None
