"""Tests never leave anything out in silence: the header says which programs beside us were found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.programs import find_anvil, find_titanoboa, programs_header


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing is installed or named."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("BULKHEAD_ANVIL", "BULKHEAD_TITANOBOA", "BULKHEAD_TEST_L1"):
        monkeypatch.delenv(name, raising=False)


def test_what_is_not_found_is_said() -> None:
    assert find_anvil() is None and find_titanoboa() is None
    chains, machines = programs_header()
    assert "no anvil" in chains and "no node by URL" in chains and "no titanoboa" in machines


def test_what_make_installs_is_found(tmp_path: Path) -> None:
    anvil = tmp_path / "anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil"
    python = tmp_path / "titanoboa/bin/python"
    for each in (anvil, python):
        each.parent.mkdir(parents=True)
        each.touch()
    assert (find_anvil(), find_titanoboa()) == (str(anvil), str(python))
    assert [name in " ".join(programs_header()) for name in (str(anvil), str(python))] == [True, True]


@pytest.mark.parametrize(("name", "find"), [("BULKHEAD_ANVIL", find_anvil), ("BULKHEAD_TITANOBOA", find_titanoboa)])
def test_a_name_that_leads_nowhere_is_refused(name: str, find, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv(name, "/nowhere")
    with pytest.raises(FileNotFoundError, match=f"{name} names no .*: /nowhere"):
        find()
