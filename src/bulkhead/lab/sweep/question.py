"""What a question is: its parameters, the points at which it is asked, what is measured there, and the page."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from bulkhead.lab.finding import Finding
from bulkhead.lab.pages import Page

Point = Mapping[str, Any]
"""JSON values by parameter: where in the sweep."""
Result = Mapping[str, Any]
"""JSON values by measure. "findings", where there are any, is a list of what `Finding` takes: see `findings_of`."""


class QuestionError(ValueError):
    """A question that cannot be asked so; the message says what is missing and how to get it."""


class Parameter(NamedTuple):
    """One thing that is varied, or held: what it means, its unit, its values, and what this venue has by default."""

    name: str
    meaning: str
    unit: str
    values: tuple[Any, ...]
    default: Any


@dataclass(frozen=True, slots=True)
class Settings:
    """What whoever asks may choose. `world` as `bulkhead lab worlds` writes them; None is the question's own."""

    paths: int = 1_000
    seed: int = 1
    world: str | None = None
    data_dir: Path | None = None

    def __post_init__(self) -> None:
        if self.paths < 1:
            raise QuestionError(f"paths: {self.paths} is not at least 1")
        if self.seed < 0:
            raise QuestionError(f"seed: {self.seed} is negative")


class Question(Protocol):
    """Everything about one question. Points must be JSON, for they travel to other machines and name cache entries."""

    name: str
    title: str
    words: str
    parameters: tuple[Parameter, ...]
    worlds: bool  # whether it reads settings.world and settings.paths

    def files(self, settings: Settings) -> Sequence[Path]:
        """Data files that decide the result; raises QuestionError where one is missing."""

    def points(self, settings: Settings) -> Sequence[Point]:
        """Where it is asked, in order."""

    def measure(self, settings: Settings, point: Point) -> Result:
        """One point's measures: the same whenever and wherever it is computed."""

    def page(self, settings: Settings, measured: Sequence[tuple[Point, Result]]) -> Page:
        """The answer."""


def findings_of(result: Result) -> list[Finding]:
    """What went wrong at a point, as it was before it went through the cache."""
    return [Finding(**(one | {"symbols": tuple(one["symbols"])})) for one in result.get("findings", ())]


def data_file(settings: Settings, name: str) -> Path:
    """A file of the user's folder; raises QuestionError where there is no folder, or no such file in it."""
    if settings.data_dir is None:
        raise QuestionError(f"{name}: needs a folder of recorded data; name one with --data or BULKHEAD_DATA")
    path = settings.data_dir / name
    if not path.is_file():
        raise QuestionError(f"{path}: no such file; the recorded data of this question are not in this folder")
    return path


def command_of(question: Question, settings: Settings, html: str = "FILE") -> str:
    """What to type to have the page again."""
    words = ["bulkhead", "lab", "sweep", question.name, "--seed", str(settings.seed)]
    if question.worlds:
        words += ["--paths", str(settings.paths)] + (["--world", settings.world] if settings.world else [])
    if settings.data_dir is not None:
        words += ["--data", "DIR"]  # where it lies differs from machine to machine; its digest is in the page
    return shlex.join([*words, "--html", html])
