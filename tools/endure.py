"""Trade on a running node for an hour, and see whether its memory stays flat.

    python tools/endure.py [--minutes 60] [--rate 200] [--folder DIR]

Signed limit orders around the index at a steady rate from eight traders, of which every tenth crosses the book; now and
then all are cancelled. Told every minute: orders, time to acknowledgement, memory. What is remembered of orders is
bounded by their life (ten minutes) and by number, and full after some twenty minutes at the usual rate; so growth is
judged in the second half, and more than two megabytes in ten minutes is a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.api import ask, request_of  # noqa: E402
from tests.api.live import Trader  # noqa: E402
from tests.api.remote import Remote  # noqa: E402

TRADERS = 8
CHUNK = 100  # orders for one look at the index
LIFE_S = 600
CANCEL_S = 5.0
GROWTH_MAX_MB = 2.0  # in ten minutes of the second half
DOLLARS = 100_000_000


def memory_mb(process: int) -> float:
    """What a process holds in memory now."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def order_of(trader: Trader, number: int, index: float) -> dict[str, Any]:
    """An order that rests within a few percent of the index; every tenth takes a little of what rests."""
    is_buy, is_taking = bool(number % 2), number % 10 == 0
    away = 0.02 if is_taking else -0.01 - 0.0001 * (number % 97)
    price = round(index * (1 + (away if is_buy else -away)))
    return trader.order("BUY" if is_buy else "SELL", "0.001", str(price), life_s=LIFE_S)


def index_now(trader: Trader) -> float:
    """Of the market that is traded."""
    answer = trader.http.get("/api/v1/info/markets/BTC-USD/stats").json()
    return float(answer["data"]["indexPrice"])


async def trade(remote: Remote, traders: list[Trader], rate: float, seconds: float) -> list[tuple[float, float]]:
    """Send at a rate; (minutes, megabytes) of every ten seconds."""
    host, port = remote.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    began, sent, cancelled, told = time.perf_counter(), 0, 0.0, 0.0
    waits: list[float] = []
    seen: list[tuple[float, float]] = []
    while (passed := time.perf_counter() - began) < seconds:
        index = await asyncio.to_thread(index_now, traders[0])
        for place in range(CHUNK):
            trader = traders[(place // 2) % TRADERS]
            request = request_of(trader, host, order_of(trader, place, index))
            await asyncio.sleep(max(0.0, began + sent / rate - time.perf_counter()))
            asked = time.perf_counter()
            await ask(reader, writer, request)
            waits.append(time.perf_counter() - asked)
            sent += 1
        if passed - cancelled > CANCEL_S:
            cancelled = passed
            for trader in traders:
                await asyncio.to_thread(trader.http.post, "/api/v1/user/order/massCancel", json={"cancelAll": True})
        if passed - (seen[-1][0] * 60 if seen else -10) >= 10:
            seen.append((passed / 60, memory_mb(remote.process.pid)))
        if passed - told >= 60:
            told, ordered = passed, sorted(waits)
            p50, p99 = (1000 * ordered[int(part * (len(ordered) - 1))] for part in (0.5, 0.99))
            times = f"{p50:5.1f} ms p50  {p99:6.1f} ms p99"
            print(f"{passed / 60:5.1f} min  {sent:8,} orders  {times}  {seen[-1][1]:7.1f} MB", flush=True)
            waits.clear()
    writer.close()
    return seen


def growth_mb(seen: list[tuple[float, float]]) -> float:
    """Megabytes in ten minutes, by least squares over the second half."""
    half = seen[len(seen) // 2 :]
    middle = sum(minute for minute, _ in half) / len(half)
    level = sum(memory for _, memory in half) / len(half)
    spread = sum((minute - middle) ** 2 for minute, _ in half)
    return 10 * sum((minute - middle) * (memory - level) for minute, memory in half) / max(spread, 1e-9)


def main() -> int:
    """0 if memory was flat."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=200.0, help="orders a second")
    parser.add_argument("--folder", type=Path, help="where the node lives; a temporary one by default")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bulkhead-endure-") as name:
        remote = Remote(chosen.folder or Path(name), dollars=DOLLARS)
        try:
            traders = [Trader(remote, 700 + number) for number in range(TRADERS)]
            for trader in traders:
                trader.claim()
            seen = asyncio.run(trade(remote, traders, chosen.rate, 60 * chosen.minutes))
        finally:
            remote.stop()
    growth = growth_mb(seen)
    print(f"from {seen[0][1]:.1f} to {seen[-1][1]:.1f} MB; in the second half {growth:+.2f} MB in ten minutes")
    return int(growth > GROWTH_MAX_MB)


if __name__ == "__main__":
    sys.exit(main())
