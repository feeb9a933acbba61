"""The compile cache: machine code is reused between processes, and never after an edit of what it was made from."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import stark

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
