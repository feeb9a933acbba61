"""The notebook of a crowd: its cells run from top to bottom, on few paths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "examples" / "venue_crowd.ipynb"


def test_every_cell_runs_and_the_page_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not cell["outputs"]  # nothing computed is committed
            exec("".join(cell["source"]).replace("PATHS, SEED, DAYS = 200, 1, 3", "PATHS, SEED, DAYS = 8, 1, 1"), names)
    assert names["PATHS"] == 8
    assert len(names["debts"]) == 4  # type: ignore[arg-type]
    assert "Maintenance by hand" in (tmp_path / "by-hand.html").read_text(encoding="utf-8")
