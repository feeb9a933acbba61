"""The demo's last stage where something is missing: it says what, and what to do."""

from __future__ import annotations

import sys
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from bulkhead.circuit.batch import MEDIUM
from bulkhead.cli import demo_proof
from bulkhead.cli.demo_proof import Made, StageFailed, prove_and_settle


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Console:
    """What is told; proofs are taken as made, and the chain's are of the profile whose key is made quickest."""
    verdict = SimpleNamespace(shape=MEDIUM.number, proof_bytes=1, bits=100.0, seconds=0.0)
    monkeypatch.setattr(demo_proof, "_prove", lambda console, world, profile: Made(Path(profile), verdict, 1.0, 1.0))
    monkeypatch.setattr(demo_proof, "ONCHAIN", "test")
    return Console(record=True, width=200, file=StringIO())


def test_without_a_compiler(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("BULKHEAD_VYPER", str(tmp_path / "nothing"))
    with pytest.raises(StageFailed, match=r"nothing: .*pip install vyper=="):
        prove_and_settle(console, tmp_path)
    assert "One batch of 116 transactions" in console.export_text()


def test_where_there_is_no_embedded_chain(console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("bulkhead.bridge.embedded")]:
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == "ethereum"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Absent(), *sys.meta_path])
    prove_and_settle(console, tmp_path)
    assert "Proven, but not settled here: the embedded L1 needs Python 3.11 or 3.12" in console.export_text()


class _Absent:
    """Finds everything but the specification of Ethereum."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse what is not installed everywhere."""
        if name.partition(".")[0] == "ethereum":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
