"""Statements for the contracts, made from named values, in the circuit's own layout with lists of other lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bulkhead.circuit.batch import LISTS, SMALL, Shape, names_of
from bulkhead.circuit.layout import statement_module
from bulkhead.circuit.packing import pack

__all__ = ["LISTS", "PROOFS", "Layout"]

# Of the module `shape`, what a reader knows of the proofs of its verifier.
PROOFS = """# pragma version 0.4.3
CLAIM: constant(uint256) = 3
PAGE_BYTES: constant(uint256) = 300
"""


class Layout(NamedTuple):
    """How long a statement's lists are. Short ones say all that long ones do, and compile and run at once."""

    queue: int = 3
    forced: int = 3
    changes: int = 4

    @property
    def shape(self) -> Shape:
        """A shape with these lists."""
        return SMALL._replace(**self._asdict())

    @property
    def names(self) -> list[str]:
        """The elements in order."""
        return names_of(self.shape)

    @property
    def module(self) -> str:
        """The generated module `statement`."""
        return statement_module(self.shape)

    def packed(self, elements: Sequence[int]) -> bytes:
        """A statement's elements as the reader takes them."""
        return pack(elements, self.shape)

    def digests(self, changed: Sequence[tuple[int, int]]) -> list[int]:
        """Of the pages of changed words."""
        return self.shape.listing.digests([value for word in changed for value in word])

    def elements(self, values: Mapping[str, int]) -> list[int]:
        """A statement: what is not named is zero."""
        names = self.names
        unknown = set(values) - set(names)
        assert not unknown, unknown
        return [values.get(name, 0) for name in names]
