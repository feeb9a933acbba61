"""`bulkhead terminal`: the trader's screens in his browser, for any exchange, with his keys on his own machine."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from bulkhead.terminal.app import Entrance

PASSPHRASE = "BULKHEAD_PASSPHRASE"  # of the account that --unlock names; not an option, for others see those
TOKEN = "BULKHEAD_TERMINAL_TOKEN"


def terminal(
    url: Annotated[str, typer.Argument(help="Of the exchange.")] = "http://127.0.0.1:8080",
    *,
    host: Annotated[str, typer.Option(help="Where to listen; another than this machine's own needs --name.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: any that is free.")] = 8090,
    keys: Annotated[
        Path | None, typer.Option(help="Folder of the key files.", show_default="~/.bulkhead/keys")
    ] = None,
    unlock: Annotated[
        str, typer.Option(help=f"Account to unlock at the start, with the passphrase in {PASSPHRASE}.")
    ] = "",
    onboard: Annotated[bool, typer.Option("--onboard", help="Onboard the account of --unlock, if need be.")] = False,
    l1: Annotated[str, typer.Option(help="A node of L1, until another is named on Settlement.")] = (
        "http://127.0.0.1:8545"
    ),
    name: Annotated[
        list[str] | None, typer.Option(help="A host name, beside this machine's own, under which browsers may ask.")
    ] = None,
    admit: Annotated[
        list[str] | None, typer.Option(help="A user whose programs may connect, too, as a proxy's; or `all`.")
    ] = None,
    until_input_ends: Annotated[
        bool, typer.Option("--until-input-ends", help="End when whoever started it closes the input, or is gone.")
    ] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Open no browser.")] = False,
) -> None:
    """Show an exchange in the browser: trade, compare margin modes, watch risk and settlement. Ctrl-C ends it."""
    from bulkhead.node import logs
    from bulkhead.terminal.app import serve
    from bulkhead.terminal.keystore import KeyStoreError
    from bulkhead.terminal.peers import UnknownUser
    from bulkhead.terminal.settings import Settings, default_keys_folder

    logs.set_up()
    console = Console()
    token = os.environ.pop(TOKEN, "")  # what is started from here, as the browser, need not know it
    settings = Settings(
        exchange_url=url, host=host, port=port, keys=keys or default_keys_folder(), unlock=unlock,
        passphrase=os.environ.pop(PASSPHRASE, ""), names=tuple(name or ()), admit=tuple(admit or ()),
        onboard=onboard, l1=l1, **({"token": token} if token else {}),
    )  # fmt: skip

    async def run() -> None:
        stop = asyncio.Event()
        if until_input_ends:
            _end_with_input(stop)
        await serve(settings, ready=lambda entrance: _show(console, entrance, opens=not no_open), stop=stop)

    try:
        asyncio.run(run())
    except (KeyStoreError, UnknownUser, OSError) as error:
        console.print(f"[red]{error}[/red]", soft_wrap=True)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def _show(console: Console, entrance: Entrance, *, opens: bool) -> None:
    """Say where the terminal is, and have the browser open it with what may stand in the list of processes."""
    if entrance.caution:
        console.print(f"[yellow]{entrance.caution}[/yellow]", soft_wrap=True)
    console.print(f"Terminal at {entrance.address}", highlight=False, soft_wrap=True)
    console.print("Its token opens the screens, and they sign with your keys: show it to nobody.", soft_wrap=True)
    if opens:
        webbrowser.open(entrance.once)


def _end_with_input(stop: asyncio.Event) -> None:
    """Set `stop` when standard input is closed. A thread waits for it, which does not keep the process."""
    loop = asyncio.get_running_loop()

    def wait() -> None:
        while sys.stdin.buffer.read(1024):
            continue
        with suppress(RuntimeError):  # it has ended otherwise
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, daemon=True, name="input").start()
