"""Programs that some tests run beside us: where they are found, and what the header says of those that are not."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from shutil import which


def find_anvil() -> str | None:
    """A node of Ethereum for tests: named by BULKHEAD_ANVIL, or what `make` installed, or on the path."""
    named = os.environ.get("BULKHEAD_ANVIL")
    if named and not Path(named).is_file():
        raise FileNotFoundError(f"BULKHEAD_ANVIL names no program: {named}")
    installed = sorted(Path(sys.prefix, "anvil", "node_modules", "@foundry-rs").glob("anvil-*/bin/anvil"))
    return named or (str(installed[0]) if installed else which("anvil"))


def find_titanoboa() -> str | None:
    """The Python that has titanoboa: of an environment of its own, for it pins the compiler's libraries."""
    named = os.environ.get("BULKHEAD_TITANOBOA")
    if named and not Path(named).is_file():
        raise FileNotFoundError(f"BULKHEAD_TITANOBOA names no Python: {named}")
    installed = Path(sys.prefix, "titanoboa", "bin", "python")
    return named or (str(installed) if installed.is_file() else None)


L1_KINDS = ("embedded", *(["anvil"] if find_anvil() else []))  # for tests of what is too slow to do on every chain


def programs_header() -> list[str]:
    """What is tested with them, or is not."""
    anvil = find_anvil()
    chains = f"anvil ({anvil})" if anvil else "no anvil (make installs it from npm, BULKHEAD_ANVIL names one)"
    node = os.environ.get("BULKHEAD_TEST_L1", "no node by URL (BULKHEAD_TEST_L1)")
    boa = find_titanoboa()
    machines = f"titanoboa ({boa})" if boa else "no titanoboa (make installs it, BULKHEAD_TITANOBOA names its Python)"
    return [f"L1: embedded, embedded by URL, {chains}, {node}", f"contracts: revm, {machines}"]
