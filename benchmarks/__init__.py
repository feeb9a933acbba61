"""Measurements: every module with a `run()` gives rows of figures, each beside its reference of the same run."""

from __future__ import annotations

import importlib
import inspect

Row = dict[str, str | float]
"""figure, value, unit, reference, ratio."""


def measure(module: str, full: bool) -> list[Row]:
    """The rows of one module; `full` reaches those that know a longer run."""
    run = importlib.import_module(f"benchmarks.{module}").run
    knows_full = "full" in inspect.signature(run).parameters
    return list(run(full=full) if knows_full else run())
