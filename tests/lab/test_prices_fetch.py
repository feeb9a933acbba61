"""lab/prices/fetch.py and `bulkhead data`: fetching goes on where it stopped, and every failure says what to do."""

from pathlib import Path
from typing import Any

import ccxt
import numpy as np
import pytest
from typer.testing import CliRunner

from bulkhead.cli.main import app
from bulkhead.lab.prices import DataError, list_sets, load
from bulkhead.lab.prices import fetch as fetching
from bulkhead.lab.prices.fetch import DAY_MS, FetchError, fetch, open_exchange

MINUTE_MS = 60_000
UNTIL_MS = 20_000 * DAY_MS


class Venue:
    """An exchange that answers from a formula, page by page, and can go silent."""

    id = "venue"

    def __init__(
        self,
        page: int = 700,
        silent_after: int | None = None,
        listed_ms: int = 0,
        coins: tuple[str, ...] = ("BTC", "ETH"),
    ) -> None:
        self.has: dict[str, Any] = {"fetchFundingRateHistory": True}
        self.timeframes = {"1m": "1m"}
        self.page, self.silent_after, self.listed_ms, self.coins = page, silent_after, listed_ms, coins
        self.asked: list[str] = []

    def load_markets(self) -> dict[str, dict[str, Any]]:
        swaps = {
            f"{coin}/{quote}:{quote}": {"base": coin, "quote": quote, "settle": quote, "swap": True}
            for coin in self.coins
            for quote in ("USD", "USDT")
        }
        return {"BTC/USDT": {"base": "BTC", "quote": "USDT", "settle": None, "swap": False}, **swaps}

    def answer(self, symbol: str) -> None:
        if self.silent_after is not None and len(self.asked) >= self.silent_after:
            raise ccxt.NetworkError("venue went silent")
        self.asked.append(symbol)

    def fetch_ohlcv(self, symbol: str, timeframe: str, since: int, limit: int) -> list[list[float]]:
        self.answer(symbol)
        first = -(-max(since, self.listed_ms) // MINUTE_MS) * MINUTE_MS
        times = range(first, min(first + self.page * MINUTE_MS, UNTIL_MS + 5 * MINUTE_MS), MINUTE_MS)
        return [[time, 100.0, 101.0, 99.0, 100.5, 3.0] for time in times]

    def fetch_funding_rate_history(self, symbol: str, since: int, limit: int) -> list[dict[str, Any]]:
        self.answer(symbol)
        first = -(-since // (8 * 60 * MINUTE_MS)) * 8 * 60 * MINUTE_MS
        return [{"timestamp": time, "fundingRate": 1e-4} for time in range(first, UNTIL_MS, 8 * 60 * MINUTE_MS)]


def test_a_fetched_set_is_whole_listed_and_loads(tmp_path: Path) -> None:
    shares: dict[str, list[float]] = {"BTC": [], "ETH": []}

    def watch(symbol: str, share: float) -> None:
        shares[symbol].append(share)

    note = fetch(Venue(), ["BTC", "ETH"], UNTIL_MS, 3, tmp_path, progress=watch)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        note.stem + ending for ending in (".funding.parquet", ".json", ".parquet")
    )
    data = load(note.stem, tmp_path)
    assert data.symbols == ("BTC", "ETH") and not data.simulated and "ccxt" in data.source
    for bars in data.bars.values():
        assert (len(bars), bars.interval_ms, bars.gaps()) == (3 * 1440, MINUTE_MS, [])
        assert (bars.time_ms[0], bars.end_ms) == (UNTIL_MS - 3 * DAY_MS, UNTIL_MS)
    assert np.diff(data.funding["ETH"].time_ms).tolist() == [8 * 60 * MINUTE_MS] * 8
    assert note.stem in {one.name for one in list_sets(tmp_path) if one.present}
    for seen in shares.values():
        assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) > 3


def test_a_complete_set_is_not_fetched_again(tmp_path: Path) -> None:
    note = fetch(Venue(), ["BTC"], UNTIL_MS, 1, tmp_path)
    silent = Venue(silent_after=0)
    assert fetch(silent, ["BTC"], UNTIL_MS, 1, tmp_path) == note
    assert silent.asked == []


# One market's day is 3 pages of bars, then 1 of funding and the empty one that ends it: what is whole after how many.
FINISHED = (0, 3, 5, 8, 10)


