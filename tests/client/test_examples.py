"""The examples run as a reader would run them, each in a process of its own, against a venue with a maker."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.api.live import Live, Trader
from tests.clients.environments import python_of

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = ("first_trade.py", "market_maker.py", "hedged_pair.py", "ccxt_bot.py")


@pytest.fixture(scope="module")
def maker(live: Live) -> Trader:
    """Quotes both sides of two markets."""
    trader = Trader(live, 303)
    for _ in range(5):
        trader.claim()
    for side, price in (("BUY", "59950"), ("SELL", "60050")):
        trader.placed(side, "2", price)
    for side, price in (("BUY", "2990"), ("SELL", "3010")):
        trader.placed(side, "20", price, market="ETH-USD")
    return trader


def run(name: str, *arguments: str, python: Path = Path(sys.executable)) -> subprocess.CompletedProcess[str]:
    """An example in a process of its own."""
    command = [str(python), str(EXAMPLES / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def said(result: subprocess.CompletedProcess[str]) -> str:
    """What it printed, in one line."""
    assert result.returncode == 0, result.stdout + result.stderr
    return " ".join(result.stdout.split())


def test_a_first_trade(live: Live, maker: Trader) -> None:
    found = said(run("first_trade.py", live.url))
    assert "with 100,000 USD" in found
    assert all(mode in found for mode in ("cross", "isolated", "strategy", "scenario"))
    assert "bought 0.01 at 60,050" in found and "LONG 0.01 BTC-USD, isolated" in found
    assert "sold 0.01 at 59,950; 99,9" in found


def test_a_hedged_pair(live: Live, maker: Trader) -> None:
    found = said(run("hedged_pair.py", live.url))
    assert "has 1,000 USD of its own" in found
    assert "LONG BTC-USD" in found and "SHORT ETH-USD" in found
    assert "99,000.00 USD cannot be touched by it" in found and "closed: -" in found


def test_a_market_maker(live: Live, maker: Trader) -> None:
    taker = Trader(live, 909)
    taker.claim()
    command = [sys.executable, str(EXAMPLES / "market_maker.py"), live.url, "6"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    quotes: set[str] = set()
    for turn in range(25):
        live.source.now["ETH-USD"] = 3_000 + turn % 5
        book = taker.get("/info/markets/ETH-USD/orderbook")
        quotes |= {level["price"] for level in book["bid"] + book["ask"] if level["qty"] == "0.5"}
        if quotes and turn % 5 == 4:
            taker.place(taker.order("BUY", "0.5", "3009", market="ETH-USD", type="MARKET", timeInForce="IOC"))
        if process.poll() is not None:
            break
        time.sleep(0.25)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, out + err
    found = " ".join(out.split())
    assert len(quotes) > 2 and "sold 0.5 at" in found
    assert "quotes; holds -" in found
    left = taker.get("/info/markets/ETH-USD/orderbook")
    assert all(level["qty"] != "0.5" for level in left["bid"] + left["ask"])
    live.source.now["ETH-USD"] = 3_000.0


def wait(seconds: float) -> None:
    """Let time pass for the other process."""
    import time

    time.sleep(seconds)


def test_a_bot_with_ccxt(live: Live, maker: Trader) -> None:
    trader = Trader(live, 808)
    trader.claim()
    found = said(run("ccxt_bot.py", live.url, trader.api_key, hex(trader.private), python=python_of("ccxt")))
    assert "59,950.0 / 60,050.0; balance 100,000.0 USDC" in found
    assert "rests: open" in found and "bought 0.01 at 60,050" in found and "closed: closed" in found


@pytest.mark.parametrize("name", NAMES)
def test_an_example_says_what_it_needs_and_what_went_wrong(name: str) -> None:
    python = python_of("ccxt") if name == "ccxt_bot.py" else Path(sys.executable)
    asked = run(name, python=python)
    assert asked.returncode == 1 and f"python examples/{name} URL" in asked.stderr
    more = ("key", "0x1") if name == "ccxt_bot.py" else ()
    nowhere = run(name, "http://127.0.0.1:9", *more, python=python)
    assert nowhere.returncode == 1 and "Traceback" not in nowhere.stderr
    assert "refused" in nowhere.stderr or "Unreachable" in nowhere.stderr
