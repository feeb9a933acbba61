"""lab/stress.py and the lab's commands of worlds: every crash under every mode, and each failure seen again."""

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bulkhead.cli.main import app
from bulkhead.lab.finding import Finding
from bulkhead.lab.kernel import Accounts
from bulkhead.lab.portfolio import load_portfolio
from bulkhead.lab.stress import CRASHES, Absent, Row, accounts_of, cases, stress, venue_for
from tests.conftest import real_data

REAL = real_data()
PORTFOLIO = """
name = "pair"
collateral = 10_000
[[positions]]
market = "BTC"
size = 0.4
price = 100_000
strategy = "core"
[[positions]]
market = "XRP"
size = -8_000
price = 2.5
strategy = "hedge"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "pair.toml"
    path.write_text(PORTFOLIO)
    return path


def run(*words: str) -> str:
    """What a command prints, after checking that it worked."""
    done = CliRunner().invoke(app, ["lab", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_same_money_stands_behind_every_mode(file: Path) -> None:
    held = load_portfolio(file)
    venue = venue_for(held)
    modes = accounts_of(venue, held)
    assert list(modes) == ["isolated", "cross", "strategy", "scenario"]
    for _, accounts in modes.values():
        assert isinstance(accounts, Accounts)
        worth = accounts.balance + accounts.size @ venue.start
        assert worth.sum() / 1e6 == pytest.approx(10_000, abs=1e-4)
        assert accounts.size.sum(axis=0).tolist() == modes["cross"][1].size[0].tolist()
    assert modes["strategy"][0].tolist() == [[True, False], [False, True]]


def test_crashes_hurt_as_they_should_and_absent_data_are_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BULKHEAD_DATA", raising=False)
    held = load_portfolio(file)
    found = list(
        stress(held, cases("regimes", 40, 2.0, 300_000, None), seed=1, step_ms=300_000, data_dir=None)
    )
    absent = [one for one in found if isinstance(one, Absent)]
    assert len(absent) == 6 and all("needs a folder of sets" in one.reason for one in absent)
    rows = {(one.title, one.mode): one for one in found if isinstance(one, Row)}
    assert len(rows) == 4 * (1 + len(CRASHES))
    calm, fall = rows["nothing but the world itself", "cross"], rows["a fall of 30 %", "cross"]
    assert calm.kept == pytest.approx(10_000, rel=0.1) and calm.liquidated.value < 0.1
    # The short carries the long through the fall, but only where both stand behind each other.
    alone = rows["a fall of 30 %", "isolated"]
    assert alone.liquidated.low > 0.85 and fall.liquidated.value == 0 and fall.kept < 0.8 * calm.kept
    assert rows["a fall of 30 %", "strategy"].kept == pytest.approx(alone.kept)
    blind = rows["the fall, and no oracle price for its first hour", "isolated"]
    assert blind.debt > alone.debt
    assert rows["the fall while the exchange is down", "isolated"].stuck > 0.9 and fall.stuck == 0
    thin = rows["the fall into a book of a tenth of its depth", "isolated"]
    assert thin.slippage_bp is not None and alone.slippage_bp is not None and thin.slippage_bp > alone.slippage_bp
    peg = rows["the fall, and the collateral loses its peg", "isolated"]
    assert peg.kept < alone.kept


def test_every_failure_is_seen_again_by_its_own_command(file: Path) -> None:
    said = json.loads(run("stress", str(file), "--paths", "30", "--days", "1", "--json"))
    failures = [row for row in said["rows"] if row["replay"]]
    assert len(failures) >= 12
    for row in failures[:: max(1, len(failures) // 6)]:
        words = shlex.split(row["replay"])
        assert words[:3] == ["bulkhead", "lab", "replay"]
        again = json.loads(run(*words[2:], "--json"))
        accounts = again["accounts"][row["mode"]]
        step = int(words[words.index("--step") + 1])
        assert min(one["first liquidation"] for one in accounts if one["first liquidation"] >= 0) == step
        equity = sum(one["equity at the end"] for one in accounts)
        if "depeg" not in row["replay"]:
            assert equity == pytest.approx(row["kept, worst"], abs=0.01) or row["kept, worst"] < equity
        assert again["seed"] == said["seed"] and again["step"] == step


def test_replay_shows_the_path_of_the_world(file: Path) -> None:
    asked = "replay 3 --world gaussian --path 7 --step 20 --steps 50 --symbols BTC,ETH"
    shown = run(*asked.split())
    assert "seed 3, path 7, 50 steps" in shown and "lowest close" in shown
    one, other = (json.loads(run("replay", "3", "--path", str(path), "--json")) for path in (5, 5))
    assert one == other
    for words, message in (
        (["--world", "moon"], "no world"), (["--steps", "5", "--step", "9"], "step 9 of a path of 5"),
        (["--portfolio", str(file.with_name("none.toml"))], "none.toml"),
    ):  # fmt: skip
        done = CliRunner().invoke(app, ["lab", "replay", "1", *words])
        assert done.exit_code == 1 and message in done.output


def test_a_finding_names_everything_its_path_depends_on() -> None:
    finding = Finding("regimes+fall", 4, 9, 33, "lost", "my file.toml", 100, ("BTC", "ETH"), 60_000)
    words = shlex.split(finding.command)
    assert words[:9] == ["bulkhead", "lab", "replay", "4", "--world", "regimes+fall", "--path", "9", "--step"]
    assert " ".join(words[9:]) == "33 --portfolio my file.toml --steps 100 --symbols BTC,ETH --step-ms 60000"
    assert str(finding).splitlines()[0] == "lost"


def test_worlds_scripts_and_events_are_listed() -> None:
    shown = run("worlds")
    assert all(name in shown for name in ("regimes", "bootstrap", "dead-oracle", "one-hand", "2025-10-10"))


def simulated_table(path: Path) -> Path:
    """Hourly bars of two markets, two months, with one row doubled and one price missing."""
    random = np.random.default_rng(8)
    lines = ["time,symbol,open,high,low,close,volume"]
    hours = np.datetime64("2024-01-01T00:00") + np.arange(1_500) * np.timedelta64(1, "h")
    for symbol in ("AAA", "BBB"):
        close = 100 * np.exp(np.cumsum(0.01 * random.standard_t(4, 1_500)))
        opened = np.concatenate([[100.0], close[:-1]])
        for hour, first, last in zip(hours, opened, close, strict=True):
            top, bottom = max(first, last) * 1.001, min(first, last) * 0.999
            lines.append(f"{hour}:00Z,{symbol},{first:.6f},{top:.6f},{bottom:.6f},{last:.6f},1")
    lines.insert(100, lines[99])
    lines[400] = re.sub(r",[\d.]+,1$", ",NaN,1", lines[400])
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_users_own_table_is_refused_mended_and_fitted(tmp_path: Path) -> None:
    table, out = simulated_table(tmp_path / "mine.csv"), tmp_path / "mine.json"
    words = ["fit", str(table), "--regimes", "2", "--out", str(out)]
    for more, message in (
        ([], "AAA time is there twice (row 100"),
        (["--mend"], "no bars of AAA from"),
        (["--gaps", "guess"], "--gaps is"),
    ):  # fmt: skip
        done = CliRunner().invoke(app, ["lab", *words, *more], env={"COLUMNS": "400"})
        assert done.exit_code == 1 and message in " ".join(done.output.split()), done.output
    page = tmp_path / "fit.html"
    said = json.loads(run(*words, "--mend", "--gaps", "skip", "--json", "--no-errors", "--html", str(page)))
    text = page.read_text()
    assert "Fit of AAA, BBB" in text and "was there twice" in text and "autocorrelation" in text
    notes = " ".join(said["calibration"]["notes"])
    assert "was there twice" in notes and "had prices that cannot be" in notes and "no path touches it" in notes
    assert said["returns"] == 1_497 and {one["figure"] for one in said["goodness"]} >= {"kurtosis", "worst step"}
    assert said["calibration"]["symbols"] == ["AAA", "BBB"]
    shown = run("replay", "1", "--world", f"regimes:{out}", "--steps", "24")
    assert "mine" in shown and "BBB" in shown


def test_what_cannot_be_run_at_all_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BULKHEAD_DATA", raising=False)
    file.write_text(PORTFOLIO.replace("XRP", "SUI"))
    for words, problem in (
        (["--paths", "2"], "pair.toml: position 2: unknown market 'SUI'; there are ADA"),
        (["--paths", "2", "--world", "recorded:none.csv"], "none.csv: no such file"),
    ):
        done = CliRunner().invoke(app, ["lab", "stress", str(file), *words, "--html", str(file.with_suffix(".html"))])
        assert done.exit_code == 1 and problem in done.output, done.output
    file.write_text(PORTFOLIO)
    done = CliRunner().invoke(app, ["lab", "stress", str(file), "--paths", "2", "--world", "regimes+within"])
    assert done.exit_code == 1 and "no crash could be run; nothing but the world itself: within: " in done.output
