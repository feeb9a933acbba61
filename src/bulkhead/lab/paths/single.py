"""One path of a world by its number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bulkhead.lab.paths.cube import CHUNK, Paths, World


def path_of(world: World, number: int, steps: int) -> Paths:
    """Path `number` alone. The ones before it are drawn and dropped, which takes seconds for the ten-thousandth."""
    for chunk in world.chunks(number + 1, steps, CHUNK):
        if chunk.first + len(chunk) > number:
            place = slice(number - chunk.first, number - chunk.first + 1)
            changes: dict[str, Any] = {
                name: None if values is None else values[place]
                for name in ("ratio", "low", "high", "funding")
                for values in [getattr(chunk, name)]
            }
            return replace(chunk, first=number, **changes)
    raise AssertionError(f"{world.name} gave fewer than {number + 1} paths")
