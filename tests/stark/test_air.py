"""Chips and systems: degrees are computed, names are checked, and every rule reaches every reader."""

from __future__ import annotations

import random

import numpy as np
import pytest

from stark.air.check import check
from stark.air.chip import Bus, Chip, Must, Row, column_names
from stark.air.expr import Leaf, Source, leaf, lift, total
from stark.air.program import compile_program
from stark.air.system import System
from stark.air.tape import BLOCK, make_tape, run_tape
from stark.field import from_ints, to_ints
from stark.prime import PRIME
from tests.stark.toy import RESULT, SYSTEM, VALUES, Fibonacci, Range, case, environment

A, B, C = (leaf(Source.TRACE, index) for index in range(3))


def test_degrees_are_computed() -> None:
    assert (A * B + C).degree == 2
    assert (A - 3).degree == 1
    assert ((A + 1) ** 5).degree == 5
    assert (lift(4) * 2).constant == 8
    assert (A * 0).constant == 0 and (A * 1) is A and (A + 0) is A
    assert total([A, B, A * C]).degree == 2
    with pytest.raises(TypeError, match="truth"):
        bool(A)
    with pytest.raises(ValueError, match="power"):
        A**0


def test_equal_steps_are_one_step() -> None:
    program = compile_program([A * B + 1, B * A + 1, A * B])
    assert program.outputs[0] == program.outputs[1]
    assert len(program.steps) == 5


def test_a_deep_sum_is_compiled_without_the_stack() -> None:
    deep = A
    for index in range(20_000):
        deep = deep + (B if index % 2 else C)
    assert compile_program([deep]).run(lambda leaf: leaf.index + 1) == [(1 + 10_000 * 2 + 10_000 * 3) % PRIME]


def test_tape_and_program_compute_the_same() -> None:
    """The kernel's reading of random expressions, on every row, is the point reading with that row's cells."""
    draw = random.Random(7)
    for trial in range(20):
        rows = draw.choice([1, 2, 8, 300, 512])
        pool = [leaf(Source.TRACE, index, is_next) for index in range(3) for is_next in (False, True)]
        pool += [leaf(Source.PUBLIC, 0), leaf(Source.CHALLENGE, 1), lift(draw.randrange(PRIME)), lift(1)]
        for _ in range(30):
            left, right = draw.choice(pool), draw.choice(pool)
            pool.append(draw.choice([left + right, left - right, left * right]))
        outputs = draw.sample(pool, 5)
        program = compile_program(outputs)
        cells = [[draw.randrange(PRIME) for _ in range(rows)] for _ in range(3)]
        scalars = {Leaf(Source.PUBLIC, 0): draw.randrange(PRIME), Leaf(Source.CHALLENGE, 1): draw.randrange(PRIME)}
        trace = from_ints([cell for column in cells for cell in column]).reshape(3, 1, rows, 4)
        empty = np.empty((0, 1, rows, 4), np.uint64)
        for keep in (True, False):
            tape = make_tape(program, keep)
            weights = [] if keep else [3**index for index in range(5)]
            result = np.empty((5, rows, 4), np.uint64)
            registers = np.empty((tape.registers, BLOCK, 4), np.uint64)
            values = tape.scalars(scalars.__getitem__, weights)
            inputs = (empty, trace, empty, empty, np.zeros((3, 1, rows, 4), np.uint64))
            run_tape(tape.operations, values, inputs, 0, 0, rows, registers, result)
            for row in draw.sample(range(rows), min(rows, 5)):
                known = scalars | {
                    Leaf(Source.TRACE, index, is_next): cells[index][(row + is_next) % rows]
                    for index in range(3)
                    for is_next in (False, True)
                }
                expected = program.run(known.__getitem__)
                if keep:
                    assert [to_ints(result[output, row : row + 1].copy())[0] for output in range(5)] == expected, trial
                else:
                    folded = sum(3**index * each for index, each in enumerate(expected)) % PRIME
                    assert to_ints(result[0, row : row + 1].copy())[0] == folded, trial


def test_the_row_checker_names_rule_and_row() -> None:
    honest = case(4, 6)
    assert not list(check(SYSTEM, honest.public, honest.traces))
    honest.traces[1][1, 9] = from_ints([5])[0]
    found = [str(each) for each in check(SYSTEM, honest.public, honest.traces)]
    assert "row 8 of fibonacci: right takes the sum" in found
    assert "row 9 of fibonacci: left takes the right" in found


