"""tools/tidy.py: the tree keeps the house rules, and each rule is shown to bite."""

from pathlib import Path

import pytest

from tools import tidy

ROOT = Path(__file__).resolve().parents[1]
CORE = "src/bulkhead/rules/planted.py"
LAB = "src/bulkhead/lab/planted.py"
DOC = '"""Planted."""\n'

PLANTED = [
    (LAB, "x = 1\n", "what it is for"),
    (LAB, DOC + "x = 1\n" * 400, "over 400 lines"),
    (LAB, DOC + "def f() -> None:\n" + "    x = 1\n" * 60, "f: over 60 lines"),
    (LAB, DOC + "def f(a, b, c, d, e, f, g): ...\n", "over 6 positional"),
    (LAB, DOC + "class C:\n    def f(self, a, b, c, d, e, f, g): ...\n", "over 6 positional"),
    (LAB, DOC + "from os import *\n", "star imports"),
    (LAB, DOC + "def f(qty): ...\n", "whole words"),
    (LAB, DOC + "fill_px = 1\n", "whole words"),
    (LAB, DOC + "def pay_alice(): ...\n", "whole words"),
    (LAB, DOC + "x = 1  # TO" + "DO later\n", "put off"),
    (CORE, DOC + "x = 7 // 2\n", "names the rounding"),
    (CORE, DOC + "x = 7 % 2\n", "names the rounding"),
    (CORE, DOC + "x = 7 / 2\n", "true division"),
    (CORE, DOC + "x = 7\nx //= 2\n", "names the rounding"),
    (CORE, DOC + "x = divmod(7, 2)\n", "through fixed.py"),
    (CORE, DOC + "x = round(7)\n", "through fixed.py"),
    (CORE, DOC + "x = float(7)\n", "through fixed.py"),
    (CORE, DOC + "x = 0.5\n", "no floats"),
    (CORE, DOC + "x = hash('a')\n", "two processes"),
    (CORE, DOC + "x = 1 << 63\n", "63 bits"),
    (CORE, DOC + "x = 2**64 - 1\n", "64 bits"),
    (CORE, DOC + "x = 7 >> 32\n", "32 bits"),
    ("src/bulkhead/fixed.py", DOC + "x = 7 / 2\n", "true division"),
    ("src/bulkhead/fixed.py", DOC + "x = 0.5\n", "no floats"),
    ("src/bulkhead/codec.py", DOC + "assert True\n", "assert is for our own"),
    ("tests/test_planted.py", DOC + "import pytest\n@pytest.mark.skip\ndef test_x(): ...\n", "it is deleted"),
    ("tests/test_planted.py", DOC + "import pytest\npytest.importorskip('x')\n", "it is deleted"),
]


@pytest.mark.parametrize(("path", "text", "reason"), PLANTED)
def test_each_rule_finds_its_planted_violation(path: str, text: str, reason: str) -> None:
    assert [why for _, why in tidy.complaints(path, text) if reason in why]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/bulkhead/limits.py", DOC + "x = 2**251\n"),
        (CORE, DOC + "x = 1 << 16\n"),
        (LAB, DOC + "x = 1 << 63\n"),
        ("src/bulkhead/fixed.py", DOC + "x = 7 // 2\ny = divmod(7, 2)\n"),
        (LAB, DOC + "x = 7 / 2.5\n"),
        (LAB, DOC + "position = amount = 1\n"),
        (CORE, DOC + "class C:\n    def f(self, a, b, c, d, e, f): ...\n"),
        ("tests/test_planted.py", DOC + "assert 1 / 2 == 0.5\n"),
    ],
)
def test_the_nearest_innocent_passes(path: str, text: str) -> None:
    assert list(tidy.complaints(path, text)) == []


def test_main_names_file_and_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    planted = tmp_path / CORE
    planted.parent.mkdir(parents=True)
    planted.write_text(DOC + "x = 1\ny = 7 // 2\n")
    assert tidy.main(tmp_path) == 1
    assert capsys.readouterr().out.startswith(f"{CORE}:3: ")


def test_the_tree_is_tidy(capsys: pytest.CaptureFixture[str]) -> None:
    assert tidy.main(ROOT) == 0, capsys.readouterr().out
