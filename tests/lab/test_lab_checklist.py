"""The checklist of a portfolio from a file: distances by the rules, what paths gave, and what only a venue knows."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from bulkhead.client.checklist import BOOK, QUESTIONS, USD, Answer, Facts
from bulkhead.lab.checklist import Held, Lived, answers, as_json, lived, page_of
from bulkhead.lab.choice.comparison import Setting
from bulkhead.lab.choice.weigh import best_split
from bulkhead.lab.kernel import Accounts, run
from bulkhead.lab.pages import render
from bulkhead.lab.portfolio import Holding, Portfolio
from bulkhead.lab.worlds import world_of

HELD = Portfolio("two", 6_000.0, (Holding("BTC", 0.4, 100_000.0), Holding("ETH", 5, 4_000.0)), "two.toml")
SETTING = Setting(paths=600, days=3, broken_paths=0)


@pytest.fixture(scope="module")
def life() -> Lived:
    return lived(HELD, SETTING)


def value(answer: Answer, label: str) -> Decimal | None:
    return next(figure.value for figure in answer.figures if figure.label == label)


def test_distances_are_where_the_rules_say() -> None:
    """At the distance the level is reached, a ten-thousandth nearer it is not; a call comes before a liquidation."""
    held = Held(HELD)
    found = [held.distance(level) for level in (66, 80, 100)]
    for level, move in zip((66, 80, 100), found, strict=True):
        assert move is not None
        assert held.is_used(1 - move, level) and not held.is_used(1 - move + 1e-4, level)
    assert found == sorted(found)
    # 60,000 long with 6,000 behind it, 1.2 % maintenance: value 6,000 − 60,000·x = 720·(1 − x)
    assert found[2] == pytest.approx((6_000 - 720) / (60_000 - 720), abs=1e-4)


def test_the_worst_shock_is_of_the_grid() -> None:
    """Two majors long lose most when majors fall by a quarter."""
    assert Held(HELD).worst_shock() == ("all fall", pytest.approx(15_000, rel=1e-6))


def test_what_became_of_it_is_what_the_kernel_says(life: Lived) -> None:
    held = Held(HELD)
    account = Accounts.of_lots(held.venue, held.size[None, :], np.array([HELD.collateral]))
    world = world_of("regimes", seed=1, symbols=HELD.symbols)
    outs = [run(held.venue, account, chunk) for chunk in world.chunks(600, SETTING.steps)]
    first = np.concatenate([out.first_step[:, 0] for out in outs])
    assert (np.isfinite(life.liquidated) == (first >= 0)).all()
    assert (life.liquidated[first >= 0] == (first[first >= 0] + 1) * 300).all()
    assert (life.called_66[first >= 0] <= life.liquidated[first >= 0]).all()
    assert 10 < (first >= 0).sum() < 590


def test_answers_of_a_model_say_so(life: Lived) -> None:
    given = answers(HELD, SETTING, life)
    assert tuple(one.question for one in given) == QUESTIONS
    tail, call, speed, past, trust = given
    low, high = value(tail, "expected shortfall at 97.5 %, from"), value(tail, "expected shortfall at 97.5 %, to")
    assert low is not None and high is not None and low <= value(tail, "expected shortfall at 97.5 %") <= high
    hits = int(np.isfinite(life.liquidated).sum())
    assert value(call, "probability of a liquidation") == Decimal(f"{100 * hits / 600:.2f}")
    assert value(speed, "batch to L1, median") is None and "none was named" in speed.verdict
    assert past.verdict.startswith("In the model, not at a venue")
    assert "none was named" in trust.verdict
    told = as_json(given)
    assert [one["question"] for one in told] == list(QUESTIONS)
    page = render(page_of(HELD, SETTING, given, world_of("regimes"), "bulkhead lab checklist two.toml"))
    assert all(one.question in page for one in given)


def test_a_running_venue_answers_for_itself(life: Lived) -> None:
    """Liquidations, settlement and trust are the venue's where there is one."""
    step = {"slippageBp": "7", "takenBy": BOOK, "coveredByFund": "3"}
    batch = {"sealedTime": 1_000, "steps": [{"stage": "SETTLED", "time": 61_000}]}
    facts = Facts(
        [step, step | {"slippageBp": "9"}],
        [batch],
        {"settles": True, "sealed": 5, "proven": 3},
        {"custody": "10", "accounts": "7", "funds": "3"},
        {"funds": [{"insurance": "250"}]},
        {"quorum": 3, "signers": [1, 2, 3, 4]},
        {"latency": {"p50": 0.01}},
    )
    _, _, speed, past, trust = answers(HELD, SETTING, life, facts, "http://venue")
    assert value(speed, "batch to L1, median") == 60 and "http://venue" in speed.source
    assert "2 of the last 2 steps" in past.verdict and "8 bp" in past.verdict
    assert "3 of 4 oracle signers" in trust.verdict and value(trust, "insurance fund") == 250
    assert next(figure.unit for figure in trust.figures if figure.label == "insurance fund") == USD


def test_a_split_of_one_compartment_is_all_of_it() -> None:
    assert best_split(np.array([[1.0, 2.0]]), 3.0).tolist() == [3.0]
