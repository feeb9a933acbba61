"""`bulkhead replay`: run a journal through the exchange again and say what it comes to."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bulkhead.codec import CodecError
from bulkhead.node.replay import ExchangeError, Replayed
from bulkhead.node.replay import replay as run
from bulkhead.node.segment import JournalError


def replay(
    journal: Annotated[Path, typer.Argument(help="The folder of an exchange: its genesis, journal and snapshots.")],
    from_snapshot: Annotated[
        bool, typer.Option("--from-snapshot", help="Begin at the newest snapshot, not at the genesis.")
    ] = False,
    until: Annotated[int, typer.Option(min=0, help="Stop after this record; 0: all of them.")] = 0,
) -> None:
    """Replay a journal and print the root it comes to. Nothing on the disk is changed."""
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    start = time.perf_counter()
    try:
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("replaying", total=None)
            done = run(
                journal,
                use_snapshot=from_snapshot,
                until=until,
                progress=lambda count, total: progress.update(task, completed=count, total=total),
            )
    except (JournalError, ExchangeError, CodecError) as error:
        typer.secho(str(error), err=True, fg="red")
        raise typer.Exit(1) from error
    _show(done, time.perf_counter() - start)


def _show(done: Replayed, seconds: float) -> None:
    """What was replayed, how fast, and to which root."""
    commands = done.sequence - done.begun_after
    lines = {
        "commands": f"{commands:,}",
        "begun at": f"the snapshot after record {done.begun_after:,}" if done.begun_after else "the genesis",
        "last record": f"{done.sequence:,}",
        "seconds": f"{seconds:.2f}",
        "commands/s": f"{commands / seconds:,.0f}",
        "root": f"{done.machine.root():#066x}",
        "digest": f"{done.machine.digest().hex()} (of the root, the books and the keepers)",
    }
    for name, value in lines.items():
        typer.echo(f"{name:12} {value}")
    for path, reason in done.refused:
        typer.secho(f"passed over {path}: {reason}", err=True, fg="yellow")
    if done.torn is not None:
        torn = done.torn
        typer.secho(
            f"the tail is torn at {torn.path}, offset {torn.offset}: {torn.bytes_cut} bytes that were never "
            f"acknowledged ({torn.reason}); the exchange cuts them when it next starts",
            err=True,
            fg="yellow",
        )
