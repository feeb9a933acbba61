"""`bulkhead explain LIQUIDATION`: one liquidation of a demo run as a story, recomputed before it is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.panel import Panel

from bulkhead.codec import Codec, CodecError
from bulkhead.keepers.recompute import recompute
from bulkhead.keepers.sound import unsound
from bulkhead.keepers.story import story
from bulkhead.keepers.witness import Witness
from bulkhead.lab.compare import Outcome
from bulkhead.lab.traders import MarginMode

FILE = "liquidations.json"


def save_witnesses(folder: Path, outcomes: Mapping[MarginMode, Outcome]) -> Path:
    """Keep every witness of a run: identity → bytes of the codec, in hexadecimal."""
    codec = Codec([Witness])
    content = {
        f"{mode.value}-{place}": codec.encode(witness).hex()
        for mode, outcome in outcomes.items()
        for place, witness in enumerate(outcome.recorder.witnesses, start=1)
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    path.write_text(json.dumps(content, indent=0), encoding="utf-8")
    return path


def load_witness(folder: Path, identity: str) -> Witness:
    """One witness of a run. ValueError says what is missing or damaged."""
    path = folder / FILE
    if not path.is_file():
        raise ValueError(f"{path} is not there: run `bulkhead demo` first, or name its folder with --run")
    try:
        content = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as problem:
        raise ValueError(f"{path} is damaged: {problem}") from None
    if identity not in content:
        known = ", ".join(list(content)[:8])
        raise ValueError(f"no liquidation {identity} in {path}; there are {len(content)}: {known} …")
    try:
        return Codec([Witness]).decode(bytes.fromhex(content[identity]))
    except (CodecError, ValueError, TypeError) as problem:
        raise ValueError(f"{path}: {identity} is damaged: {problem}") from None


def explain(
    identity: Annotated[str, typer.Argument(metavar="LIQUIDATION", help="an id from the report, such as cross-1")],
    run: Annotated[Path, typer.Option(help="folder of the demo run")] = Path("demo"),
) -> None:
    """Tell one liquidation as a story with its numbers, after recomputing it from its witness."""
    console = Console()
    try:
        witness = load_witness(run, identity)
    except ValueError as problem:
        console.print(f"[red]{problem}[/red]")
        raise typer.Exit(2) from None
    disagreements = recompute(witness)
    if not unsound(witness):  # of nonsense there is no story
        console.print(Panel(story(witness), title=f"Liquidation {identity}", title_align="left", padding=(1, 2)))
    if disagreements:
        console.print("[bold red]The rules do not agree with this witness:[/bold red]")
        for line in disagreements:
            console.print(f"  {line}")
        raise typer.Exit(1)
    console.print("[green]Recomputed from its witness with the rules alone: every number they decide agrees.[/green]")
