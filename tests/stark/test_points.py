"""Values and sums of columns from their first coset, against polynomials evaluated by definition."""

from __future__ import annotations

import random

import pytest

from stark import eights, extension
from stark.extension import extend_columns
from stark.field import from_ints, to_ints
from stark.fixed import prepare
from stark.ntt import evaluate, interpolate
from stark.parameters import Parameters
from stark.points import values_at, weighted_sum
from stark.prime import GENERATOR, PRIME
from stark.prover import prove
from stark.verifier import verify
from tests.stark.toy import SYSTEM, case

DRAW = random.Random(8)
EXPANDED = Parameters(log_blowup=4, queries=20, grinding_bits=0, log_final=2, part_queries=7)


@pytest.mark.parametrize(("log_rows", "widths", "threads"), [
    (1, (1,), 1), (3, (2, 0, 1), 2), (6, (3,), 3), (11, (1, 2), 2), (11, (1,), 3), (4, (250, 3), 2), (3, (600,), 1),
])  # fmt: skip
def test_one_coset_says_everything(
    monkeypatch: pytest.MonkeyPatch, log_rows: int, widths: tuple[int, ...], threads: int
) -> None:
    """Either way, for several parts, and for more columns and rows than are summed at once."""
    rows = 1 << log_rows
    largest = [0, PRIME - 1, *(DRAW.randrange(PRIME) for _ in range(50))]
    columns = [from_ints(DRAW.choices(largest, k=width * rows)).reshape(width, rows, 4) for width in widths]
    parts = [extend_columns(each, 1, GENERATOR, 1).values for each in columns]
    points, weights = [5, PRIME - 1, DRAW.randrange(PRIME)], DRAW.choices(largest, k=sum(widths))
    coefficients = [each.copy() for each in columns]
    for each in coefficients:
        interpolate(each)
    expected = [[value for each in coefficients for value in evaluate(each, point)] for point in points]
    rows_shown = [0, rows - 1, DRAW.randrange(rows)]
    cells = [[cell for part in parts for cell in to_ints(part[:, 0, row])] for row in rows_shown]
    sums = [sum(map(int.__mul__, row, weights)) % PRIME for row in cells]
    for way in (False, eights.AVAILABLE):
        monkeypatch.setattr(eights, "AVAILABLE", way)
        assert values_at(parts, GENERATOR, points, threads) == expected
        assert to_ints(weighted_sum(parts, from_ints(weights), threads)[rows_shown]) == sums


def test_rows_that_were_not_kept_are_opened_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proofs at a blow-up of 16 are the same whether all cosets are kept or four of them."""
    honest = case(6, 8)
    proofs = []
    for kept in (4, 16):
        monkeypatch.setattr(extension, "KEPT_AT_LEAST", kept)
        fixed = prepare(SYSTEM, honest.log_heights, EXPANDED)
        assert fixed.committed.extended[0].values.shape[1] == kept
        proofs.append(prove(fixed, honest.public, honest.traces, threads=2))
    assert proofs[0] == proofs[1]
    assert verify(fixed.key, honest.public, proofs[0]) is None
