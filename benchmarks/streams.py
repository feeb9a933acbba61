"""Streams: from sending an order until each of a hundred subscribers has it in its book, and what idle sockets cost.

The node runs in a process of its own; the client, which sends orders and reads a hundred sockets, shares its cores.
Every order is signed, journalled and on the disk before the book tells of it. The reference is the design's: 50 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from benchmarks import Row
from benchmarks.api import ask, requests_of
from tests.api.live import Trader
from tests.api.remote import Remote

SUBSCRIBERS = 100
IDLE = 1_000
ORDERS = 400
PACES = (20, 200)  # orders a second: far apart, and several to a frame
PATH = "/stream.extended.exchange/v1/orderbooks/BTC-USD"
TARGET_MS = 50


def run() -> list[Row]:
    """All rows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * IDLE)), hard))
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as name:
        remote = Remote(Path(name), dollars=100_000_000)
        try:
            trader = Trader(remote, 900)
            trader.claim()
            host, port = remote.url.removeprefix("http://").split(":")
            rows = []
            for pace in PACES:
                requests = requests_of([trader], ORDERS, host)
                delays = asyncio.run(measured(remote.url, int(port), requests, pace))
                trader.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
                for label, part in (("p50", 0.5), ("p99", 0.99)):
                    value = 1000 * delays[int(part * (len(delays) - 1))]
                    rows.append(row(f"Book delta to {SUBSCRIBERS} subscribers at {pace}/s, {label}", value, "ms"))
            before = resident_kb(remote.process.pid)
            grown = asyncio.run(idle(remote.url, lambda: resident_kb(remote.process.pid)))
            rows.append({**row("Node's memory for an idle socket", (grown - before) / IDLE, "kB"), "reference": ""})
        finally:
            remote.stop()
    return rows


def row(figure: str, value: float, unit: str) -> Row:
    """One figure beside the target."""
    return {"figure": figure, "value": value, "unit": unit, "reference": TARGET_MS, "ratio": ""}


async def measured(url: str, port: int, requests: list[bytes], pace: int) -> list[float]:
    """Seconds from sending an order to each subscriber's frame that has it, sorted. The n-th level that is told is
    the n-th order's, for one connection sends them in order and no two change one level in one frame alone."""
    sent: list[float] = []
    seen: list[list[float]] = [[] for _ in range(SUBSCRIBERS)]
    async with aiohttp.ClientSession() as session, contextlib.AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(session.ws_connect(url.replace("http", "ws", 1) + PATH, compress=0))
            for _ in range(SUBSCRIBERS)
        ]
        for socket in sockets:
            await socket.receive_json()

        async def read(socket: aiohttp.ClientWebSocketResponse, mine: list[float]) -> None:
            lots = 0
            while lots < len(requests):
                frame = await socket.receive_json()
                now = time.perf_counter()
                # Every order adds one thousandth of a coin, so what a frame adds says how many orders it tells of.
                lots += round(sum(float(level["q"]) for level in frame["data"]["b"] + frame["data"]["a"]) * 1000)
                mine.extend([now] * (lots - len(mine)))

        reading = [asyncio.create_task(read(*pair)) for pair in zip(sockets, seen, strict=True)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start = time.perf_counter()
        for number, request in enumerate(requests):
            await asyncio.sleep(max(0.0, start + number / pace - time.perf_counter()))
            sent.append(time.perf_counter())
            await ask(reader, writer, request)
        await asyncio.wait_for(asyncio.gather(*reading), 30)
        writer.close()
    return sorted(at - begun for mine in seen for at, begun in zip(mine, sent, strict=True))


async def idle(url: str, size_kb: Callable[[], float]) -> float:
    """The node's size with so many sockets that do nothing."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        where = url.replace("http", "ws", 1) + PATH
        sockets = []
        for _ in range(IDLE // 50):
            sockets += await asyncio.gather(*(session.ws_connect(where, compress=0) for _ in range(50)))
        await asyncio.sleep(1)
        found = size_kb()
        for socket in sockets:
            await socket.close()
    return found


def resident_kb(process: int) -> float:
    """Memory of a process."""
    line = next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return float(line.split()[1])


if __name__ == "__main__":
    for each in run():
        print(f"{each['figure']:60} {each['value']:12,.2f} {each['unit']}")
