"""A finding: something that went wrong in a world, with the command that makes it go wrong again."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path


def folder_named(data_dir: Path | str | None) -> str:
    """A folder of price sets as a command names it; empty where none was."""
    return "" if data_dir is None else str(data_dir)


@dataclass(frozen=True, slots=True)
class Finding:
    """One failure on one path. The path follows from world, seed and number alone: `World.chunks` from `path` on."""

    world: str  # as the command line names it
    seed: int
    path: int  # its number in the world
    step: int  # at which it shows, from 0
    what: str  # in words: who, what, how much
    portfolio: str | None = None  # the file it was found with
    steps: int = 0  # of the whole path, where the world's paths depend on their length (recorded windows)
    symbols: tuple[str, ...] = ()  # markets, in the order in which they were drawn; empty: all of the world's
    step_ms: int = 0  # 0: the world's own
    strategies: str = ""  # the partition it was found with, where the portfolio's file says another: BTC+ETH|XRP
    data: str = ""  # the folder of price sets, where one was named

    @property
    def command(self) -> str:
        """What to type to see it again."""
        words = ["bulkhead", "lab", "replay", str(self.seed), "--world", self.world, "--path", str(self.path)]
        words += ["--step", str(self.step)] + (["--portfolio", self.portfolio] if self.portfolio else [])
        words += ["--steps", str(self.steps)] if self.steps else []
        words += ["--symbols", ",".join(self.symbols)] if self.symbols else []
        words += ["--step-ms", str(self.step_ms)] if self.step_ms else []
        words += ["--strategies", self.strategies] if self.strategies else []
        words += ["--data", self.data] if self.data else []
        return shlex.join(words)

    def __str__(self) -> str:
        return f"{self.what}\n    {self.command}"