def test_a_run_cut_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = Venue()
    fetch(whole, ["BTC", "ETH"], UNTIL_MS, 1, tmp_path / "whole")
    for cut in range(len(whole.asked)):
        out = tmp_path / str(cut)
        first, again = Venue(silent_after=cut), Venue()
        with pytest.raises(FetchError, match=r"venue cannot be reached \(venue went silent\)"):
            fetch(first, ["BTC", "ETH"], UNTIL_MS, 1, out)
        assert list(out.glob("*.json")) == [] and list(out.glob("*.parquet")) == []
        note = fetch(again, ["BTC", "ETH"], UNTIL_MS, 1, out)
        # A market's bars, and its funding, are fetched anew or not at all.
        assert len(again.asked) == len(whole.asked) - max(done for done in FINISHED if done <= cut)
        assert len(load(note.stem, out).bars["ETH"]) == 1440


def test_a_market_that_is_too_young_is_named(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="venue has no bars of BTC/USDT:USDT at 2024-09-27; ask for fewer days"):
        fetch(Venue(listed_ms=UNTIL_MS - 3 * DAY_MS), ["BTC"], UNTIL_MS, 7, tmp_path)


@pytest.mark.parametrize(
    ("symbols", "days", "interval", "message"),
    [
        (["GOLD"], 1, "1m", "venue has no perpetual of GOLD settled in USDT, USDC, USD"),
        (["BTC"], 1, "7m", "venue has no 7m bars; it has 1m"),
        (["BTC"], 0, "1m", "at least one day"),
        ([], 1, "1m", "one or more symbols"),
        (["BTC", "BTC"], 1, "1m", "each once"),
    ],
)
def test_a_wrong_wish_is_named(tmp_path: Path, symbols: list[str], days: int, interval: str, message: str) -> None:
    with pytest.raises(FetchError, match=message):
        fetch(Venue(), symbols, UNTIL_MS, days, tmp_path, interval=interval)


def test_a_refusal_of_the_exchange_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> list[list[float]]:
        raise ccxt.BadRequest("not from your country")

    monkeypatch.setattr(Venue, "fetch_ohlcv", refuse)
    with pytest.raises(FetchError, match="venue refused: not from your country"):
        fetch(Venue(), ["BTC"], UNTIL_MS, 1, tmp_path)


def test_an_exchange_without_funding_history_gives_bars_alone(tmp_path: Path) -> None:
    venue = Venue()
    venue.has = {"fetchFundingRateHistory": False}
    data = load(fetch(venue, ["BTC"], UNTIL_MS, 1, tmp_path).stem, tmp_path)
    assert dict(data.funding) == {}


def test_a_note_that_is_not_ours_is_named(tmp_path: Path) -> None:
    note = fetch(Venue(), ["BTC"], UNTIL_MS, 1, tmp_path)
    note.write_text("[1, 2")
    with pytest.raises(DataError, match="not a note of `bulkhead data fetch`"):
        load(note.stem, tmp_path)


def test_ccxt_without_a_network_says_what_to_do(tmp_path: Path) -> None:
    exchange = open_exchange("binanceusdm")
    # A port nobody listens on, so that the test does not depend on whether this machine has a network.
    exchange.httpsProxy = "http://127.0.0.1:9"  # type: ignore[attr-defined]
    with pytest.raises(FetchError, match="binanceusdm cannot be reached .* Check the network"):
        fetch(exchange, ["BTC"], UNTIL_MS, 1, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_fetches_and_the_list_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "open_exchange", lambda name: Venue())
    monkeypatch.setattr("time.time", lambda: (UNTIL_MS + 3 * 3600_000) / 1000)
    run = CliRunner()
    arguments = ["data", "fetch", "--symbols", "btc, eth", "--days", "2", "--out", str(tmp_path)]
    result = run.invoke(app, arguments)
    assert result.exit_code == 0, result.output
    name = "venue-20241004t0000-2d-1m-btc-eth"
    assert f"{name} is in {tmp_path}" in result.output
    shown = run.invoke(app, ["data", "list", "--data", str(tmp_path)], env={"COLUMNS": "200"})
    assert name in shown.output and "crash-2018-11" in shown.output and "simulated-SEED" in shown.output


def test_the_command_says_what_is_wrong_without_a_traceback(tmp_path: Path) -> None:
    run = CliRunner()
    unknown = run.invoke(app, ["data", "fetch", "--exchange", "nowhere", "--out", str(tmp_path)])
    assert unknown.exit_code == 1 and "ccxt knows no exchange nowhere" in unknown.output
    missing = run.invoke(app, ["data", "list", "--data", str(tmp_path / "none")])
    assert missing.exit_code == 1 and "no such folder of price sets" in missing.output
