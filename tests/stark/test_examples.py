"""The examples of the proof library run as a reader would run them, at small sizes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """An example in a process of its own."""
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(("name", "size"), [("prove_fibonacci.py", "7"), ("prove_signatures.py", "2")])
def test_an_example_proves_and_is_refused_what_is_false(name: str, size: str) -> None:
    result = run(name, size)
    assert result.returncode == 0, result.stdout + result.stderr
    said = " ".join(result.stdout.split())
    assert "ms: accepted" in said
    assert "the same proof is not accepted: step 3 buses: the buses do not balance" in said
    assert "proven bits" in said and "kB" in said


@pytest.mark.parametrize(("name", "size"), [("prove_fibonacci.py", "5"), ("prove_signatures.py", "0")])
def test_an_example_says_what_it_cannot_prove(name: str, size: str) -> None:
    result = run(name, size)
    assert result.returncode == 1 and "prove" in result.stderr and "Traceback" not in result.stderr
