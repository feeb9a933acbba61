"""`bulkhead demo`: one trader four ways, then everybody, in worlds made small; and what is left of it on the disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import bulkhead.cli.demo
from bulkhead.cli.main import app
from bulkhead.lab.compare import Job, Outcome, Progress, Setting, prices_of, run_all, run_mode
from bulkhead.lab.prices import DEFAULT
from bulkhead.lab.prices.fetch import fetch
from bulkhead.lab.traders import TRADERS, MarginMode
from bulkhead.node.replay import replay
from tests.lab.test_prices_fetch import UNTIL_MS, Venue

SMALL = replace(
    Setting(DEFAULT, crowd=6, makers=1, noise=1, levels=2, requote=0.01, quote_hours=2.0),
    tick_ms=450_000, first_day=8.0, days=0.6,
)  # fmt: skip
STORY = replace(SMALL, traders=("swing",), crowd=0)


def here(setting: Setting, jobs: Sequence[Job], report: Progress, workers: int) -> dict[Job, Outcome]:
    """`run_all` in this process: starting one for each of twelve runs takes longer than the runs."""
    return {
        job: run_mode(replace(setting, bar_order=job.bar_order), job.mode, lambda *at, job=job: report(job, *at))
        for job in jobs
    }


def run(*arguments: str | Path, **environment: str) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "200", **environment})


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small worlds, in this process."""
    monkeypatch.delenv("BULKHEAD_DATA", raising=False)

    def setting(name: str, folder: str | None, seed: int) -> Setting:
        if name == DEFAULT:
            return replace(SMALL, seed=seed)
        return replace(SMALL, data_name=name, data_dir=folder, seed=seed, tick_ms=300_000, first_day=0.0, days=0.3)

    monkeypatch.setattr(bulkhead.cli.demo, "Setting", setting)
    monkeypatch.setattr(bulkhead.cli.demo, "story_setting", lambda one: replace(one, traders=("swing",), crowd=0))
    monkeypatch.setattr(bulkhead.cli.demo, "run_all", here)


@pytest.mark.usefixtures("small")
def test_the_demo_tells_one_trader_first_then_everybody_and_leaves_what_explains_it(tmp_path: Path) -> None:
    result = run("demo", "--replay-only", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    told = result.output
    order = [told.index(words) for words in ("One trader, four ways", "Everybody", "The venue", "orders in")]
    assert order == sorted(order)
    story = told[order[0] : order[1]]
    for mode in MarginMode:
        assert re.search(rf"{mode.value} .*(survived|liquidated|wiped out)", story)
    assert all(trader.title in told[order[1] :] for trader in TRADERS)
    report = (tmp_path / "report.html").read_text()
    assert report.count("<svg") >= 6
    identity = re.search(r"bulkhead explain (\S+) --run", told)
    assert identity is not None, told
    explained = run("explain", identity[1], "--run", tmp_path)
    assert explained.exit_code == 0 and "every number they decide agrees" in explained.output
    expected = run_mode(STORY, MarginMode.CROSS, lambda *at: None).digest
    replayed = run("replay", tmp_path / "journals" / "cross-high-first")
    assert replayed.exit_code == 0 and expected in replayed.output


def test_runs_in_other_processes_are_the_same_runs_and_say_how_far_they_are(tmp_path: Path) -> None:
    jobs = [Job(MarginMode.ISOLATED, "high-first"), Job(MarginMode.STRATEGY, "low-first")]
    seen: dict[Job, list[int]] = {job: [] for job in jobs}
    setting = replace(STORY, journals=str(tmp_path))
    found = run_all(setting, jobs, lambda job, step, steps, orders: seen[job].append(step * 1000 // steps), 2)
    assert list(found) == jobs
    for job in jobs:
        assert seen[job] == sorted(seen[job]) and seen[job][-1] == 1000
        one = run_mode(replace(STORY, bar_order=job.bar_order), job.mode, lambda *at: None)
        assert found[job].digest == one.digest and found[job].orders == one.orders
        assert replay(tmp_path / f"{job.mode.value}-{job.bar_order}").machine.digest().hex() == one.digest
    other = run_mode(replace(STORY, seed=2), jobs[0].mode, lambda *at: None)
    assert other.digest != found[jobs[0]].digest


def test_a_run_that_fails_in_its_process_is_named() -> None:
    job = Job(MarginMode.CROSS, "high-first")
    with pytest.raises(RuntimeError, match="the run cross, high-first failed: DataError: .*price set nonsense"):
        run_all(replace(STORY, data_name="nonsense"), [job], lambda *at: None, 1)


@pytest.mark.usefixtures("small")
def test_a_fetched_set_runs_by_flag_and_by_environment(tmp_path: Path) -> None:
    coins = ("BTC", "ETH", "SOL", "XRP", "DOGE")
    name = fetch(Venue(coins=coins), list(coins), UNTIL_MS, 1, tmp_path).stem
    fine = Setting(name, str(tmp_path), traders=("swing",))
    assert len(prices_of(fine)[1].time_ms) == 1440  # one-minute bars, minute by minute
    asked = ("demo", "--story-only", "--prices", name, "--out", tmp_path / "out")
    by_flag, by_environment, by_nothing = (
        run(*asked, "--data", tmp_path), run(*asked, BULKHEAD_DATA=str(tmp_path)), run(*asked)
    )  # fmt: skip
    assert by_flag.exit_code == by_environment.exit_code == 0, by_flag.output
    assert "One trader, four ways" in by_flag.output and "ccxt" in by_flag.output
    assert by_environment.output.split("One trader")[1] == by_flag.output.split("One trader")[1]
    assert by_nothing.exit_code == 2 and "name one by --data" in by_nothing.output


@pytest.mark.usefixtures("small")
def test_a_set_the_traders_cannot_trade_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    name = fetch(Venue(), ["BTC", "ETH"], UNTIL_MS, 1, tmp_path).stem
    result = run("demo", "--data", tmp_path, "--prices", name, "--out", tmp_path / "out")
    assert result.exit_code == 2 and "has BTC, ETH alone: the traders of a comparison need 5 coins" in result.output
    unknown = run("demo", "--prices", "nonsense", "--out", tmp_path / "out")
    assert unknown.exit_code == 2 and "nonsense" in unknown.output and "Traceback" not in unknown.output
    assert not (tmp_path / "out").exists()
