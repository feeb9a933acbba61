"""What chips declare, by each of its readers: every rule and every message comes out as it was written down.

The twin here walks the expressions as `constrain` made them. Beside it stand the program that a verifier evaluates at a
point, the tape that a prover runs over rows, the row checker, and the steps that contracts read.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from stark.air.check import Broken, Unbalanced, check
from stark.air.chip import Chip, Message, Must, Row
from stark.air.expr import FIRST, LAST, TRANSITION, Expr, Leaf, Operation, Source
from stark.air.system import System, Table
from stark.air.tape import BLOCK, make_tape, run_tape
from stark.chips.ecdsa import Ecdsa
from stark.chips.memory import Access, Memory, Touched
from stark.chips.merkle_update import MerkleUpdate
from stark.chips.poseidon import Poseidon
from stark.chips.ranges import NUMBER, Numbers, Range
from stark.domain import Place
from stark.emit import emit
from stark.field import Felts, from_ints, to_ints
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import Parameters
from stark.prime import PRIME, inverse
from stark.steps import STEP_BYTES, Do, Head, Steps
from stark.verifier import Opened, _cells_by_table
from tests.stark import toy

PARAMETERS = Parameters(log_blowup=3, queries=4, grinding_bits=0, log_final=1)
CASH = Memory("cash", ("amount", "lock"), bits=4)


def asking(chips: list[Chip]) -> System:
    """Chips as one system, with a statement, as contracts want one."""
    return System("ready", chips, ["number"], lambda public, must: must.send(NUMBER, [public.number]))


SYSTEMS = {
    "toy": (toy.SYSTEM, (4, 6)),
    "memory": (asking([Access(CASH), Touched(CASH), Range(4), Numbers()]), (4, 3, 4, 5)),
    "signatures": (asking([Ecdsa(), Numbers()]), (7, 3)),
    "hashes": (asking([Poseidon(), MerkleUpdate(), Numbers()]), (5, 3, 3)),
}
every_system = pytest.mark.parametrize("name", SYSTEMS)


# --- the twin ---------------------------------------------------------------------------------------------------------


def declared(table: Table) -> Must:
    """What the chip says, asked once more."""
    must = Must()
    table.chip.constrain(Row(table.chip), must)
    return must


def worth(expression: Expr, value: Callable[[Leaf], int]) -> int:
    """An expression by its definition, common parts once."""
    known: dict[int, int] = {}

    def walk(each: Expr) -> int:
        if id(each) not in known:
            if each.leaf is not None:
                constant = each.leaf.source == Source.CONSTANT
                known[id(each)] = each.leaf.index if constant else value(each.leaf)
            else:
                assert each.left is not None and each.right is not None
                left, right = walk(each.left), walk(each.right)
                done = {Operation.ADD: left + right, Operation.SUBTRACT: left - right, Operation.MULTIPLY: left * right}
                known[id(each)] = done[each.operation] % PRIME
        return known[id(each)]

    return walk(expression)


def fraction(system: System, message: Message, value: Callable[[Leaf], int]) -> tuple[int, int]:
    """A message's numerator and denominator: x - bus - y v1 - y^2 v2 - ..."""
    numbers = [worth(each, value) for each in message.values]
    sides = [
        system.buses[message.bus],
        *(value(Leaf(Source.CHALLENGE, place)) * number for place, number in enumerate(numbers, 1)),
    ]
    return worth(message.times, value), (value(Leaf(Source.CHALLENGE, 0)) - sum(sides)) % PRIME


def rules(system: System, table: Table, value: Callable[[Leaf], int]) -> list[int]:
    """The value of every rule at these leaves: the chip's own, and those of its messages' columns.

    A column of sums s over fractions t / d obeys s * d1 * d2 ... = t1 * d2 ... + t2 * d1 ... and so on.
    """
    must = declared(table)
    found = [worth(rule, value) for _, rule in must.constraints]
    if not must.messages:
        return found
    fractions = [fraction(system, message, value) for message in must.messages]
    columns = [value(Leaf(Source.BUS, column)) for column in range(table.bus_width)]
    after = value(Leaf(Source.BUS, table.bus_width - 1, True))
    total = value(Leaf(Source.SELECTOR, LAST)) * value(Leaf(Source.TOTAL, 0))
    sums = [*columns[:-1], after + total - columns[-1] - sum(columns[:-1])]
    members = iter(fractions)
    for row_sum, group in zip(sums, table.grouping.groups, strict=True):
        own = [next(members) for _ in group]
        product = 1
        for _, divisor in own:
            product = product * divisor % PRIME
        fractions_sum = sum(times * inverse(divisor) for times, divisor in own)
        found.append((row_sum - fractions_sum) * product % PRIME)
    assert next(members, None) is None, "a message is in no column"
    return [*found, value(Leaf(Source.SELECTOR, FIRST)) * columns[-1] % PRIME]


