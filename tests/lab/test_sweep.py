"""Sweeps: kept by content, resumed where they were stopped, refused by name; and the cache that keeps them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bulkhead.cli.lab import app
from bulkhead.lab import cache as keeping
from bulkhead.lab.cache import Cache, key_of
from bulkhead.lab.pages import Page, Section, Source
from bulkhead.lab.questions import QUESTIONS, question_of
from bulkhead.lab.sweep import Parameter, Point, QuestionError, Result, Settings, answer


class Squares:
    """A question that counts how often it is asked, and may fail at a point."""

    name, title, words, worlds = "squares", "Squares", "What is the square?", False
    parameters: tuple[Parameter, ...] = (Parameter("side", "of the square", "m", (1, 2, 3), 2),)

    def __init__(self, fails_at: int = 0) -> None:
        self.asked: list[int] = []
        self.fails_at = fails_at

    def files(self, settings: Settings) -> Sequence[Path]:
        return [] if settings.data_dir is None else [settings.data_dir / "side.txt"]

    def points(self, settings: Settings) -> Sequence[Point]:
        return [{"side": side} for side in (1, 2, 3)]

    def measure(self, settings: Settings, point: Point) -> Result:
        if point["side"] == self.fails_at:
            raise RuntimeError("stopped")
        self.asked.append(point["side"])
        return {"area": point["side"] ** 2 + settings.seed}

    def page(self, settings: Settings, measured: Sequence[tuple[Point, Result]]) -> Page:
        areas = " ".join(str(result["area"]) for _, result in measured)
        return Page("t", "q", (areas,), "c", settings.seed, (Source("s", "MIT"),), "v", (Section("x"),))


def test_what_is_known_is_not_asked_again(tmp_path: Path) -> None:
    question, told = Squares(), []
    page, _ = answer(question, Settings(seed=1), Cache(tmp_path), progress=lambda *numbers: told.append(numbers))
    assert page.answer == ("2 5 10",)
    assert told == [(0, 3, 0), (1, 3, 0), (2, 3, 0), (3, 3, 0)]
    again, _ = answer(question, Settings(seed=1), Cache(tmp_path))
    assert (again.answer, question.asked) == (page.answer, [1, 2, 3])
    answer(question, Settings(seed=2), Cache(tmp_path))  # another seed is another question
    assert len(question.asked) == 6


def test_a_sweep_that_was_stopped_goes_on(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stopped"):
        answer(Squares(fails_at=3), Settings(), Cache(tmp_path))
    question = Squares()
    answer(question, Settings(), Cache(tmp_path))
    assert question.asked == [3]


def test_other_data_or_other_code_is_another_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    question = Squares()
    for content in ("one", "two"):
        (tmp_path / content).mkdir()
        (tmp_path / content / "side.txt").write_text(content)
        answer(question, Settings(data_dir=tmp_path / content), Cache(tmp_path / "kept"))
    assert len(question.asked) == 6
    before = key_of(a=1)
    monkeypatch.setattr(keeping, "code_digest", lambda: "other")
    assert key_of(a=1) != before


def test_the_digest_of_code_has_shipped_numbers_in_it_and_pages_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in (("lab/a.py", "1"), ("lab/paths/shipped/b.json", "2"), ("lab/pages/c.py", "3")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(keeping, "PACKAGE", tmp_path)
    monkeypatch.setattr(keeping, "DECIDES", ("lab",))
    digest = keeping.code_digest.__wrapped__
    before = digest()
    (tmp_path / "lab/pages/c.py").write_text("shown otherwise")
    (tmp_path / "lab/__pycache__").mkdir()
    (tmp_path / "lab/__pycache__/a.pyc").write_text("x")
    assert digest() == before
    (tmp_path / "lab/paths/shipped/b.json").write_text("another fit")
    assert digest() != before


def test_a_damaged_entry_is_computed_again_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = Cache(tmp_path)
    kept.put("ab" * 32, {"area": 4})
    [path] = tmp_path.rglob("*.json")
    path.write_text(path.read_text().replace("4", "5"))
    assert kept.get("ab" * 32) is None
    assert "cut off or changed" in capsys.readouterr().err
    assert kept.remember("ab" * 32, lambda: {"area": 4}) == {"area": 4}
    assert kept.get("ab" * 32) == {"area": 4}


def test_a_result_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        Cache(tmp_path).put("ab" * 32, float("nan"))


def test_what_cannot_be_asked_is_refused_by_name() -> None:
    with pytest.raises(QuestionError, match="no question 'colour'; there are .*deleveraging"):
        question_of("colour")
    with pytest.raises(QuestionError, match="paths: 0 is not at least 1"):
        Settings(paths=0)
    with pytest.raises(QuestionError, match="seed: -1 is negative"):
        Settings(seed=-1)


def test_the_command_lists_answers_and_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKHEAD_CACHE", str(tmp_path / "kept"))
    monkeypatch.delenv("BULKHEAD_DATA", raising=False)
    shell = CliRunner()
    assert "withdrawal" in shell.invoke(app, ["sweep", "--list"]).stdout
    made = shell.invoke(app, ["sweep", "gas", "--json", "--html", str(tmp_path / "gas.html")])
    assert made.exit_code == 0
    assert json.loads(made.stdout)["title"] == QUESTIONS["gas"].title
    assert "gwei" in (tmp_path / "gas.html").read_text(encoding="utf-8")
    assert list((tmp_path / "kept").rglob("*.json"))
    for wrong, words in (
        (["sweep", "colour"], "no question 'colour'"),
        (["sweep", "fund", "--world", "moon", "--paths", "2"], "no world 'moon'"),
        (["sweep", "gas", "--data", str(tmp_path)], "no such file"),
    ):
        refused = shell.invoke(app, wrong)
        assert refused.exit_code == 1
        assert words in refused.stderr


if find_spec("ray"):

    def test_points_on_a_cluster_are_those_of_this_machine() -> None:
        settings = Settings(seed=4)
        _, here = answer(Squares(), settings)
        _, there = answer(Squares(), settings, cluster="local")
        assert here == there

    def test_an_address_where_nobody_is_is_named() -> None:
        with pytest.raises(QuestionError, match="no Ray cluster .*127.0.0.1:1"):
            answer(Squares(), Settings(), cluster="127.0.0.1:1")

else:

    def test_a_cluster_without_ray_says_what_to_install() -> None:
        with pytest.raises(QuestionError, match="pip install 'bulkhead.cluster.'"):
            answer(Squares(), Settings(), cluster="local")


@pytest.mark.parametrize("name", sorted(QUESTIONS))
def test_every_question_says_what_it_varies(name: str) -> None:
    question: Any = QUESTIONS[name]
    assert question.name == name
    assert question.words.endswith("?")
    assert all(parameter.meaning and parameter.values for parameter in question.parameters)
