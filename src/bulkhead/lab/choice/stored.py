"""A comparison back from JSON, as the cache keeps it."""

from __future__ import annotations

from typing import Any

from bulkhead.lab.choice.estimates import Estimate
from bulkhead.lab.choice.result import Broken, Comparison, Compartment, HeldOut, Mode, Ranked, Split
from bulkhead.lab.finding import Finding

ESTIMATES = {
    "liquidated", "wiped", "call_66", "call_80", "capital", "any_liquidated", "all_wiped", "shortfall", "loss", "cost",
    "slippage", "slippage_if", "debt", "usual", "advantage",
}  # fmt: skip


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """Lists as the tuples and estimates they were."""
    return {
        name: Estimate(*value) if name in ESTIMATES and isinstance(value, list) else
        tuple(value) if isinstance(value, list) else value
        for name, value in values.items()
    }  # fmt: skip


def _ranked(values: dict[str, Any]) -> Ranked:
    return Ranked(**values)  # plain numbers under the names of estimates


def _mode(values: dict[str, Any]) -> Mode:
    parts = tuple(Compartment(**_typed(one)) for one in values["compartments"])
    return Mode(**(_typed(values) | {"compartments": parts}))


def _finding(values: dict[str, Any]) -> Finding:
    kept = {name: value for name, value in values.items() if name != "command"}
    return Finding(**(kept | {"symbols": tuple(kept["symbols"])}))


def from_json(kept: dict[str, Any]) -> Comparison:
    """What `Comparison.as_json` wrote."""
    held_out = kept["held_out"]
    return Comparison(
        **(
            _typed(kept)
            | {
                "positions": tuple((one[0], one[1], one[2]) for one in kept["positions"]),
                "modes": tuple(_mode(one) for one in kept["modes"]),
                "ranked": tuple(_ranked(one) for one in kept["ranked"]),
                "broken": tuple(Broken(**_typed(one)) for one in kept["broken"]),
                "splits": tuple(Split(**_typed(one)) for one in kept["splits"]),
                "held_out": None if held_out is None else HeldOut(**held_out),
                "findings": tuple(_finding(one) for one in kept["findings"]),
            }
        )
    )
