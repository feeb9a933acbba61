"""Fixed point: every function against exact fractions, with the rounding its name or docstring promises."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from fractions import Fraction as Exact
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulkhead import fixed
from tests.rules.drawn import WHOLE, edges

wide = edges(-(2**128), 2**128)
positive = edges(1, 2**128)
Definition = Callable[..., Exact | int]

# name -> (exact value of the result, rounding, signs of the arguments: any number or one above zero)
DEFINED: dict[str, tuple[Definition, Callable[[Any], int], str]] = {
    "div_floor": (lambda a, b: Exact(a, b), math.floor, "ap"),
    "div_ceil": (lambda a, b: Exact(a, b), math.ceil, "ap"),
    "mul_div_floor": (lambda a, b, c: Exact(a * b, c), math.floor, "aap"),
    "mul_div_ceil": (lambda a, b, c: Exact(a * b, c), math.ceil, "aap"),
    "remainder": (lambda a, b: a - b * math.floor(Exact(a, b)), int, "ap"),
    "fraction": (lambda a, b: Exact(a, b) * WHOLE, math.ceil, "ap"),
    "percent": (lambda a: Exact(a, 100) * WHOLE, math.ceil, "a"),
    "basis_points": (lambda a: Exact(a, 10_000) * WHOLE, math.ceil, "a"),
    "ratio_floor": (lambda a, b: Exact(a, b) * WHOLE, math.floor, "ap"),
    "ratio_ceil": (lambda a, b: Exact(a, b) * WHOLE, math.ceil, "ap"),
    "worth": (lambda a: a * WHOLE, int, "a"),
    "requirement": (lambda a: a * WHOLE, int, "a"),
    "index_price": (lambda a: a * WHOLE, int, "a"),
    "quote_floor": (lambda a: Exact(a, WHOLE), math.floor, "a"),
    "quote_ceil": (lambda a: Exact(a, WHOLE), math.ceil, "a"),
    "worth_ceil": (lambda a: Exact(a, WHOLE), math.ceil, "a"),
    "book_price_floor": (lambda a: Exact(a, WHOLE), math.floor, "a"),
    "book_price_ceil": (lambda a: Exact(a, WHOLE), math.ceil, "a"),
    "requirement_quote_floor": (lambda a: Exact(a, WHOLE**2), math.floor, "a"),
    "requirement_quote_ceil": (lambda a: Exact(a, WHOLE**2), math.ceil, "a"),
    "share_floor": (lambda a, b: Exact(a * b, WHOLE), math.floor, "aa"),
    "share_ceil": (lambda a, b: Exact(a * b, WHOLE), math.ceil, "aa"),
    "worth_share_floor": (lambda a, b: Exact(a * b, WHOLE), math.floor, "aa"),
    "requirement_share_floor": (lambda a, b: Exact(a * b, WHOLE), math.floor, "aa"),
    "requirement_share_ceil": (lambda a, b: Exact(a * b, WHOLE), math.ceil, "aa"),
    "fraction_mul_ceil": (lambda a, b: Exact(a * b, WHOLE), math.ceil, "aa"),
    "price_share_floor": (lambda a, b: Exact(a * b, WHOLE), math.floor, "aa"),
    "price_share_ceil": (lambda a, b: Exact(a * b, WHOLE), math.ceil, "aa"),
    "index_step": (lambda a, b: Exact(a * b, WHOLE), math.floor, "aa"),
    "part_floor": (lambda a, b, c: Exact(a * b, c), math.floor, "aap"),
    "minutes_floor": (lambda a: Exact(a, 60_000), math.floor, "a"),
    "seconds_floor": (lambda a: Exact(a, 1_000), math.floor, "a"),
}
ELSEWHERE = {"mean_floor"}  # takes a list: below


@pytest.mark.parametrize("name", sorted(DEFINED))
@given(data=st.data())
def test_rounding_equals_its_fraction_definition(name: str, data: st.DataObject) -> None:
    exact, rounded, kinds = DEFINED[name]
    arguments = [data.draw(wide if kind == "a" else positive) for kind in kinds]
    result = getattr(fixed, name)(*arguments)
    assert type(result) is int
    assert result == rounded(exact(*arguments))


@given(st.lists(wide, min_size=1, max_size=60))
@example([-7, 0])
def test_mean_rounds_toward_minus_infinity(values: list[int]) -> None:
    assert fixed.mean_floor(values) == math.floor(Exact(sum(values), len(values)))


def test_every_function_of_fixed_is_tested_and_names_its_rounding() -> None:
    functions = {name: thing for name, thing in vars(fixed).items() if inspect.isfunction(thing)}
    own = {name: thing for name, thing in functions.items() if thing.__module__ == fixed.__name__}
    assert set(own) == set(DEFINED) | ELSEWHERE
    words = ("toward minus", "toward plus", "rounded up", "rounded down", "exact", "Whole ", "highest", "lowest",
             "leaves over")
    for name, thing in own.items():
        assert any(word in (thing.__doc__ or "") for word in words), name


def test_the_whole_and_its_ten_thousandth() -> None:
    assert fixed.ONE == 2**32 == fixed.percent(100) == fixed.basis_points(10_000)
    assert 0 <= Exact(2**32, 10_000) - fixed.BASIS_POINT < 1


def test_minus_seven_halves_rounds_as_named() -> None:
    assert (fixed.div_floor(-7, 2), fixed.div_ceil(-7, 2)) == (-4, -3)
