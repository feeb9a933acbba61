"""House rules of the contracts' sources, which no linter here reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.contracts.bridge import LAYOUT
from tests.contracts.machine import CONTRACTS, compiled
from tests.contracts.statement import PROOFS

SOURCES = sorted(CONTRACTS.rglob("*.vy"))
CODE_BYTES_MAX = 24_576  # of a deployed contract (EIP-170)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_contract_is_short_says_what_it_is_and_is_plain_text(source: Path) -> None:
    """Other than ASCII with plain newlines, a source can mean something else than it shows."""
    data = source.read_bytes()
    assert data.isascii() and b"\r" not in data and b"\f" not in data and data.endswith(b"\n")
    lines = data.decode().splitlines()
    assert lines[0] == "# pragma version 0.4.3"
    assert len(lines) <= 400 and max(map(len, lines)) <= 120
    for tag in ("@title", "@license Apache-2.0", "@notice"):
        assert any(tag in line for line in lines[:12]), tag


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_refusal_says_who_refuses_and_why(source: Path) -> None:
    text = source.read_text()
    reasons = re.findall(r'^ +assert ((?:(?!assert )[^"])*)"([a-z]+): [^"]+"', text, re.MULTILINE)
    assert len(reasons) == len(re.findall(r"^ +assert ", text, re.MULTILINE))


@pytest.mark.parametrize("name", ["Custody", "Reader", "Rollup"])
def test_a_contract_can_be_deployed(name: str) -> None:
    assert len(compiled(name, PROOFS, LAYOUT.module)[0]) < CODE_BYTES_MAX