def test_the_row_checker_names_the_message_without_a_partner() -> None:
    honest = case(4, 6)
    honest.traces[1][3, 9] = from_ints([77])[0]
    found = [str(each) for each in check(SYSTEM, honest.public, honest.traces)]
    assert any(each.startswith("values (77,): sent and not received (1 times; written by row 9") for each in found)
    found = [str(each) for each in check(SYSTEM, [1, 2], case(4, 6).traces)]
    assert any("written by the statement" in each for each in found)


def test_every_cell_matters() -> None:
    """Change any cell of the honest tables: a rule or a bus fails."""
    honest = case(3, 3)
    for table, trace in enumerate(honest.traces):
        for column in range(trace.shape[0]):
            for row in range(trace.shape[1]):
                kept = trace[column, row].copy()
                trace[column, row] = from_ints([(to_ints(kept.reshape(1, 4))[0] + 1) % PRIME])[0]
                assert next(iter(check(SYSTEM, honest.public, honest.traces)), None), (table, column, row)
                trace[column, row] = kept


def test_a_digest_covers_what_decides_validity() -> None:
    class Other(Fibonacci):
        periodic = {"is_marked": (1, 0, 0, 1)}

    words = SYSTEM.words()
    assert System("renamed", [Range(), Fibonacci()], ["left", "right"], environment).words() == words
    assert System("toy", [Range(), Other()], ["left", "right"], environment).words() != words
    assert System("toy", [Range(), Fibonacci()]).words() != words  # no messages of the statement
    with pytest.raises(ValueError, match="one name"):
        System("twice", [Range(), Range()])


def test_a_statement_that_says_nothing_is_refused() -> None:
    """Forgotten messages would leave the statement to whoever makes the proof."""

    class Silent(Chip):
        name = "silent"
        columns = ("value",)

        def constrain(self, row: Row, must: Must) -> None:
            must.zero("rule", row.value)

    with pytest.raises(ValueError, match="the statement sends or receives, and no chip does"):
        System("s", [Silent()], ["left", "right"], environment)
    with pytest.raises(ValueError, match="no message reads third"):
        System("s", [Range(), Fibonacci()], ["left", "right", "third"], environment)


@pytest.mark.parametrize("value", [-1, PRIME])
def test_periodic_values_outside_the_field_are_named(value: int) -> None:
    class Negative(Fibonacci):
        periodic = {"is_marked": (1, value, 0, 0)}

    with pytest.raises(ValueError, match=f"fibonacci: a periodic column holds field elements, not {value}"):
        System("s", [Range(), Negative()])


def test_mistakes_in_chips_are_named() -> None:
    class Twice(Chip):
        name = "twice"
        columns = ("value", "value")

    class Same(Chip):
        name = "same"
        columns = ("value",)

        def constrain(self, row: Row, must: Must) -> None:
            must.zero("rule", row.value)
            must.zero("rule", row.value * 2)

    class Odd(Chip):
        name = "odd"
        columns = ("value",)
        periodic = {"three": (1, 2, 3)}

        def constrain(self, row: Row, must: Must) -> None:
            must.zero("rule", row.three)

    with pytest.raises(ValueError, match="two columns are named value"):
        System("s", [Twice()])
    with pytest.raises(ValueError, match="two rules are named 'rule'"):
        System("s", [Same()])
    with pytest.raises(ValueError, match="power of two"):
        System("s", [Odd()])

    class Empty(Chip):
        name = "empty"
        columns = (("nothing", 0),)

    with pytest.raises(ValueError, match="at least one column"):
        System("s", [Empty()])
    with pytest.raises(ValueError, match="at least one chip"):
        System("s", [])
    row = Row(Fibonacci())
    with pytest.raises(AttributeError, match="no column middle"):
        _ = row.middle
    with pytest.raises(AttributeError, match="group of 2"):
        _ = row.limb
    with pytest.raises(KeyError, match="single column"):
        _ = row["left"]
    with pytest.raises(ValueError, match="carries 2 values"):
        Must().send(RESULT, [row.left])
    with pytest.raises(ValueError, match="of different fields"):
        must = Must()
        must.send(Bus("values", ("one", "two")), [row.left, row.right])
        must.send(VALUES, [row.left])

        class Both(Chip):
            name = "both"
            columns = ("left", "right")

            def constrain(self, row: Row, must: Must) -> None:
                must.send(Bus("values", ("one", "two")), [row.left, row.right])
                must.send(VALUES, [row.left])

        System("s", [Both()])
    assert column_names(Fibonacci.columns) == ["left", "right", "limb[0]", "limb[1]"]
