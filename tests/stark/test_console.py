"""What a terminal shows of a proof: the step it is at, and a word before the first one compiles."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from stark import console
from stark.fixed import prepare
from stark.parameters import Parameters
from stark.progress import Cancelled
from stark.proof import Phase
from stark.prover import prove
from tests.stark.toy import SYSTEM, case

ANNOUNCE = """
from rich.console import Console
from stark.console import announce_compilation
announce_compilation(Console(width=200))
"""


def screen() -> Console:
    """A terminal whose text can be read."""
    return Console(file=io.StringIO(), force_terminal=True, width=100)


def shown(on: Console) -> str:
    """What was written to it."""
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue()


def test_a_bar_names_every_step_and_is_gone_at_the_end() -> None:
    honest, terminal, seen = case(4, 6), screen(), set()
    fixed = prepare(SYSTEM, honest.log_heights, Parameters(2, 8, 0, log_final=2))
    with console.proving_bar(terminal) as report:

        def heard(phase: Phase, share: float) -> None:
            report(phase, share)
            seen.add(phase)

        prove(fixed, honest.public, honest.traces, progress=heard)
        assert seen == {*Phase} - {Phase.STATEMENT}
        report(Phase.FOLDING, 0.5)
    assert f"step {Phase.FOLDING}" in shown(terminal)
    assert shown(terminal).endswith("\x1b[2K")  # the line is empty again


def test_a_bar_lets_go_of_what_stops_a_proof() -> None:
    with pytest.raises(Cancelled), console.proving_bar(screen()) as report:
        report(Phase.TRACE, 0.1)
        raise Cancelled


def test_what_is_compiled_is_announced_once(tmp_path: Path) -> None:
    """With an empty cache on disk there is a line that says so; with the kernels at hand there is none."""
    prove_once = case(4, 6)
    prove(
        prepare(SYSTEM, prove_once.log_heights, Parameters(2, 8, 0, log_final=2)), prove_once.public, prove_once.traces
    )
    terminal = screen()
    console.announce_compilation(terminal)
    assert shown(terminal) == ""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run(
        [sys.executable, "-c", ANNOUNCE], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("Compiling the proof library's kernels") and said.count("\n") == 1
