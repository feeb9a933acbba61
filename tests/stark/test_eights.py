"""Eight elements at a time: the same as one at a time, and as integers, for the least and the largest values."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from stark import eights
from stark.air.expr import FIRST, Expr, Source, leaf, lift, total
from stark.air.program import compile_program
from stark.air.run import Runner
from stark.air.tape import make_tape
from stark.air.tape_eights import EVEN, MOST, REDUCE, SQUARE, plan_of
from stark.field import RADIX, Felts, from_ints, plain_from_ints, to_ints
from stark.fixed import prepare
from stark.kernels import kernel
from stark.parameters import TEST
from stark.prime import PRIME, inverse
from stark.prover import prove
from tests.stark.toy import SYSTEM, case

DRAW = random.Random(52)
LARGEST = RADIX - 1  # of what four limbs hold
EXTREMES = [0, 1, PRIME - 1, PRIME, PRIME + 1, 2**251, LARGEST, LARGEST - 15]


def applied(emit: Callable[..., Any]) -> Callable[[Felts, Felts], Felts]:
    """An operation on two even operands as a function of arrays of eight."""

    def emit_all(builder: Any, source: Any, target: Any, *places: Any) -> None:
        first, second, stride, _ = places
        one, other = (eights.load_rows(builder, source, place, stride) for place in (first, second))
        found = eights.evened(builder, emit(builder, one, other))
        eights.store_rows(builder, found, target, first, stride, is_last=True)

    emitted = eights.on_words(emit_all)

    @kernel
    def run(source: Felts, target: Felts) -> None:
        emitted(source, target, 0, 32, 4, 0)

    def call(first: Felts, second: Felts) -> Felts:
        target = np.empty((8, 4), np.uint64)
        run(np.concatenate([first, second]), target)
        return target

    return call


OPERATIONS: dict[str, tuple[Callable[..., Any], Callable[[int, int], int]]] = {
    "product": (eights.product_of, lambda one, other: one * other),
    "square": (lambda builder, one, _: eights.settled(builder, eights.square_of(builder, one)), lambda one, _: one**2),
    "sum": (eights.sum_of, lambda one, other: one + other),
    "difference": (
        lambda builder, one, other: eights.difference_of(builder, one, other, 512 - 16), lambda one, other: one - other
    ),
    "folded": (lambda builder, one, _: eights.folded(builder, one), lambda one, _: one),
    "two products": (
        lambda builder, one, other: eights.settled(
            builder, eights.add_product(builder, eights.square_of(builder, one), one, other)),
        lambda one, other: one * one + one * other,
    ),
}  # fmt: skip


def test_operations_agree_with_integers_at_their_extremes() -> None:
    """An array's limbs may hold anything; a value is what they hold, over 2**256."""
    unit = inverse(RADIX)
    for name, (emit, expected) in OPERATIONS.items() if eights.AVAILABLE else ():
        operation = applied(emit)
        for shift in range(8):
            drawn = [DRAW.getrandbits(256) for _ in range(8)]
            turned = EXTREMES[shift:] + EXTREMES[:shift]
            for first, second in ((EXTREMES, turned), (EXTREMES, drawn), (drawn, EXTREMES)):
                found = operation(plain_from_ints(first), plain_from_ints(second))
                assert all(value < PRIME for value in eights_plain(found)), name
                pairs = zip(first, second, strict=True)
                wanted = [expected(one * unit % PRIME, other * unit % PRIME) % PRIME for one, other in pairs]
                assert to_ints(found) == wanted, name


def eights_plain(values: Felts) -> list[int]:
    """What four limbs hold."""
    return [sum(int(part) << 64 * index for index, part in enumerate(value)) for value in values]


def programs() -> dict[str, list[Expr]]:
    """Rules of many kinds."""
    cell, after = leaf(Source.TRACE, 0), leaf(Source.TRACE, 1, is_next=True)
    fixed, bus, periodic = leaf(Source.FIXED, 0), leaf(Source.BUS, 0), leaf(Source.PERIODIC, 0)
    known, challenge = leaf(Source.PUBLIC, 0), leaf(Source.CHALLENGE, 0)
    grown = cell
    for _ in range(9):
        grown = grown + grown  # 512 times a value of 16 P
    sunk = cell
    for other in (after, fixed, bus, grown):
        sunk = other - sunk
    return {
        "each kind": [cell * after, cell - after, cell + after, 5 - cell, cell - 5, cell * known, known * challenge,
                      periodic * fixed, leaf(Source.SELECTOR, FIRST) * bus, cell, lift(7)],
        "sums that are folded": [grown, grown * grown, grown - cell, cell - grown, grown + challenge, known - grown],
        "differences of differences": [sunk, sunk**2, sunk * grown, 1 - sunk],
        "powers": [cell**5, (cell - after) ** 3, cell**2 * after],
        "a long sum": [total([cell * number + after for number in range(600)])],
    }  # fmt: skip


@pytest.mark.parametrize("name", programs())
@pytest.mark.parametrize("keep", [True, False], ids=["kept", "summed"])
def test_a_tape_computes_the_same_either_way(monkeypatch: pytest.MonkeyPatch, name: str, keep: bool) -> None:
    """Over blocks, the rest of a block, rows after the last, and tables of fewer than eight rows."""
    tape = make_tape(compile_program(programs()[name]), keep)
    scalars = tape.scalars(lambda found: 3 + int(found.source), [DRAW.randrange(PRIME) for _ in range(tape.outputs)])
    for rows, start, stop in ((2, 0, 2), (8, 0, 8), (512, 0, 512), (512, 128, 333), (1024, 768, 1024)):
        values = [0, 1, PRIME - 1, *(DRAW.randrange(PRIME) for _ in range(4 * rows))]
        inputs = tuple(
            from_ints(DRAW.choices(values, k=width * 2 * length)).reshape(width, 2, length, 4)
            for width, length in ((1, rows), (2, rows), (1, rows), (1, 2), (3, rows))
        )
        results = []
        for way in (False, eights.AVAILABLE):
            monkeypatch.setattr(eights, "AVAILABLE", way)
            result = np.zeros((tape.outputs, stop - start, 4), np.uint64)
            Runner(tape, scalars, inputs).run(1, start, stop, result)  # type: ignore[arg-type]
            results.append(result)
        assert np.array_equal(results[0], results[1])


def test_plans_fold_before_values_grow_too_far() -> None:
    """The programs above make every operation that the tape itself does not have."""
    tapes = [make_tape(compile_program(rules), keep=True) for rules in programs().values()]
    codes = {code for tape in tapes for code in plan_of(tape).operations[:, 0]}
    assert {EVEN, REDUCE, SQUARE} <= codes
    assert 16 * 2**9 > MOST


def test_proofs_are_the_same_bytes_either_way(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = case(7, 9)
    proofs = []
    for way in (False, eights.AVAILABLE):
        monkeypatch.setattr(eights, "AVAILABLE", way)
        fixed = prepare(SYSTEM, honest.log_heights, TEST)
        proofs.append(prove(fixed, honest.public, honest.traces, threads=2))
    assert proofs[0] == proofs[1]
