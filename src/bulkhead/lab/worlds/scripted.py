"""A world with scripts on top: the same paths, with what the scripts change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bulkhead.lab.paths.cube import CHUNK, Paths, World
from bulkhead.lab.worlds.scripts import Script


@dataclass(frozen=True, slots=True, eq=False)
class ScriptedWorld:
    """`scripts` in turn over every chunk of `world`."""

    world: World
    scripts: tuple[Script, ...]
    name: str

    @property
    def symbols(self) -> tuple[str, ...]:
        """The world's markets."""
        return self.world.symbols

    @property
    def step_ms(self) -> int:
        """The world's step."""
        return self.world.step_ms

    @property
    def seed(self) -> int:
        """The world's seed."""
        return self.world.seed

    @property
    def source(self) -> str:
        """The world's, with the scripts named: what follows is not what was recorded."""
        return f"{self.world.source}; scripted: {', '.join(script.name for script in self.scripts)}"

    def chunks(self, paths: int, steps: int, size: int = CHUNK) -> Iterator[Paths]:
        """The world's paths, changed."""
        for chunk in self.world.chunks(paths, steps, size):
            for script in self.scripts:
                chunk = script.apply(chunk)
            yield replace(chunk, source=self.source)
