"""Which mode for me: every path gives an answer with a case against it, presets give what is documented."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest

from bulkhead.terminal.compare.link import MODES
from bulkhead.terminal.compare.wizard import (
    MARKET_MAKER,
    PRESETS,
    Answers,
    Book,
    Hedges,
    Loss,
    ModeFigures,
    Watch,
    advise,
)


def figure(margin: str, *, is_refused: bool = False) -> ModeFigures:
    return ModeFigures(Decimal(margin), Decimal(2_000), Decimal("812.5"), Decimal("-0.153"), is_refused)


def test_every_path_gives_an_answer_and_the_case_against_it() -> None:
    seen = set()
    for book, loss, watch, hedges in itertools.product(Book, Loss, Watch, Hedges):
        answers = Answers(book=book, loss=loss, watch=watch, hedges=hedges)
        cheaper = {"cross": figure("100"), "scenario": figure("60")}
        for figures in ({}, {mode: figure("100") for mode in MODES}, cheaper):
            advice = advise(answers, figures)
            assert advice.mode in MODES and advice.reasons and advice.against and advice.otherwise
            assert bool(advice.figures) == (advice.mode in figures)
            seen.add(advice.mode)
            # What may be lost is a promise, whatever else was said.
            if loss is Loss.STAKE:
                assert advice.mode in ("isolated", "strategy")
            if loss is Loss.STRATEGY:
                assert advice.mode == "strategy"
            if watch is Watch.DAILY and advice.mode == "cross":
                assert any("once a day" in text for text in advice.against)
    assert seen == set(MODES)


@pytest.mark.parametrize(
    ("preset", "mode"), [("swing trader", "isolated"), ("market maker", "cross"), ("hybrid", "strategy")]
)
def test_presets_give_the_documented_modes(preset: str, mode: str) -> None:
    assert advise(PRESETS[preset]).mode == mode


def test_scenario_is_advised_only_by_the_traders_own_numbers() -> None:
    cheaper = {"cross": figure("100"), "scenario": figure("60")}
    assert advise(MARKET_MAKER, cheaper).mode == "scenario"
    assert advise(MARKET_MAKER, {"cross": figure("100"), "scenario": figure("100")}).mode == "cross"
    assert advise(MARKET_MAKER, {**cheaper, "scenario": figure("60", is_refused=True)}).mode == "cross"


def test_own_numbers_are_told() -> None:
    advice = advise(PRESETS["swing trader"], {"isolated": figure("120.5", is_refused=True), "cross": figure("90")})
    assert "120.50 of margin" in advice.figures[0] and "15.3% away" in advice.figures[0]
    assert "would refuse" in advice.figures[1] and advice.figures[2].startswith("In cross")
