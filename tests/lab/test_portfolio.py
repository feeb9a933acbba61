"""Portfolios: the three ways in, and every kind of bad input by name, file and row."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulkhead.lab.portfolio import PortfolioError, load_portfolio

GOOD = """
name = "two"
collateral = 1000

[[positions]]
market = "BTC"
size = 0.5
price = 100000
strategy = "trend"

[[positions]]
market = "ETH-USD"
size = -2
price = 4000
"""


def saved(folder: Path, text: str, name: str = "held.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_toml(tmp_path: Path) -> None:
    found = load_portfolio(saved(tmp_path, GOOD))
    assert found.symbols == ("BTC", "ETH") and found.gross == 58_000 and found.collateral == 1_000
    assert [one.strategy for one in found.holdings] == ["trend", ""]


@pytest.mark.parametrize("name", ["swing_trader", "market_maker", "hybrid"])
def test_examples_are_portfolios(name: str) -> None:
    assert load_portfolio(Path("examples/portfolios") / f"{name}.toml").gross > 0


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("price = 4000", "price = 0", r"held.toml, line 11: position 2 \(ETH-USD\): price is above zero, not 0"),
        ("price = 4000", "price = -1", r"position 2 \(ETH-USD\): price is above zero, not -1"),
        ("price = 4000", "price = nan", r"position 2 \(ETH-USD\): price is a finite number, not nan"),
        ("price = 4000", "price = inf", r"price is a finite number"),
        ("price = 4000", 'price = "much"', r"price is a number, not 'much'"),
        ("price = 4000", "", r"position 2: price is missing"),
        ("size = -2", "size = 0", r"size is above zero for a long and below for a short, not 0"),
        ("size = -2", "size = true", r"size is a finite number, not True"),
        ("ETH-USD", "BTC", r"line 11: position 2 \(BTC\): BTC is held already in position 1 \(BTC\)"),
        ("size = -2", "size = -2\nleverage = 3", r"position 2: 'leverage' is none of its fields"),
        ("collateral = 1000", "", r"held.toml: collateral is a number, not None"),
        ("collateral = 1000", "collateral = -5", r"collateral is an amount of USD above zero, not -5"),
        ("collateral = 1000", "collateral = nan", r"collateral is a finite number, not nan"),
        ("[[positions]]", "[[holdings]]", r"held.toml: 'holdings' is none of its fields"),
        ("= 1000", "= = 1000", r"held.toml: Invalid value \(at line 3"),
    ],
)  # fmt: skip
def test_bad_toml_is_named(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(PortfolioError, match=problem):
        load_portfolio(saved(tmp_path, GOOD.replace(old, new)))


def test_other_files_are_named(tmp_path: Path) -> None:
    for text, name, problem in (
        ("{", "a.json", "a.json: Expecting property name"),
        ("[]", "b.json", "b.json: an export is an object of `positions`"),
        ('{"positions": [], "balance": {"total": {"BTC": 1}}}', "c.json", "balance.total holds an amount of USDT"),
        ("", "d.csv", "d.csv: a portfolio is a .toml file"),
    ):
        with pytest.raises(PortfolioError, match=problem):
            load_portfolio(saved(tmp_path, text, name))
    (tmp_path / "e.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(PortfolioError, match="e.toml: is no text"):
        load_portfolio(tmp_path / "e.toml")
