"""lab/compare.py and cli/demo.py: whole worlds, run for real. The 10 October 2025 crash runs where its set is."""

import dataclasses
import re

import numpy as np
import pytest

from bulkhead.keepers.recompute import recompute
from bulkhead.keepers.story import story
from bulkhead.lab.compare import DAY_MS, Outcome, Setting, build, outcome_of, prices_of, story_setting
from bulkhead.lab.prices import DEFAULT, Ticks, load
from bulkhead.lab.report.page import write_report
from bulkhead.lab.report.summary import summarise
from bulkhead.lab.traders import CAPITAL, TRADERS, MarginMode
from bulkhead.ledger.invariants import violations
from tests.conftest import real_data

REAL = real_data()
SMALL = Setting(
    DEFAULT, crowd=30, noise=1, makers=1, levels=2, requote=0.01, quote_hours=2.0, days=9.5, tick_ms=300_000
)


@pytest.fixture(scope="module")
def outcomes() -> dict[MarginMode, Outcome]:
    """The first nine days of the shipped crash in every mode, invariants checked every day."""
    return {mode: run(SMALL, mode) for mode in MarginMode}


def run(setting: Setting, mode: MarginMode) -> Outcome:
    world, recorder = build(setting, mode)
    for step in world.run():
        if step % (24 * world.hour) == 0:
            assert violations(world.state) == []
    assert violations(world.state) == []
    return outcome_of(world, recorder, mode)


def worst_day(path: Ticks) -> int:
    """When the day began in which all markets together fell most."""
    mean = np.mean([np.log(series) for series in path.price.values()], axis=0)
    day = DAY_MS // int(path.time_ms[1] - path.time_ms[0])
    return int(path.time_ms[int(np.argmin(mean[day:] - mean[:-day]))])


def test_the_same_seed_gives_the_same_root(outcomes: dict[MarginMode, Outcome]) -> None:
    again = run(SMALL, MarginMode.CROSS)
    assert again.digest == outcomes[MarginMode.CROSS].digest
    assert again.recorder.rows == outcomes[MarginMode.CROSS].recorder.rows
    assert len({outcome.digest for outcome in outcomes.values()}) == len(MarginMode)


def test_plans_do_not_depend_on_the_mode() -> None:
    setting = dataclasses.replace(SMALL, days=2.0)
    plans = []
    for mode in MarginMode:
        world, recorder = build(setting, mode)
        plans.append([(trader.trader.name, trader.plan) for trader in recorder.featured])
    assert all(plan == plans[0] for plan in plans)
    assert all(sum(map(len, plan.values())) for _, plan in plans[0])


def test_the_crash_liquidates_and_every_witness_recomputes(outcomes: dict[MarginMode, Outcome]) -> None:
    witnesses = [witness for outcome in outcomes.values() for witness in outcome.recorder.witnesses]
    assert len(witnesses) > 20
    for witness in witnesses:
        assert recompute(witness) == []
        assert len(story(witness)) > 200


def test_an_isolated_trader_never_loses_what_lay_outside_his_pods(outcomes: dict[MarginMode, Outcome]) -> None:
    recorder = outcomes[MarginMode.ISOLATED].recorder
    for trader in TRADERS:
        assert min(recorder.parts[trader.name]["account"]) >= 0


def test_modes_differ_only_in_what_they_did(outcomes: dict[MarginMode, Outcome]) -> None:
    summary = summarise(outcomes)
    for trader in TRADERS:
        cells = summary.cells[trader.name]
        assert [cell.mode for cell in cells] == list(MarginMode)
        assert len({cell.planned for cell in cells}) == 1
        assert len({round(cell.end) for cell in cells}) > 1
        for cell in cells:
            assert cell.filled + sum(cell.refused.values()) > 0
            assert cell.end > -0.25 * CAPITAL and cell.why


def test_the_report_is_one_file_with_plots(outcomes: dict[MarginMode, Outcome], tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = write_report(tmp_path / "report.html", SMALL, load(), outcomes, summarise(outcomes))
    text = path.read_text()
    assert text.count("<svg") >= 6 and "http://" not in text.replace("http://www.w3.org", "")
    assert "Swing trader" in text and "/home" not in text and not re.search(r"\bnan\b", text)


def test_the_story_has_one_trader_and_coarser_ticks() -> None:
    setting = story_setting(Setting(DEFAULT))
    assert setting.tick_ms == 300_000 and setting.traders == ("swing",)


def test_both_orders_of_a_bar_are_honoured() -> None:
    high, _ = prices_of(SMALL), None
    low = prices_of(dataclasses.replace(SMALL, bar_order="low-first"))
    assert any((high[1].price[symbol] != low[1].price[symbol]).any() for symbol in high[1].price)


if REAL is not None:

    def test_the_crash_of_10_october_2025() -> None:
        """The day of the crash, every mode: the venue stays sound and the traders' fates differ."""
        setting = dataclasses.replace(
            SMALL, data_name="crash-2025-10-10", data_dir=str(REAL), first_day=7.0, days=1.0, tick_ms=60_000
        )
        ends = set()
        for mode in MarginMode:
            outcome = run(setting, mode)
            assert all(recompute(witness) == [] for witness in outcome.recorder.witnesses)
            ends.add(tuple(round(path[-1]) for path in outcome.recorder.equity.values()))
        assert len(ends) == len(MarginMode)

    @pytest.mark.parametrize(
        "name", ["crash-2025-10-10", "crash-2026-02-05", "covid-2020-03-12", "ftx-2022-11-09", "crash-2024-08-05"]
    )
    def test_the_story_of_a_named_crash_has_its_worst_day(name: str) -> None:
        setting = story_setting(Setting(name, str(REAL)))
        whole = prices_of(dataclasses.replace(setting, first_day=0.0, days=None))[1]
        assert worst_day(prices_of(setting)[1]) == worst_day(whole)
