"""Client libraries as their authors ship them, each in an environment of its own: their pins differ from ours."""

from __future__ import annotations

import fcntl
import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PINNED = {
    "x10": ("x10-python-trading-starknet==2.6.0", "websockets<14"),
    "ccxt": ("ccxt==4.5.90",),
    "schemathesis": ("schemathesis==4.32.5",),
}


def python_of(name: str) -> Path:
    """The interpreter of a library's environment, made once below .venv, and kept; workers wait for each other."""
    folder = ROOT / ".venv" / "clients" / name
    python, done = folder / "bin" / "python", folder / "done"
    wanted = " ".join(PINNED[name])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists() or done.read_text() != wanted:
            venv.create(folder, clear=True, with_pip=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *PINNED[name]], check=True, timeout=600)
            done.write_text(wanted)
    return python


def session(name: str, script: str, **given: Any) -> dict[str, Any]:
    """Run a script of this folder in a library's environment: what it found, as it printed it last."""
    command = [python_of(name), Path(__file__).parent / script, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    sys.stderr.write(done.stderr)
    assert done.returncode == 0, done.stderr[-3_000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
