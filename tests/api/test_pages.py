"""Parts of lists at their ends: cursors, limits, markets that are named twice."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from bulkhead.node.store.tables import funding_rates
from tests.api.live import Live, Trader

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
HOURS = 60


@pytest.fixture(scope="module")
def rates(live: Live) -> int:
    """Sixty hours of funding; the time of the last. Derived rows are put in, for hours do not pass in a test."""
    last_ms = 20_000 * DAY_MS
    rows = [
        {
            "rate_id": number, "market_id": 1, "time_ms": last_ms - (HOURS - number) * HOUR_MS, "rate": "0.0001",
            "index_price": "60000", "open_lots": number,
        }
        for number in range(1, HOURS + 1)
    ]  # fmt: skip
    with live.node.database.engine.begin() as connection:
        live.node.database.upsert(connection, funding_rates, rows)
    return last_ms


def pages(trader: Trader, path: str, limit: int, **query: Any) -> list[Any]:
    """Every row, page by page."""
    found, cursor = [], {}
    for _ in range(200):
        body = trader.http.get(f"/api/v1{path}", params={**query, **cursor, "limit": limit}).json()
        assert body["pagination"]["count"] == len(body["data"]) <= limit
        found += body["data"]
        if "cursor" not in body["pagination"]:
            return found
        assert body["data"], "there is more, so a page is not empty"
        cursor = {"cursor": body["pagination"]["cursor"]}
    raise AssertionError("no page was the last")


def test_pages_of_every_length_are_the_whole_list_newest_first(
    live: Live, maker: Trader, taker: Trader, rates: int
) -> None:
    for price in range(60_000, 60_005):
        maker.placed("SELL", "0.01", str(price))
        taker.placed("BUY", "0.01", str(price))
    lists = (
        ("/user/trades", "id"), ("/user/orders/history", "id"), ("/user/assetOperations", "id"),
        ("/user/positions/history", "id"), ("/info/BTC-USD/funding", "T"),
    )  # fmt: skip
    for path, key in lists:
        keys = [int(row[key]) for row in maker.get(path)]
        for limit in (1, 2, len(keys), len(keys) + 1):
            assert [int(row[key]) for row in pages(maker, path, limit)] == keys, path
        assert keys == sorted(set(keys), reverse=True)
        assert pages(maker, path, 1, cursor=0) == [], path
    assert len(maker.get("/info/BTC-USD/funding")) == HOURS


def test_a_limit_counts_what_is_given(live: Live, maker: Trader, rates: int) -> None:
    def told(**query: Any) -> list[Any]:
        found: list[Any] = maker.get("/info/BTC-USD/open-interests", endTime=rates, **query)
        return found

    assert [row["t"] for row in told(interval="PT1H", limit=3)] == [rates - hour * HOUR_MS for hour in range(3)]
    days = told(interval="P1D", limit=2)
    assert [row["t"] for row in days] == [rates, rates - HOUR_MS], "the last of each day"
    assert len(told(interval="P1D", limit=30)) == len({(rates - hour * HOUR_MS) // DAY_MS for hour in range(HOURS)})
    assert told(interval="PT1H", limit=30, startTime=rates + 1) == []
    size = [row["I"] for row in told(interval="PT1H")]
    assert all(float(one) > float(other) for one, other in itertools.pairwise(size))


def test_a_market_that_is_named_twice_is_told_once(maker: Trader) -> None:
    twice = {"market": ["BTC-USD", "ETH-USD", "BTC-USD"]}
    for path in ("/info/markets", "/user/fees", "/user/leverage"):
        found = maker.http.get(f"/api/v1{path}", params=twice).json()["data"]
        assert [row.get("name", row.get("market")) for row in found] == ["BTC-USD", "ETH-USD"]
