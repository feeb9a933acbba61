"""A proof cut for several transactions: its head, its parts, the statement's pages, and what a contract checks rather
than finds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from stark.domain import point_at, shift_of
from stark.key import Key
from stark.prime import PRIME, inverse, root_of_unity
from stark.proof import Reader, Rejection
from stark.verifier import Commitments, check_part, draw_positions, read_commitments


class Part(NamedTuple):
    """The answers to some of the queries, and the inverse of all their distances from the points outside the domain."""

    hint: int
    data: bytes


class Split(NamedTuple):
    """What `Opening.open`, `Queries.check` and `Pages.check` are given; `said` is the statement as its key says it.

    Hints add nothing to a proof: they follow from its bytes and the statement.
    """

    said: list[int]
    hints: list[int]
    head: bytes
    parts: list[Part]
    pages: list[bytes]
    parts_max: int  # of the key: the verifier counts pages above them
    pages_max: int


def split(key: Key, public: Sequence[int], proof: bytes) -> Split:
    """Cut a proof; raises ValueError, with the verifier's reason, for one that does not hold."""
    reader = Reader(proof)
    try:
        transcript = key.transcript(public)
        committed = read_commitments(key, public, transcript, reader)
        head = proof[: reader.offset]
        parts = []
        for positions in draw_positions(key, transcript):
            start = reader.offset
            check_part(key, committed, positions, reader)
            parts.append(Part(_part_hint(key, committed, positions), proof[start : reader.offset]))
        reader.finish()
    except Rejection as rejection:
        raise ValueError(f"not a proof of this statement: {rejection}") from None
    listing = key.system.listing
    pages = [] if listing is None else listing.pack(key.system.listed(public))
    limits = key.parameters.parts, key.system.pages
    return Split(key.said(public), head_hints(key, public, committed), head, parts, pages, *limits)


def head_hints(key: Key, public: Sequence[int], committed: Commitments) -> list[int]:
    """Inverses of what the selectors of each level's first and last row divide by, then what each page sums to."""
    hints = []
    for opened in committed.levels:
        place = opened.place
        last_row = inverse(root_of_unity(place.log_height))
        hints += [inverse((place.point - row) << place.log_height) for row in (1, last_row)]
    listing = key.system.listing
    if listing is None:
        return hints
    sums = key.system.listed_sums(public, committed.challenges)
    return [*hints, *sums, *[0] * (listing.pages - len(sums))]


def _part_hint(key: Key, committed: Commitments, positions: list[int]) -> int:
    product = 1
    for opened in committed.levels:
        lower = key.log_tallest - opened.level.log_height
        shift = shift_of(opened.level.log_height, key.log_tallest)
        for position in {each >> lower for each in positions}:
            point = point_at(position, shift)
            product = product * (point - opened.place.point) * (point - opened.place.after) % PRIME
    return inverse(product)
