"""tools/spec.py: the pages of the rules are those of the docstrings, and a stale one is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import spec


def test_the_pages_are_up_to_date() -> None:
    assert spec.main(["--check"]) == 0


def test_a_stale_a_missing_and_a_surplus_page_are_found_and_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / spec.FOLDER
    assert spec.main(["--check"], tmp_path) == 1
    assert spec.main([], tmp_path) == 0
    assert spec.main(["--check"], tmp_path) == 0
    (folder / "margin.md").write_text("old", encoding="utf-8")
    (folder / "fees.md").unlink()
    (folder / "gone.md").write_text("no such module", encoding="utf-8")
    capsys.readouterr()
    assert spec.main(["--check"], tmp_path) == 1
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"{spec.FOLDER}/{name}.md" for name in ("fees", "gone", "margin")
    ]
    assert spec.main([], tmp_path) == 0
    assert spec.main(["--check"], tmp_path) == 0
    assert not (folder / "gone.md").exists()


def test_a_docstring_becomes_text_formula_units_and_example() -> None:
    text = "What.\n\n        a = b\n\n    Units: lots; exact.\n    Source: here.\n\n    >>> 1\n    1\n    "
    assert list(spec.blocks(text)) == [
        "What.",
        "```text\na = b\n```",
        "**Units.** lots; exact.\n\n**Source.** here.",
        "```pycon\n>>> 1\n1\n```",
    ]
