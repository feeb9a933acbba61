"""The compile cache: machine code is reused between processes, and never after an edit of what it was made from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import stark
from stark.air.chip import Chip, Must, Row
from stark.air.system import System
from stark.fixed import prepare
from stark.parameters import Parameters
from stark.prover import prove
from stark.verifier import verify
from tests.stark.toy import SYSTEM, case, columns

PROBE = '''"""A kernel in a file that is not edited, made from one in a file that is."""

import numpy as np

from stark import field
from stark.kernels import kernel


@kernel
def probe(values, result):
    field.store(result, 0, field.add(field.load(values, 0), field.load(values, 0)))


values = field.plain_from_ints([21])
result = np.zeros_like(values)
probe(values, result)
print(field.ints_from_plain(result)[0], sum(probe.stats.cache_hits.values()))
'''


def run_probe(folder: Path) -> tuple[int, int]:
    """What the probe computes, and how many of its compilations came from the cache."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    command = [sys.executable, "-c", "import stark.probe"]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    value, hits = answer.stdout.split()
    return int(value), int(hits)


def test_an_edit_of_a_called_function_recompiles_its_callers(tmp_path: Path) -> None:
    copied = tmp_path / "stark"
    shutil.copytree(Path(stark.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__"))
    (copied / "probe.py").write_text(PROBE)
    assert run_probe(tmp_path) == (42, 0)
    assert run_probe(tmp_path) == (42, 1)
    source = (copied / "field.py").read_text()
    edited = source.replace("return builder.add(first, second)", "return builder.sub(first, second)")
    assert edited != source
    (copied / "field.py").write_text(edited)
    assert run_probe(tmp_path) == (0, 0)


class Squares(Chip):
    """A system that no other test has: each number is the square of the one before."""

    name = "squares"
    columns = ("value",)

    def constrain(self, row: Row, must: Must) -> None:
        must.transition("squares", row.next.value - row.value**2)


def compiled() -> dict[str, int]:
    """How many signatures each kernel of the library was compiled for in this process."""
    found = {}
    for name, module in sorted(sys.modules.items()):
        if name.split(".")[0] == "stark":
            kernels: dict[str, Any] = {
                key: value for key, value in vars(module).items() if hasattr(value, "nopython_signatures")
            }
            found |= {f"{name}.{key}": len(value.nopython_signatures) for key, value in kernels.items()}
    return found


def test_no_system_compiles_anything() -> None:
    """After the proof of one system, that of another finds every kernel ready."""
    parameters = Parameters(log_blowup=2, queries=4, grinding_bits=0, log_final=2)
    honest = case(4, 6)
    fixed = prepare(SYSTEM, honest.log_heights, parameters)
    assert verify(fixed.key, honest.public, prove(fixed, honest.public, honest.traces)) is None
    before = compiled()
    assert before["stark.air.tape.run_tape"] + before["stark.air.tape_eights.run_eights"] >= 1 and len(before) > 40
    fixed = prepare(System("squares", [Squares()]), (5,), parameters)
    assert verify(fixed.key, [], prove(fixed, [], [columns([[1] * 32])])) is None
    assert compiled() == before
