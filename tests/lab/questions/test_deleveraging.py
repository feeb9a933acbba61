"""Pro rata against a queue: conservation, hedges, what whole positions cost; the recorded event where it is at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bulkhead.lab.pages import render
from bulkhead.lab.questions.deleveraging import Deleveraging
from bulkhead.lab.questions.deleveraging import question as asked
from bulkhead.lab.questions.deleveraging.question import population
from bulkhead.lab.questions.deleveraging.recorded import split_of, waves
from bulkhead.lab.questions.deleveraging.split import Member, pro_rata, queue
from bulkhead.lab.sweep import QuestionError, Settings
from tests.conftest import real_data

REAL = real_data()

THREE = [
    Member(64, 100, 30, 80, 20.0),  # the most leverage and profit, and 80 of its lots are a hedge's other side
    Member(128, 100, 30, 0, 50.0),
    Member(192, 100, -10, 0, 5.0),  # at a loss
]


def test_a_queue_strips_the_hedge_that_pro_rata_spares() -> None:
    ours, theirs = pro_rata(100, THREE), queue(100, THREE)
    assert theirs.taken == {64: 100}
    assert (theirs.naked, theirs.stripped, theirs.wiped, theirs.most) == (80, 1, 1, 1.0)
    # 20 unhedged lots of the first, then 80 of the second: nobody's hedge is touched.
    assert ours.taken == {64: 20, 128: 80}
    assert (ours.naked, ours.stripped, ours.wiped) == (0, 0, 0)


def test_a_hedge_in_another_group_is_not_seen() -> None:
    assert pro_rata(100, THREE, one_group=False).naked == 30  # half of what was wanted: 50 lots, of which 20 unhedged


def test_both_rules_take_exactly_what_is_wanted_and_whole_positions_more() -> None:
    draw = np.random.Generator(np.random.Philox(key=5))
    for hedged in (0.0, 0.6):
        members = population(hedged, draw)
        lots = {member.account_id: member.lots for member in members}
        for share in (0.01, 0.3, 1.0):
            amount = round(share * sum(lots.values()))
            for split in (pro_rata(amount, members), queue(amount, members)):
                assert sum(split.taken.values()) == amount
                assert all(0 < taken <= lots[account] for account, taken in split.taken.items())
            assert sum(queue(amount, members, whole=True).taken.values()) >= amount


def test_losers_come_last_in_the_queue() -> None:
    assert list(queue(250, THREE).taken) == [64, 128, 192]


def test_the_page_says_that_the_recorded_event_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    question, settings = Deleveraging(), Settings(seed=3)
    points = question.points(settings)
    assert {point["part"] for point in points} == {"drawn"}
    monkeypatch.setattr(asked, "DRAWS", 3)
    measured = [(point, question.measure(settings, point)) for point in points]
    assert measured[7][1] == question.measure(settings, points[7])  # one seed, one result
    page = question.page(settings, measured)
    assert any("recorded event was left out" in sentence for sentence in page.against)
    assert "bulkhead lab sweep deleveraging --seed 3" in render(page)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="adl_wave_equity.parquet: no such file"):
        Deleveraging().files(Settings(data_dir=tmp_path))


if REAL is not None:

    def test_the_overshoot_of_10_october_2025_is_the_reported_one() -> None:
        event = waves(REAL)
        needed, used, ours = (sum(wave[name] for wave in event["waves"]) for name in ("needed", "queue", "pro_rata"))
        assert needed == pytest.approx(15.08e6, rel=1e-3)
        assert used == pytest.approx(60.11e6, rel=1e-3)
        assert used - needed == pytest.approx(45.03e6, rel=1e-3)
        assert ours == pytest.approx(needed, rel=1e-9)  # by way of the gaps by coin, another table
        assert event["shock_deficit"] == pytest.approx(23.2e6, rel=1e-2)
        split = split_of(REAL, "BTC", True, 1)
        assert split["pro_rata"]["taken"] == split["queue"]["taken"] == split["amount"]
        assert (split["pro_rata"]["naked"], split["pro_rata"]["wiped"]) == (0, 0)
        assert split["gone"] <= split["deleveraged"] <= split["holders"]
