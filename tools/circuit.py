"""Pin the circuit's figures: `python tools/circuit.py` writes vectors/circuit.json, `--check` says what differs.

A difference is a decision: it gets a line in CHANGELOG.md, for every deployed key changes with it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bulkhead.circuit.describe import pinned
from bulkhead.circuit.venue import provable
from bulkhead.ledger.defaults import default_config
from bulkhead.units import Felt

FILE = Path(__file__).resolve().parents[1] / "vectors" / "circuit.json"
KEYS = tuple(Felt(place) for place in range(1, 6))


def text() -> str:
    """The figures as JSON, one table or program a line."""
    figures = pinned(provable(default_config(KEYS, Felt(6))))
    parts = []
    for name, rows in figures.items():
        assert isinstance(rows, dict)
        lines = ",\n".join(f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in rows.items())
        parts.append(f"  {json.dumps(name)}: {{\n{lines}\n  }}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> int:
    """0 if the file is up to date or was written."""
    now = text()
    if "--check" not in sys.argv[1:]:
        FILE.write_text(now)
        return 0
    before = FILE.read_text().splitlines() if FILE.exists() else []
    changed = [line for line in now.splitlines() if line not in before]
    for line in changed:
        print(f"{FILE.name}: now {line.strip()}")
    if changed:
        print("The circuit differs from what is pinned: run `python tools/circuit.py` and say why in CHANGELOG.md.")
    return int(bool(changed))


if __name__ == "__main__":
    sys.exit(main())
