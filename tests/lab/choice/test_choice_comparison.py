"""`compare`: sets looked at once are what separate runs give; the total stays; it goes on where it was stopped."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bulkhead.cli.main import app
from bulkhead.lab.cache import Cache
from bulkhead.lab.choice.comparison import Job, Setting, compare
from bulkhead.lab.choice.inputs import inputs_of
from bulkhead.lab.choice.page import page_of
from bulkhead.lab.choice.plans import broken_name, can_break
from bulkhead.lab.choice.result import CROSS, ISOLATED, SCENARIO
from bulkhead.lab.choice.stored import from_json
from bulkhead.lab.kernel import Accounts, run
from bulkhead.lab.pages import render
from bulkhead.lab.portfolio import Holding, Portfolio, PortfolioError
from bulkhead.lab.prices import DataError

SETTING = Setting(paths=600, days=2, broken_paths=200)
HELD = Portfolio(
    "three",
    9_000.0,
    (Holding("BTC", 0.5, 100_000.0, "trend"), Holding("ETH", -8, 4_000.0, "pair"), Holding("XRP", 9_000, 2.5, "pair")),
    "three.toml",
)


@pytest.fixture(scope="module")
def found():  # type: ignore[no-untyped-def]
    return compare(HELD, SETTING, command="bulkhead lab compare three.toml")


def test_modes_share_the_same_collateral(found) -> None:  # type: ignore[no-untyped-def]
    assert {ISOLATED, CROSS, SCENARIO} <= {mode.name for mode in found.modes}
    for mode in found.modes:
        assert sum(one.collateral for one in mode.compartments) == pytest.approx(HELD.collateral)
        assert sorted(symbol for one in mode.compartments for symbol in one.symbols) == ["BTC", "ETH", "XRP"]
        for one in mode.compartments:
            assert one.wiped.value <= one.liquidated.value <= one.call_80.value <= one.call_66.value
        assert mode.all_wiped.value <= mode.any_liquidated.value
        assert max(one.liquidated.value for one in mode.compartments) <= mode.any_liquidated.value
    assert found.partitions == 5 and found.sets == 7 and found.is_exact


def test_a_partition_is_what_its_compartments_come_to_apart(found) -> None:  # type: ignore[no-untyped-def]
    """The sample of sets against separate accounts walked by the kernel: losses of the isolated mode, path by path."""
    job = Job(HELD, SETTING, None, None, None, lambda what, done, total: None)
    accounts = Accounts.of_lots(job.venue, np.diag(job.size), job.shares)
    losses, hits = [], 0
    for chunk in job.maker()().chunks(SETTING.paths, SETTING.steps):
        out = run(job.venue, accounts, chunk.select(job.venue.symbols))
        losses.append(HELD.collateral - out.equity.sum(axis=1) / 1e6)
        hits += int(out.is_liquidated.any(axis=1).sum())
    mode = found.mode(ISOLATED)
    assert hits / SETTING.paths == mode.any_liquidated.value
    worst = np.sort(np.concatenate(losses))[-15:]
    assert mode.shortfall.value == pytest.approx(worst.mean(), rel=1e-4)


def test_the_recommendation_follows_from_the_numbers(found) -> None:  # type: ignore[no-untyped-def]
    able = [mode for mode in found.modes if mode.opens]
    best, lowest = found.mode(found.best), min(able, key=lambda mode: mode.shortfall.value)
    assert best in able and best.shortfall.low <= lowest.shortfall.high
    assert best.name in found.recommendation and found.reasons and found.against
    for finding in found.findings:
        assert finding.command.startswith("bulkhead lab replay 1 --world regimes --path")


def test_it_survives_the_cache_and_becomes_a_page(found) -> None:  # type: ignore[no-untyped-def]
    kept = json.loads(json.dumps(found.as_json(), allow_nan=False))
    assert from_json(kept).as_json() == found.as_json()
    assert from_json(kept).modes == found.modes
    page = render(page_of(from_json(kept)))
    for words in ("isolated", "expected shortfall", "simulated", "seed", "bulkhead lab replay"):
        assert words in page


def test_it_goes_on_where_it_was_stopped(tmp_path: Path, found) -> None:  # type: ignore[no-untyped-def]
    cache = Cache(tmp_path)

    def stop(what: str, done: int, total: int) -> None:
        if done >= 512:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(HELD, SETTING, cache=cache, report=stop)
    kept = list((tmp_path / "samples").rglob("*.npz"))
    assert [file.name for file in kept] == ["0.npz"]
    kept[0].with_name("512.npz").write_bytes(b"cut off")
    again = compare(HELD, SETTING, cache=cache, command=found.command)
    assert again.as_json() == found.as_json()
    assert not list((tmp_path / "samples").rglob("*.npz"))


def test_what_a_world_is_made_from_counts_by_content(tmp_path: Path) -> None:
    """A calibration that is written anew, or a price set more, is another input."""
    file, folder = tmp_path / "numbers.json", tmp_path / "sets"
    folder.mkdir()
    file.write_text("{}")
    assert inputs_of("regimes", None) == []
    before = inputs_of(f"regimes:{file},correlation=one+thin-book", folder)
    assert before[0][0] == str(file) and len(before) == 1
    (folder / "more.parquet").write_bytes(b"more")
    assert inputs_of(f"regimes:{file}", folder)[1][:2] == ["more.parquet", 4]


def test_worlds_with_other_correlations() -> None:
    assert broken_name("regimes", "one") == "regimes,correlation=one"
    assert broken_name("regimes:a.json,correlation=zero,extremes=yes+thin-book:depth=0.1", "flipped") == (
        "regimes:a.json,extremes=yes,correlation=flipped+thin-book:depth=0.1"
    )
    assert can_break("bootstrap:crash-2018-11") and not can_break("event:2020-03-12")


def test_what_cannot_be_compared_is_named() -> None:
    with pytest.raises(PortfolioError, match=r"three.toml: position 2: unknown market 'NONE'; there are ADA, AVAX"):
        compare(replace(HELD, holdings=(HELD.holdings[0], Holding("NONE", 1, 1.0))), SETTING)
    with pytest.raises(DataError, match="no world 'nowhere'"):
        compare(HELD, replace(SETTING, world="nowhere"))
    with pytest.raises(PortfolioError, match="position 1 is less than a lot"):
        compare(replace(HELD, holdings=(Holding("BTC", 1e-9, 100_000.0),)), SETTING)
    with pytest.raises(PortfolioError, match="at least 100 paths"):
        replace(SETTING, paths=10)


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULKHEAD_CACHE", str(tmp_path / "cache"))
    runner = CliRunner()
    page = tmp_path / "page.html"
    words = ["lab", "compare", "examples/portfolios/swing_trader.toml", "--paths", "200", "--days", "0.5"]
    words += ["--broken-paths", "0"]
    first = runner.invoke(app, [*words, "--json"])
    assert first.exit_code == 0, first.output
    again = runner.invoke(app, [*words, "--html", str(page)])
    assert again.exit_code == 0 and "Against it" in again.output and page.stat().st_size > 100_000
    assert json.loads(first.stdout)["recommendation"].split()[0] in again.output
    answers = runner.invoke(app, ["lab", "checklist", *words[2:-2], "--json", "--html", str(page)])
    assert answers.exit_code == 0, answers.output
    told = json.loads(answers.stdout)["answers"]
    assert len(told) == 5 and all(one["verdict"] and one["source"] for one in told)
    assert told[1]["figures"][0]["value"] < told[1]["figures"][2]["value"]
    wrong = runner.invoke(app, ["lab", "compare", str(tmp_path / "none.toml")])
    assert wrong.exit_code == 1 and "none.toml: cannot be read" in wrong.output


def test_a_finding_of_strategies_that_were_searched_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file names no strategies; the command of the finding does, and the loss is the same to the dollar."""
    monkeypatch.setenv("BULKHEAD_CACHE", str(tmp_path / "cache"))
    lines = Path("examples/portfolios/hybrid.toml").read_text().splitlines()
    file = tmp_path / "bare.toml"
    file.write_text("\n".join(line for line in lines if not line.startswith("strategy")))
    words = ["lab", "compare", str(file), "--paths", "400", "--broken-paths", "0", "--collateral", "24000", "--json"]
    told = json.loads(CliRunner().invoke(app, words).stdout)
    assert told["best"] == "strategy"
    for finding in told["findings"]:
        again = CliRunner().invoke(app, [*shlex.split(finding["command"])[1:], "--json"])
        assert again.exit_code == 0, again.output
        parts = json.loads(again.stdout)["accounts"]["strategy"]
        best = next(mode for mode in told["modes"] if mode["name"] == "strategy")
        assert [part["positions"] for part in parts] == [one["symbols"] for one in best["compartments"]]
        assert f"loses {24_000 - sum(part['equity at the end'] for part in parts):,.0f} USD" in finding["what"]
    for partition in ("BTC|ETH", "BTC+ETH+LTC|ADA|BTC", "BTC ETH"):
        wrong = ["lab", "replay", "1", "--portfolio", str(file), "--strategies", partition]
        refused = CliRunner().invoke(app, wrong)
        assert refused.exit_code == 1 and "each in one, not" in refused.output
