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


def figure(free: str, *, container_id: int = 64, is_refused: bool = False) -> ModeFigures:
    return ModeFigures(Decimal(free), container_id, is_refused)


def test_every_path_gives_an_answer_and_the_case_against_it() -> None:
    seen = set()
    for book, loss, watch, hedges in itertools.product(Book, Loss, Watch, Hedges):
        answers = Answers(book=book, loss=loss, watch=watch, hedges=hedges)
        cheaper = {"cross": figure("60"), "scenario": figure("100")}
        for figures in ({}, {mode: figure("100") for mode in MODES}, cheaper):
            advice = advise(answers, figures)
            assert advice.mode in MODES and advice.reasons and advice.against and advice.otherwise
            assert bool(advice.unfit) == ((book, hedges) in ((Book.HEDGED, Hedges.NONE), (Book.ONE, Hedges.HERE)))
            seen.add(advice.mode)
            # What may be lost is a promise, whatever else was said.
            if loss is Loss.STAKE:
                assert advice.mode in ("isolated", "strategy")
            if loss is Loss.STRATEGY:
                assert advice.mode == "strategy"
            assert (watch is Watch.DAILY) == any("once a day" in text for text in advice.against)
            if book is Book.ONE:  # what is so already would change nothing
                assert "With one idea at a time" not in advice.otherwise
            # Whatever the mode, this exchange sees nothing of what is held elsewhere.
            assert (hedges is Hedges.ELSEWHERE) == any("Legs elsewhere" in text for text in advice.against)
            if book is Book.HEDGED and hedges is Hedges.ELSEWHERE:
                assert not any("Gains of one leg" in text for text in advice.reasons)
    assert seen == set(MODES)


@pytest.mark.parametrize(
    ("preset", "mode"), [("swing trader", "isolated"), ("market maker", "cross"), ("hybrid", "strategy")]
)
def test_presets_give_the_documented_modes(preset: str, mode: str) -> None:
    assert advise(PRESETS[preset]).mode == mode


def test_scenario_is_advised_only_where_it_leaves_more_of_the_whole_book() -> None:
    """What the one order adds may be less while the book asks for more, and another account's is no measure."""
    cheaper = {"cross": figure("60.5"), "scenario": figure("100")}
    advice = advise(MARKET_MAKER, cheaper)
    assert advice.mode == "scenario"
    assert "100.00 USD are left, and 60.50 USD in cross" in advice.reasons[1]
    assert advise(MARKET_MAKER, {"cross": figure("100"), "scenario": figure("100")}).mode == "cross"
    for other in (figure("100", is_refused=True), figure("100", container_id=128)):
        assert advise(MARKET_MAKER, {**cheaper, "scenario": other}).mode == "cross"


def test_a_mode_that_would_refuse_the_order_is_said_to() -> None:
    swing = PRESETS["swing trader"]
    assert "isolated would refuse" in advise(swing, {"isolated": figure("1", is_refused=True)}).against[0]
    assert not any("refuse" in text for text in advise(swing, {"isolated": figure("1")}).against)
