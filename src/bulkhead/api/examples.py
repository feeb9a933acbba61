"""Examples for the documentation: what to send and what comes back. They lie in `examples.json`, by method and path.

`body` and `answer` are JSON as they go over the wire, long numbers cut with an ellipsis; `refusal` stands for a call
that is not offered, or not by a venue like the example's. Tests send each body to a node, and hold the fields of each
answer to what a node says.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any, NamedTuple

import msgspec


class Example(NamedTuple):
    """One call."""

    body: Any = None
    answer: Any = None  # `data` of the envelope
    pagination: dict[str, int] | None = None
    refusal: dict[str, Any] | None = None  # `error` of the envelope

    def envelope(self) -> dict[str, Any]:
        """What comes back when it is done."""
        found = {"status": "OK", "data": self.answer}
        return found if self.pagination is None else {**found, "pagination": self.pagination}


def _read() -> dict[tuple[str, str], Example]:
    text = files("bulkhead.api").joinpath("examples.json").read_bytes()
    found: dict[tuple[str, str], Example] = {}
    for call, parts in msgspec.json.decode(text).items():
        method, path = call.split(" ")
        found[method, path] = Example(**parts)
    return found


EXAMPLES = _read()
