"""Tables of different heights: the attack on columns that are only lifted, made to work there, and refused here."""

from __future__ import annotations

import numpy as np
import pytest

from stark.air.check import check
from stark.air.chip import Bus, Chip, Must, Row
from stark.air.expr import lift
from stark.air.system import System
from stark.buses import bus_columns
from stark.field import Felts
from stark.fixed import prepare
from stark.parameters import Parameters
from stark.prime import PRIME, inverse
from stark.proof import Phase
from stark.prover import prove
from stark.verifier import verify
from tests.stark.toy import columns

LENT = Bus("lent", ("value",))
LOG_TALL, LOG_SHORT = 4, 2
COPIES = 1 << (LOG_TALL - LOG_SHORT)
PARAMETERS = Parameters(log_blowup=2, queries=8, grinding_bits=0, log_final=1)


class Tall(Chip):
    """Sends one value a row."""

    name = "tall"
    columns = ("value",)

    def constrain(self, row: Row, must: Must) -> None:
        must.send(LENT, [row.value])


class Short(Chip):
    """Four values, counted from 1, each received eight times or not at all."""

    name = "short"
    columns = ("value", "times")
    periodic = {"is_start": (1, 0, 0, 0), "is_end": (0, 0, 0, 1)}
    counted = lift(1)  # how much a row's message counts

    def constrain(self, row: Row, must: Must) -> None:
        must.zero("counts from one", row.is_start * (row.value - 1))
        must.zero("counts up", (1 - row.is_end) * (row.next.value - row.value - 1))
        must.zero("eight times or never", row.times * (row.times - 8))
        must.receive(LENT, [row.value], row.times * self.counted)


class Lifted(Short):
    """What is known of the short table where its columns are only lifted: f(X) is committed for f(X**copies).

    On the tall table's rows a lifted column repeats, its rules hold in every repetition, and each message counts for a
    share of a sum over all rows. That all repetitions are the same would need a test that the polynomial is one in
    X**copies: there is none. (Sums that are anchored at the ends of every repetition would bind each by itself. Where
    rows enter at their own level nothing rests on where a sum is anchored.)
    """

    counted = lift(inverse(COPIES))


SENT = columns([[value for value in (1, 2, 3, 4) for _ in range(4)]])
NUMBERS = [1, 2, 3, 4]


def repeated(times: list[int]) -> Felts:
    """Repetitions of the short table, one for each of these."""
    return columns([NUMBERS * len(times), [each for each in times for _ in NUMBERS]])


def test_lies_that_are_right_on_average_pass_where_columns_are_only_lifted() -> None:
    """The tall table takes every value four times, which no short table lends. Two that lend eight and two that lend
    nothing do, on average: the statement is false, and the proof of it is accepted."""
    system = System("only lifted", [Tall(), Lifted()])
    fixed = prepare(system, (LOG_TALL, LOG_TALL), PARAMETERS)
    assert verify(fixed.key, [], prove(fixed, [], [SENT, repeated([8, 0, 8, 0])])) is None
    for times in ([8, 8, 8, 8], [8, 0, 0, 0]):  # while an average that is wrong is noticed there, too
        rejected = verify(fixed.key, [], prove(fixed, [], [SENT, repeated(times)]))
        assert rejected is not None and rejected.phase is Phase.BUSES


@pytest.mark.parametrize("times", [[8] * 4, [0] * 4, [8, 0, 8, 0], [8, 8, 0, 0]])
def test_the_same_lies_are_refused_where_rows_enter_at_their_own_level(times: list[int]) -> None:
    """A tree binds one short row to all positions that fold onto it, so there is one table to choose."""
    system = System("entering", [Tall(), Short()])
    fixed = prepare(system, (LOG_TALL, LOG_SHORT), PARAMETERS)
    traces = [SENT, columns([NUMBERS, times])]
    assert list(check(system, [], traces))
    rejected = verify(fixed.key, [], prove(fixed, [], traces))
    assert rejected is not None and rejected.phase is Phase.BUSES


def test_four_times_is_not_among_the_rules() -> None:
    """The counts that would balance break the rule, so the statement of the attack is false."""
    system = System("entering", [Tall(), Short()])
    found = [str(each) for each in check(system, [], [SENT, columns([NUMBERS, [4] * 4])])]
    assert found == [f"row {row} of short: eight times or never" for row in range(4)]


def test_the_average_of_lies_is_the_honest_sum() -> None:
    """Why it works: sums of fractions are linear in the counts, whatever the challenges."""
    table = System("entering", [Tall(), Short()]).tables[1]
    nothing, challenges = np.empty((0, 4, 4), np.uint64), [1234567, 89]
    four, eight, never = (
        bus_columns(table, nothing, columns([NUMBERS, [times] * 4]), lambda leaf: challenges[leaf.index], 1)[1]
        for times in (4, 8, 0)
    )
    assert (eight + never) * inverse(2) % PRIME == four
