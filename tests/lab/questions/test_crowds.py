"""Questions about crowds, on few paths of the shipped set: money that is conserved, and directions that must hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bulkhead.lab.cascade import flows, press, run_cascade
from bulkhead.lab.kernel import Accounts, run
from bulkhead.lab.pages import as_json, render
from bulkhead.lab.paths.single import path_of
from bulkhead.lab.population import KINDS, Crowd, crowd_of, venue_of, with_maintenance
from bulkhead.lab.questions import question_of
from bulkhead.lab.questions.common import chunks, coarser, interval, quantile_interval, ratio_interval
from bulkhead.lab.questions.fund import ACCOUNTS, DAYS, recorded_day, shortfall
from bulkhead.lab.questions.liquidations import DEFAULTS, Liquidations
from bulkhead.lab.questions.maintenance import Maintenance
from bulkhead.lab.questions.withdrawal import MINUTES, Withdrawal
from bulkhead.lab.sweep import Settings, answer, findings_of
from bulkhead.lab.worlds import world_of
from tests.conftest import real_data

FEW = Settings(paths=24, seed=3, world="bootstrap")
SYMBOLS = ("BTC", "ETH")
REAL = real_data()


def test_a_crowd_is_what_it_says_and_the_same_each_time() -> None:
    venue = venue_of(SYMBOLS)
    crowd, again = crowd_of(venue, 400, 5), crowd_of(venue, 400, 5)
    assert np.array_equal(crowd.accounts.size, again.accounts.size)
    assert not np.array_equal(crowd.accounts.size, crowd_of(venue, 400, 6).accounts.size)
    assert set(crowd.kind) == set(range(len(KINDS)))
    value = crowd.accounts.balance + crowd.accounts.size @ venue.start
    initial = np.abs(crowd.accounts.size * venue.start) @ np.array([0.02, 0.02])
    assert (value * 0.9 >= initial * (1 - 1e-3)).all()  # nobody begins beyond what initial margin allows
    hedged = crowd.notional[crowd.kind == 2]
    assert np.allclose(hedged.sum(axis=1), 0)
    assert (crowd.notional[crowd.kind == 0] >= 0).all()
    assert (crowd.notional[crowd.kind == 3] <= 0).all()


def test_maintenance_follows_its_share_and_stays_a_sound_configuration() -> None:
    for share in (0.1, 0.6, 0.9):
        for terms in with_maintenance(venue_of(SYMBOLS), share).markets:
            for tier in terms.tiers:
                assert int(tier.maintenance) / int(tier.initial) == pytest.approx(share, rel=1e-6)
                assert 0 < int(tier.close_out) < int(tier.maintenance) < int(tier.initial)
    here = venue_of(SYMBOLS).markets[0].tiers[0]
    assert int(with_maintenance(venue_of(SYMBOLS), 0.6).markets[0].tiers[0].maintenance) == pytest.approx(
        int(here.maintenance), abs=4
    )


def test_less_maintenance_means_fewer_liquidations_and_more_debt() -> None:
    question = Maintenance()
    low, high = (question.measure(FEW, {"share": share, "leverage": 25.0}) for share in (0.1, 0.9))
    assert low["debt"]["mean"] > high["debt"]["mean"]
    assert low["liquidated"]["mean"] < high["liquidated"]["mean"]


def test_smaller_steps_are_more_steps_and_a_penalty_goes_to_the_fund() -> None:
    question = Liquidations()
    small, large = (question.measure(FEW, {**DEFAULTS, "target": target}) for target in (1.01, 3.0))
    assert small["steps"]["mean"] > large["steps"]["mean"]
    free, dear = (question.measure(FEW, {**DEFAULTS, "penalty_bp": penalty}) for penalty in (0, 200))
    assert free["fund"]["mean"] == pytest.approx(-free["debt"]["mean"])
    assert dear["fund"]["mean"] > free["fund"]["mean"]
    assert dear["cost"]["mean"] > free["cost"]["mean"]


def test_later_collateral_is_too_late_more_often() -> None:
    result = Withdrawal().measure(FEW, {"leverage": 10.0, "side": "long"})
    late = [result["gone"][str(minutes)]["mean"] for minutes in MINUTES]
    assert late == sorted(late)
    assert 0 <= late[0] <= late[-1] <= 1
    assert result["liquidated"]["mean"] <= result["called"]["mean"]


def test_a_slower_tick_sees_the_same_prices_less_often() -> None:
    [paths] = chunks(FEW, 2.0)
    slow = coarser(paths, 4)
    assert slow.step_ms == 4 * paths.step_ms
    assert np.array_equal(slow.ratio[:, 0], paths.ratio[:, 3])
    assert coarser(paths, 1) is paths


def test_what_is_sold_presses_on_prices_and_comes_back() -> None:
    venue = venue_of(SYMBOLS)
    [paths] = chunks(FEW, 2.0)
    flow = np.zeros(paths.ratio.shape)
    flow[0, 2, 0] = 5e6
    pressed = press(venue, paths, flow)
    moved = 1 - pressed.ratio[0, :, 0] / paths.ratio[0, :, 0]
    assert moved[1] == pytest.approx(0, abs=1e-6)
    spread, scale, exponent, _ = venue.impact[0]
    assert moved[2] == pytest.approx(spread + scale * 5**exponent, rel=1e-3)
    half = round(30 * 60_000 / paths.step_ms)
    assert moved[2 + half] == pytest.approx(moved[2] / 2, rel=1e-2)
    assert np.array_equal(pressed.ratio[1:], paths.ratio[1:])


def test_all_that_is_closed_flows_and_feedback_makes_more_of_it() -> None:
    venue = venue_of(SYMBOLS)
    whole = crowd_of(venue, 60, 3, 20.0)
    longs = np.flatnonzero(whole.kind == 0)  # all on one side, so that no two flows cancel
    held = whole.accounts
    accounts = Accounts(held.size[longs], held.balance[longs], held.is_scenario[longs])
    crowd = Crowd(accounts, whole.kind[longs], whole.notional[longs])
    [paths] = chunks(FEW, 2.0)
    still = run(venue, crowd.accounts, paths)
    flow = flows(crowd, still, paths.steps)
    closed = still.closed / 1e6
    assert np.abs(flow).sum(axis=(1, 2)) == pytest.approx(closed.sum(axis=1), rel=1e-6, abs=closed.sum() * 1e-9)
    fed = run_cascade(venue, crowd, paths, strength=20.0)
    assert fed.rounds >= 1
    assert fed.outcomes.is_liquidated.sum() > still.is_liquidated.sum()
    nothing = run_cascade(venue, crowd, paths, strength=0.0)
    assert nothing.is_settled
    assert nothing.outcomes.closed == pytest.approx(still.closed)


def test_intervals_hold_the_mean() -> None:
    assert interval([1.0, 3.0])["mean"] == 2.0
    found = ratio_interval(np.array([1.0, 3.0]), np.array([2.0, 2.0]))
    assert found is not None
    assert found["low"] < found["mean"] == 1.0 < found["high"]
    assert ratio_interval(np.array([0.0]), np.array([0.0])) is None
    tail = quantile_interval(np.arange(1_000.0), 0.9)
    assert tail["low"] < tail["mean"] < tail["high"]
    assert tail["high"] - tail["low"] == pytest.approx(2 * 1.96 * (1_000 * 0.9 * 0.1) ** 0.5, abs=2)
    assert quantile_interval(np.arange(10.0), 0.999)["high"] == 9.0
    assert shortfall(np.arange(100.0), 0.9) == pytest.approx(94.5)


@pytest.mark.parametrize("name", ["fund", "maintenance", "liquidations", "withdrawal", "gas"])
def test_a_question_is_answered_by_a_page(name: str) -> None:
    few = replace(FEW, paths=6)
    page, _ = answer(question_of(name), few)
    text = render(page)
    assert "Made again by" in text
    assert f"bulkhead lab sweep {name}" in page.command
    assert as_json(page)["sections"]
    assert "nan" not in " ".join(page.answer)
    warned = any("30 minutes: what is said of feedback" in sentence for sentence in page.against)
    assert warned == (name in ("fund", "liquidations"))  # the shipped set has half hours


def test_a_failure_is_replayed_to_the_last_bit_by_what_it_prints() -> None:
    few = replace(FEW, paths=40)
    result = question_of("fund").measure(few, {"leverage": 25.0, "feedback": False})
    finding = findings_of(result)[0]
    again = path_of(world_of(finding.world, seed=finding.seed, symbols=finding.symbols), finding.path, finding.steps)
    drawn = [paths for paths in chunks(few, DAYS, ()) if paths.first <= finding.path < paths.first + len(paths)][0]
    assert np.array_equal(again.ratio[0], drawn.ratio[finding.path - drawn.first])
    venue = venue_of(("BTC", "ETH", "XRP", "LTC"))
    debts = run(venue, crowd_of(venue, ACCOUNTS, few.seed, 25.0).accounts, again.select(venue.symbols)).bad_debt
    assert debts.sum() > 0


if REAL is not None:

    def test_recorded_days_are_on_the_page_where_they_are_at_hand() -> None:
        result = recorded_day(replace(FEW, data_dir=REAL), {"event": "2020-03-12", "leverage": 25.0})
        assert min(result["falls"]) < -0.4
        assert result["penalties"][0] > 0
        assert result["hit"][0] > 0.3
        assert len(result["debts"]) == 1  # hourly bars: nothing is said of feedback
        assert len(recorded_day(replace(FEW, data_dir=REAL), {"event": "2025-10-10", "leverage": 25.0})["debts"]) == 2
