"""Expressions flattened to a list of steps, each common part once: what every reader of constraints starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from stark.air.expr import Expr, Leaf, Operation, Source, apply


class Step(NamedTuple):
    """A leaf, or an operation on the results of two earlier steps."""

    operation: Operation
    leaf: Leaf | None
    left: int
    right: int


class Program(NamedTuple):
    """Steps, and the numbers of those whose results are wanted, in order."""

    steps: tuple[Step, ...]
    outputs: tuple[int, ...]

    def run(self, value: Callable[[Leaf], int]) -> list[int]:
        """The outputs, given the value of every leaf but the constants. Plain integers below the prime."""
        results: list[int] = []
        for step in self.steps:
            if step.leaf is None:
                results.append(apply(step.operation, results[step.left], results[step.right]))
            elif step.leaf.source == Source.CONSTANT:
                results.append(step.leaf.index)
            else:
                results.append(value(step.leaf))
        return [results[output] for output in self.outputs]

    def leaves(self) -> list[Leaf]:
        """Every leaf that is read, constants among them."""
        return [step.leaf for step in self.steps if step.leaf is not None]

    def words(self) -> list[int]:
        """The program as integers: equal exactly for programs that compute the same steps in the same order."""
        words = [len(self.steps), len(self.outputs), *self.outputs]
        for step in self.steps:
            if step.leaf is None:
                words += [int(step.operation), step.left, step.right]
            else:
                words += [int(step.operation), int(step.leaf.source), step.leaf.index, int(step.leaf.is_next)]
        return words


def compile_program(expressions: Iterable[Expr]) -> Program:
    """Number the values of the expressions, equal ones alike. Iterative: a chip's sums can be deeper than the stack."""
    steps: list[Step] = []
    numbers: dict[Step, int] = {}
    known: dict[int, int] = {}  # identity of an expression to its step; the caller's list keeps them alive
    roots = list(expressions)

    def number(step: Step) -> int:
        if step not in numbers:
            numbers[step] = len(steps)
            steps.append(step)
        return numbers[step]

    for root in roots:
        pending = [root]
        while pending:
            expression = pending[-1]
            if id(expression) in known:
                pending.pop()
                continue
            children = [child for child in (expression.left, expression.right) if child is not None]
            unknown = [child for child in children if id(child) not in known]
            if unknown:
                pending += reversed(unknown)
                continue
            sides = [known[id(child)] for child in children]
            if expression.operation in (Operation.ADD, Operation.MULTIPLY):
                sides.sort()
            left, right = sides or (0, 0)
            known[id(expression)] = number(Step(expression.operation, expression.leaf, left, right))
            pending.pop()
    return Program(tuple(steps), tuple(known[id(root)] for root in roots))
