"""A small system whose statement lists: a table of words, of which some are told, and the last one's value."""

from __future__ import annotations

import random
from typing import NamedTuple

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.listing import Listing
from stark.air.system import Public, System
from stark.field import Felts
from stark.prime import PRIME
from tests.stark.toy import columns

TOLD = Bus("told", ("key", "value"))
LAST = Bus("last", ("value",))
LOG_ROWS = 6
LOG_HEIGHTS = [LOG_ROWS, 4]


class Words(Chip):
    """Words, each told or not."""

    name = "words"
    columns = ("key", "value", "is_told")
    fixed = ("is_last",)

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        return [[0] * ((1 << log_height) - 1) + [1]]

    def constrain(self, row: Row, must: Must) -> None:
        must.zero("told or not", row.is_told * (row.is_told - 1))
        must.send(TOLD, [row.key, row.value], row.is_told)
        must.send(LAST, [row.value], row.is_last)


class Count(Chip):
    """A shorter table beside it, that counts."""

    name = "count"
    columns = ("value",)

    def constrain(self, row: Row, must: Must) -> None:
        must.first("starts at zero", row.value)
        must.transition("counts up", row.next.value - row.value - 1)


def environment(public: Public, must: Must) -> None:
    must.receive(LAST, [public.last])


LISTING = Listing(TOLD, times=-1, room=40, page_bytes=240)
SYSTEM = System("listed", [Words(), Count()], ["last"], environment, listing=LISTING)


class Case(NamedTuple):
    """A statement with its table."""

    public: list[int]
    traces: list[Felts]


def listed(count: int, seed: int = 1) -> Case:
    """A table of which so many words are told; their statement."""
    draw = random.Random(seed)
    sizes = (1, 8, 60, 128, 250)
    entries = {draw.randrange(1, 1 << 100): draw.randrange(1 << draw.choice(sizes)) for _ in range(count)}
    told = [(key, entries[key]) for key in sorted(entries)]
    rest = [(draw.randrange(PRIME), draw.randrange(PRIME)) for _ in range((1 << LOG_ROWS) - count)]
    rows = [(*each, 1) for each in told] + [(*each, 0) for each in rest]
    table = columns([list(column) for column in zip(*rows, strict=True)])
    return Case([rows[-1][1], *(value for entry in told for value in entry)], [table, columns([list(range(16))])])
