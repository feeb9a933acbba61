"""A long proof on a terminal: a bar that names the step, and a line before kernels are compiled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from stark.air.tape import run_tape
from stark.kernels import is_compiled
from stark.progress import Progress
from stark.proof import Phase

STEPS = list(Phase)


@contextmanager
def proving_bar(console: Console) -> Iterator[Progress]:
    """A progress function for `prove` that draws a bar; it is gone when the proof is made."""
    announce_compilation(console)
    columns = TextColumn("{task.description:32}"), BarColumn(), TimeElapsedColumn()
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=len(STEPS))

        def report(phase: Phase, share: float) -> None:
            bar.update(task, description=f"step {phase}", completed=STEPS.index(phase) + share)

        yield report


def announce_compilation(console: Console) -> None:
    """Say so if this is the first proof here: the machine code of this version is not on disk yet."""
    if not is_compiled(run_tape):
        console.print(
            "Compiling the proof library's kernels: about 10 s on the first run, and kept on disk for the next.",
            highlight=False,
        )
