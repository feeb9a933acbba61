"""Units: mixing two of them is an error of the type checker, and costs nothing while running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from mypy import api

from bulkhead import units

ROOT = Path(__file__).resolve().parents[1]
HEAD = """from bulkhead.units import *
from bulkhead.units import AccountId, MarketId
quote, worth, size, price = Quote(1), Worth(1), Size(1), Price(1)
book, share, asked, index = BookPrice(1), Fraction(1), Requirement(1), FundingIndex(1)
account, market = AccountId(64), MarketId(1)
def needs_quote(amount: Quote) -> None: ...
def needs_account(account_id: AccountId) -> None: ...
"""
WRONG = [
    "quote + size",
    "quote + worth",
    "quote - asked",
    "quote + 1",
    "price + book",
    "price * price",
    "size * size",
    "quote * share",
    "quote * quote",
    "worth * size",
    "share * price",
    "asked * share",
    "quote < worth",
    "quote == size",
    "price // share",
    "price / share",
    "needs_quote(worth)",
    "needs_quote(5)",
    "needs_quote(size * price)",
    "needs_quote(max(quote, 0))",
    "needs_account(market)",
    "Quote(1.5)",
]
RIGHT = [
    "needs_quote(quote + quote - quote)",
    "needs_quote(-abs(quote))",
    "needs_quote(max(quote, Quote(0)))",
    "needs_quote(size * book)",
    "needs_quote(book * size)",
    "worth + size * price",
    "worth + price * size",
    "worth - index * size + size * index",
    "asked + worth * share",
    "quote < quote",
    "int(quote) + int(size)",
    "needs_account(account)",
]


@pytest.fixture(scope="module")
def complaints() -> Iterator[dict[int, str]]:
    """One run of mypy over a file with one statement a line: its complaints by line."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MYPYPATH", str(ROOT / "src"))
        file = Path(folder) / "snippets.py"
        file.write_text(HEAD + "\n".join(WRONG + RIGHT) + "\n", encoding="utf-8")
        out, problem, _ = api.run(["--strict", "--no-incremental", "--config-file=", str(file)])
    assert not problem
    found: dict[int, str] = {}
    for line in out.splitlines():
        if line.startswith(str(file)) and ": error: " in line:
            found[int(line.removeprefix(f"{file}:").split(":")[0])] = line
    yield found


def line_of(statement: str) -> int:
    """Where a statement stands in the file."""
    return HEAD.count("\n") + (WRONG + RIGHT).index(statement) + 1


@pytest.mark.parametrize("statement", WRONG)
def test_mixing_units_is_an_error_of_the_type_checker(statement: str, complaints: dict[int, str]) -> None:
    assert line_of(statement) in complaints


@pytest.mark.parametrize("statement", RIGHT)
def test_what_means_something_is_allowed(statement: str, complaints: dict[int, str]) -> None:
    assert line_of(statement) not in complaints


def test_units_are_plain_integers_at_run_time() -> None:
    names = ("Quote", "Worth", "Requirement", "Fraction", "Size", "Price", "BookPrice", "FundingIndex")
    assert all(getattr(units, name) is int for name in names)
