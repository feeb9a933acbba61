"""The interface end to end: signed limit orders over HTTP keep-alive, answered when they are journalled and handled.

The node runs in a process of its own, client and node share the machine's cores (two, where the figures are quoted).
Orders are signed beforehand; each signature is checked and each order is on the disk before its answer. The client is
the smallest that keeps HTTP/1.1: what it costs is taken from the node.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import Row
from bulkhead.node.store.database import Database
from tests.api.live import Trader
from tests.api.remote import Remote

CONNECTIONS = 8
ORDERS = 12_000
PACED = 500  # a second
PACED_S = 8
TRADERS = 8
QUANTILES = (("p50", 0.5), ("p99", 0.99))


def requests_of(traders: list[Trader], count: int, host: str) -> list[bytes]:
    """Signed limit orders that rest, as the bytes that go out, taking turns among traders, sides and prices."""
    found = []
    for number in range(count):
        trader = traders[number % len(traders)]
        side, price = ("BUY", 59_000 - number % 97) if number % 2 else ("SELL", 61_000 + number % 97)
        found.append(request_of(trader, host, trader.order(side, "0.001", str(price))))
    return found


def request_of(trader: Trader, host: str, order: dict[str, Any]) -> bytes:
    """One order as the bytes that go out."""
    body = json.dumps(order).encode()
    head = (
        f"POST /api/v1/user/order HTTP/1.1\r\nHost: {host}\r\nX-Api-Key: {trader.api_key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bytes:
    """One request and its answer's first line."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    body = await reader.readexactly(length)
    assert head.startswith(b"HTTP/1.1 200"), body
    return head


async def rush(host: str, port: int, requests: list[bytes]) -> float:
    """Orders a second from so many connections, each waiting for its answer before it sends again."""

    async def one(mine: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        for request in mine:
            await ask(reader, writer, request)
        writer.close()

    began = time.perf_counter()
    await asyncio.gather(*(one(requests[place::CONNECTIONS]) for place in range(CONNECTIONS)))
    return len(requests) / (time.perf_counter() - began)


async def pace(host: str, port: int, requests: list[bytes]) -> list[float]:
    """Seconds from sending to answer, sorted, at a fixed rate."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(64):
        free.put_nowait(await asyncio.open_connection(host, port))
    found: list[float] = []

    async def one(request: bytes) -> None:
        pair = await free.get()
        began = time.perf_counter()
        await ask(*pair, request)
        found.append(time.perf_counter() - began)
        free.put_nowait(pair)

    start, tasks = time.perf_counter(), []
    for number, request in enumerate(requests):
        await asyncio.sleep(max(0.0, start + number / PACED - time.perf_counter()))
        tasks.append(asyncio.create_task(one(request)))
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait()[1].close()
    return sorted(found)


def run() -> list[Row]:
    """Throughput, then latency at a fixed rate, of one node."""
    import uvloop

    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as name:
        remote = Remote(Path(name), dollars=100_000_000)
        try:
            traders = [Trader(remote, 900 + number) for number in range(TRADERS)]
            for trader in traders:
                trader.claim()
            host, port = remote.url.removeprefix("http://").split(":")
            first = requests_of(traders, 1_000, host)
            many = requests_of(traders, ORDERS // 2, host)
            paced = requests_of(traders, PACED * PACED_S, host)
            cancel = [trader.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True}) for trader in traders]
            assert all(answer.status_code == 200 for answer in cancel)
            uvloop.run(rush(host, int(port), first))
            before = cpu_seconds(remote.process.pid)
            rate = uvloop.run(rush(host, int(port), many))
            spent = (cpu_seconds(remote.process.pid) - before) / len(many)
            for trader in traders:
                trader.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
            waits = uvloop.run(pace(host, int(port), paced))
        finally:
            remote.stop()
        database = Database(f"sqlite:///{Path(name) / 'node' / 'derived.sqlite'}")
        assert int(database.progress()["sequence"]) >= ORDERS // 2, "every order is in the tables"
        database.close()
    note = f"{CONNECTIONS} connections, client on the same cores"
    return [
        _row(f"Signed orders over HTTP, {note}", rate, "/s"),
        _row("Node's processor time for an order", spent * 1e6, "µs"),
        *(_row(f"Acknowledgement at {PACED}/s, {name}", 1000 * _at(waits, part), "ms") for name, part in QUANTILES),
    ]


def cpu_seconds(process: int) -> float:
    """Processor time that a process has used: what it costs whatever else the machine is doing."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _row(figure: str, value: float, unit: str) -> Row:
    return {"figure": figure, "value": value, "unit": unit, "reference": "", "ratio": ""}


def _at(waits: list[float], part: float) -> float:
    return waits[int(part * (len(waits) - 1))]