@cache
def drawn(leaf: Leaf) -> int:
    """A random value for each leaf."""
    return random.Random(repr(leaf)).randrange(PRIME)


# --- the readers ------------------------------------------------------------------------------------------------------


@every_system
def test_the_point_reader(name: str) -> None:
    system = SYSTEMS[name][0]
    for table in system.tables:
        assert table.program.run(drawn) == rules(system, table, drawn)
        pairs = [fraction(system, message, drawn) for message in declared(table).messages]
        assert table.fractions.run(drawn) == [each for pair in pairs for each in pair]
        names = [name for name, _ in declared(table).constraints]
        assert list(table.constraint_names[: len(names)]) == names
        assert len(table.constraint_names) == len(table.program.outputs)
    outside = [fraction(system, message, drawn) for message in system.outside_messages]
    assert system.outside.run(drawn) == [each for pair in outside for each in pair]


class Inputs(NamedTuple):
    """Random columns of each source for some rows, and the leaves they stand for."""

    columns: tuple[Felts, Felts, Felts, Felts, Felts]
    rows: int

    def value(self, row: int) -> Callable[[Leaf], int]:
        """Leaves on a row; periodic columns may be shorter than the table."""

        def cell(leaf: Leaf) -> int:
            if not leaf.varies:
                return drawn(leaf)
            column = self.columns[leaf.source][leaf.index, 0]
            place = (row + leaf.is_next) % self.rows % len(column)
            return to_ints(column[place : place + 1])[0]

        return cell


def inputs(table: Table, rows: int) -> Inputs:
    """Random cells, as a tape takes them."""
    draw = random.Random(5)
    longest = min(rows, max((len(values) for values in table.periods), default=1))

    def random_columns(width: int, count: int) -> Felts:
        return from_ints([draw.randrange(PRIME) for _ in range(width * count)]).reshape(width, 1, count, 4)

    widths = [(table.fixed_width, rows), (table.trace_width, rows), (table.bus_width, rows)]
    fixed, trace, bus, periodic, selectors = (
        random_columns(*size) for size in (*widths, (len(table.periods), longest), (3, rows))
    )
    return Inputs((fixed, trace, bus, periodic, selectors), rows)


@every_system
def test_the_tape_over_rows(name: str) -> None:
    """Outputs kept, and folded with a weight each."""
    system = SYSTEMS[name][0]
    for table in system.tables:
        given, count = inputs(table, 16), len(table.program.outputs)
        expected = [rules(system, table, given.value(row)) for row in range(given.rows)]
        weights = [3 + place * place for place in range(count)]
        for keep in (True, False):
            tape = make_tape(table.program, keep)
            result = np.zeros((count, given.rows, 4), np.uint64)
            registers = np.empty((tape.registers, BLOCK, 4), np.uint64)
            scalars = tape.scalars(drawn, [] if keep else weights)
            run_tape(tape.operations, scalars, given.columns, 0, 0, given.rows, registers, result)
            for row in range(given.rows):
                if keep:
                    assert to_ints(result[:, row].copy()) == expected[row], (table.chip.name, row)
                else:
                    folded = sum(weight * each for weight, each in zip(weights, expected[row], strict=True))
                    assert to_ints(result[0, row : row + 1])[0] == folded % PRIME, (table.chip.name, row)


@every_system
def test_the_row_checker(name: str) -> None:
    """On random tables nearly every rule is broken and no message finds a partner: it says exactly which."""
    system, log_heights = SYSTEMS[name]
    traces, broken, surplus = [], set(), Counter[tuple[str, tuple[int, ...]]]()
    public = [drawn(Leaf(Source.PUBLIC, place)) for place in range(len(system.public))]
    for table, log_height in zip(system.tables, log_heights, strict=True):
        given = inputs(table, 1 << log_height)
        traces.append(given.columns[Source.TRACE][:, 0].copy())
        own = table.chip.fixed_columns(log_height)
        for row in range(given.rows):

            def value(leaf: Leaf, row: int = row, given: Inputs = given, own: list[list[int]] = own) -> int:
                if leaf.source == Source.SELECTOR:
                    last = given.rows - 1
                    return int({FIRST: row == 0, LAST: row == last, TRANSITION: row != last}[leaf.index])
                if leaf.source == Source.PERIODIC:
                    values = table.periods[leaf.index]  # noqa: B023
                    return values[row % len(values)]
                if leaf.source == Source.FIXED:
                    return own[leaf.index][(row + leaf.is_next) % given.rows]
                return given.value(row)(leaf)

            must = declared(table)
            broken |= {(table.chip.name, row, name) for name, rule in must.constraints if worth(rule, value)}
            for message in must.messages:
                surplus[message.bus.name, tuple(worth(each, value) for each in message.values)] += worth(
                    message.times, value
                )
    for message in system.outside_messages:
        surplus[message.bus.name, tuple(worth(each, drawn) for each in message.values)] += worth(message.times, drawn)
    found = list(check(system, public, traces))
    assert {tuple(each) for each in found if isinstance(each, Broken)} == broken
    assert len({rule for _, _, rule in broken}) > 5
    left = {(each.bus, each.values): each.surplus % PRIME for each in found if isinstance(each, Unbalanced)}
    assert left == {message: times % PRIME for message, times in surplus.items() if times % PRIME}


