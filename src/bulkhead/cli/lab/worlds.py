"""`bulkhead lab worlds`: the worlds there are, what goes wrong by script, and the recorded events."""

from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bulkhead.cli.lab import app
from bulkhead.lab.paths.recorded import EVENTS
from bulkhead.lab.prices import list_sets
from bulkhead.lab.worlds import SCRIPTS, WORLDS
from bulkhead.lab.worlds.scripts import Script

DataFolder = Annotated[
    Path | None, typer.Option("--data", envvar="BULKHEAD_DATA", help="A folder of price sets.", show_default=False)
]


@app.command("worlds")
def worlds(data_dir: DataFolder = None) -> None:
    """List worlds, scripts and events, and how to write them: regimes,correlation=one+thin-book:depth=0.1,at=2h"""
    console = Console()
    kinds = Table("world", "what its paths are", "settings", title="Worlds: --world NAME")
    for kind in WORLDS.values():
        kinds.add_row(kind.usage.replace("[", r"\["), kind.words, ", ".join(kind.settings))
    console.print(kinds)
    scripts = Table("script", "what goes wrong", "settings and their defaults", title="Scripts: --world NAME+SCRIPT")
    for name, script in SCRIPTS.items():
        scripts.add_row(name, script.words, _settings(script))
    console.print(scripts)
    present = {one.name for one in list_sets(data_dir) if one.present}
    events = Table("event", "what it was", "set", "at hand", title="Events: --world event:DAY")
    for day, event in EVENTS.items():
        events.add_row(day, event.words, ", ".join(event.sets), "yes" if present & set(event.sets) else "no")
    console.print(events)


def _settings(script: type[Script]) -> str:
    """Its settings with their defaults, as they are typed."""
    if script.is_whole:
        return ""
    one = script()
    shown = [f"at={one.at_ms // 60_000}m", f"last={one.last_ms // 60_000}m", "symbols=BTC/ETH"]
    own = [each.name for each in fields(script) if each.name not in ("at_ms", "last_ms", "symbols")]
    return ", ".join(shown + [f"{name}={getattr(one, name):g}" for name in own])
