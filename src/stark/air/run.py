"""Running a tape over rows, eight at a time where that can be done."""

from __future__ import annotations

import numpy as np

from stark import eights
from stark.air.tape import BLOCK, Tape, run_tape
from stark.air.tape_eights import GROUPS, fits, plan_of, run_eights, scalars_of
from stark.eights import EIGHT
from stark.field import Felts

Inputs = tuple[Felts, Felts, Felts, Felts, Felts]  # in the order of `stark.air.expr.Source`


class Runner:
    """A tape with its scalars and the columns that it reads, each (width, cosets, rows, 4) and contiguous."""

    def __init__(self, tape: Tape, scalars: Felts, inputs: Inputs):
        self.inputs = inputs
        self.tape = tape
        self.scalars = scalars
        self.plan = plan_of(tape) if eights.AVAILABLE and fits(tape) else None
        self.limbs = scalars if self.plan is None else scalars_of(scalars)

    def run(self, coset: int, start: int, stop: int, result: Felts) -> None:
        """`stark.air.tape.run_tape` says what it computes. Threads may share a runner."""
        if self.plan is None:
            registers = np.empty((self.tape.registers, BLOCK, 4), np.uint64)
            run_tape(self.tape.operations, self.scalars, self.inputs, coset, start, stop, registers, result)
            return
        words = np.empty((self.plan.registers + 2) * GROUPS * EIGHT, np.uint64)
        run_eights(self.plan.operations, self.limbs, self.inputs, coset, start, stop, words, result)
