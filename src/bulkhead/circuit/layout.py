"""The statement's elements by place, for the contract that reads it: text of a Vyper module."""

from __future__ import annotations

from bulkhead.circuit.batch import LISTS, Shape, names_of
from bulkhead.circuit.packing import HEAD, packed_bytes_max


def statement_module(shape: Shape) -> str:
    """The module `statement`: constants that say where each element stands and how long the lists and bytes are."""
    names = names_of(shape)
    pages = shape.listing.pages
    numbers = {"LENGTH": len(names) + pages, "HEAD": HEAD, "PACKED_BYTES": packed_bytes_max(shape)}
    numbers |= {"ELEMENTS": len(names), "PAGES": pages, "QUEUE": shape.queue, "FORCED_QUEUE": shape.forced}
    numbers |= {names[place].upper(): place for place in range(HEAD)}
    numbers |= {f"{name}_START".upper(): names.index(f"{name}_{fields[0]}_0") for name, fields in LISTS.items()}
    lines = ["# pragma version 0.4.3", f'"""\n@title The statement of a batch of shape {shape.number} (generated)\n"""']
    return "\n".join([*lines, *(f"{name}: constant(uint256) = {value}" for name, value in numbers.items())]) + "\n"