# --- the text for a contract ------------------------------------------------------------------------------------------


class Contract:
    """What the contracts do with the steps of a tape: given values by slot, then what each step makes."""

    def __init__(self, key: Key):
        emitted, self.slots = emit(key), Steps(key).slots
        data = b"".join(tape[:-32] for tape in emitted.tapes)
        self.steps = [data[start : start + STEP_BYTES] for start in range(0, len(data), STEP_BYTES)]
        words = emitted.constants
        self.constants = [int.from_bytes(words[at : at + 32], "big") for at in range(0, len(words), 32)]
        self.head = [drawn(Leaf(Source.TRACE, 1000 + word)) for word in range(Head.of(key).words)]
        point = drawn(Leaf(Source.TRACE, 999))
        self.places = [Place.of(point, level.log_height, key.log_tallest) for level in key.levels]

    def given(self) -> list[int]:
        """Elements, head, challenges, selectors, constants."""
        slots = self.slots
        found = [drawn(Leaf(Source.PUBLIC, element)) for element in range(slots.head)]
        found += self.head
        found += [drawn(Leaf(Source.CHALLENGE, power)) for power in range(slots.selectors - slots.challenges)]
        found += [place.selector(which) for place in self.places for which in range(3)]
        return found + self.constants[: slots.steps - slots.constants]

    def run(self) -> tuple[list[int], list[tuple[int, int]]]:
        """The values that are folded, and the fractions of the balance, each in order."""
        results = self.given()
        assert len(results) == self.slots.steps
        folded, balance = [], []
        for step in self.steps:
            operation, *operands = step[0], *(int.from_bytes(step[at : at + 2], "big") for at in (1, 3, 5))
            if operation == Do.FOLD:
                folded.append(results[operands[0]])
            elif operation == Do.BALANCE:
                balance.append((results[operands[0]], results[operands[1]]))
            results.append(self.value(operation, operands, results) % PRIME)
        return folded, balance

    def value(self, operation: int, operands: list[int], results: list[int]) -> int:
        """Of one step."""
        if operation in (Do.PERIODIC, Do.ONE_HOT):
            left, right, _ = operands
            place, size = self.places[right >> 8], 1 << (right & 255)
            point = pow(place.point, (1 << place.log_height) // size, PRIME)
            if operation == Do.PERIODIC:  # the highest coefficient first
                return sum(
                    each * pow(point, size - 1 - k, PRIME) for k, each in enumerate(self.constants[left:][:size])
                )
            turned, product = point * self.constants[left], self.constants[left + 1]
            for bit in range(right & 255):
                product = product * (1 + pow(turned, 1 << bit, PRIME)) % PRIME
            return product
        if operation in (Do.FOLD, Do.BALANCE):
            return 0
        one, other, third = (results[operand] for operand in operands)
        product = one * other
        return {
            Do.ADD: one + other, Do.SUBTRACT: one - other, Do.MULTIPLY: product, Do.MULTIPLY_ADD: product + third,
            Do.SUBTRACT_PRODUCT: third - product, Do.PRODUCT_LESS: product - third,
        }[Do(operation)]  # fmt: skip


@every_system
def test_the_steps_of_a_contract(name: str) -> None:
    system, log_heights = SYSTEMS[name]
    key = prepare(system, log_heights, PARAMETERS).key
    contract, expected = Contract(key), {}
    head = Head.of(key)
    totals = iter(contract.head[head.totals[0] :])
    total = {number: next(totals) for number, table in enumerate(system.tables) if table.bus_width}
    for level, place, start in zip(key.levels, contract.places, head.levels, strict=True):
        opened = [contract.head[start + half * level.width :][: level.width] for half in (0, 1)]
        for number, cells in _cells_by_table(key, Opened(level, place, *opened)):
            table = system.tables[number]

            def value(
                leaf: Leaf,
                cells: dict[Leaf, int] = cells,
                place: Place = place,
                table: Table = table,
                number: int = number,
            ) -> int:
                if leaf.source == Source.SELECTOR:
                    return place.selector(leaf.index)
                if leaf.source == Source.PERIODIC:
                    return place.periodic(table.periods[leaf.index])
                if leaf.source == Source.TOTAL:
                    return total[number]
                return cells[leaf] if leaf.varies else drawn(leaf)

            expected[number] = rules(system, table, value)
    folded, balance = contract.run()
    assert folded == [each for number in range(len(system.tables)) for each in expected[number]]
    assert balance == [fraction(system, message, drawn) for message in system.outside_messages]
