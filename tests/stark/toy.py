"""A small system with everything in it: tables of two heights, buses, a group, a periodic and a fixed column."""

from __future__ import annotations

import random
from collections import Counter
from typing import NamedTuple

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.system import Public, System
from stark.field import Felts, from_ints
from stark.prime import PRIME

VALUES = Bus("values", ("value",))
RESULT = Bus("result", ("left", "right"))


class Range(Chip):
    """Counts from 0 to its height and lends each number as often as it is asked for."""

    name = "range"
    columns = ("value", "count")

    def constrain(self, row: Row, must: Must) -> None:
        must.first("starts at zero", row.value)
        must.transition("counts up", row.next.value - row.value - 1)
        must.receive(VALUES, [row.value], row.count)


class Fibonacci(Chip):
    """The sequence, with two numbers in range beside each step, the first of them 7 on every fourth row."""

    name = "fibonacci"
    columns = ("left", "right", ("limb", 2))
    fixed = ("is_last",)
    periodic = {"is_marked": (1, 0, 0, 0)}

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        return [[0] * ((1 << log_height) - 1) + [1]]

    def constrain(self, row: Row, must: Must) -> None:
        must.first("left starts at one", row.left - 1)
        must.first("right starts at one", row.right - 1)
        must.transition("left takes the right", row.next.left - row.right)
        must.transition("right takes the sum", row.next.right - row.right - row.left)
        must.zero("a marked limb is seven", row.is_marked * (row["limb"][0] - 7))
        for limb in row["limb"]:
            must.send(VALUES, [limb])
        must.send(RESULT, [row.left, row.right], row.is_last)


def environment(public: Public, must: Must) -> None:
    must.receive(RESULT, [public.left, public.right])


SYSTEM = System("toy", [Range(), Fibonacci()], ["left", "right"], environment)


class Case(NamedTuple):
    """A statement with its tables."""

    public: list[int]
    traces: list[Felts]
    log_heights: list[int]


def case(log_range: int, log_steps: int, seed: int = 1) -> Case:
    """Honest tables of given heights."""
    rows = 1 << log_steps
    draw = random.Random(seed)
    left, right = [1], [1]
    for _ in range(rows - 1):
        left.append(right[-1])
        right.append((left[-2] + right[-1]) % PRIME)
    first = [7 if row % 4 == 0 else draw.randrange(1 << log_range) for row in range(rows)]
    second = [draw.randrange(1 << log_range) for _ in range(rows)]
    numbers = list(range(1 << log_range))
    asked = Counter(first + second)
    counts = [asked[number] for number in numbers]
    traces = [columns([numbers, counts]), columns([left, right, first, second])]
    return Case([left[-1], right[-1]], traces, [log_range, log_steps])


def columns(values: list[list[int]]) -> Felts:
    """Lists of integers as columns."""
    return from_ints([value for column in values for value in column]).reshape(len(values), -1, 4)
