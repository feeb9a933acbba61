"""The notebook example runs from its first cell to its last, and leaves the page it promises."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    source = Path("examples/lab_notebook.py").resolve()
    (tmp_path / "examples").symlink_to(source.parent)
    monkeypatch.chdir(tmp_path)
    ran = runpy.run_path(str(source))
    told = capsys.readouterr().out
    assert ran["found"].recommendation in told and told.count("against:") == len(ran["found"].against)
    rows = [line for line in told.splitlines() if "liquidated on" in line]
    counts = [int(line.split("liquidated on ")[1].split()[0]) for line in rows]
    assert len(counts) == 7 and counts == sorted(counts, reverse=True) and counts[0] > counts[-1]
    assert (tmp_path / "hybrid.html").stat().st_size > 100_000
