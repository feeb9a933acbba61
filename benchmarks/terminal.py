"""The terminal in a real browser: its first view, from a click until an order is acknowledged, and hours of streaming.

Node, terminal and browser are processes of their own on one machine, and share its cores with this one, which trades so
that the book changes twenty times a second. Figures of time are taken inside the browser. Memory is what is left after
a collection; `--full` streams for ten minutes instead of one, `tools/endure_terminal.py` for as long as one has. The
references are what the terminal is held to.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import psutil
from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

from benchmarks import Row
from bulkhead.client import ClientError, Exchange, NewOrder
from bulkhead.client.models import Placed
from tests.api.remote import Remote
from tests.conftest import chromium
from tests.terminal.browser import ARGUMENTS, Bench
from tests.terminal.venue import NAMED, PASSPHRASE, Terminal, ask, ethereum_key, key_file, rich

MARKET, SEED, DOLLARS = "BTC-USD", 7, 10_000_000
VIEWS, CLICKS = 7, 100
PACE_S, INDEX_S, BEHIND_S = 0.05, 0.5, 1.0
WARM_S, SHORT_S, LONG_S = 20.0, 60.0, 600.0
MIB = 1 << 20
ACKNOWLEDGED = """() => new Promise((resolve) => {
  const find = (mark) => document.querySelector(`[data-mark="${mark}"]`);
  const outcome = find("outcome"), button = find("submit"), before = outcome.textContent, begun = performance.now();
  const watcher = new MutationObserver(() => {
    const text = outcome.textContent;
    if (text === before || !text.includes("acknowledged in") || button.disabled) return;
    watcher.disconnect(); resolve(performance.now() - begun);
  });
  watcher.observe(outcome, { subtree: true, childList: true, characterData: true });
  watcher.observe(button, { attributes: true });
  button.click();
})"""


class Street(threading.Thread):
    """A maker who moves one of his orders twenty times a second, and a taker now and then."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True, name="street")
        self.url = url
        self.changes = 0
        self.ended = threading.Event()

    def run(self) -> None:
        """Until `ended`."""
        asyncio.run(self._trade())

    async def _trade(self) -> None:
        draw = random.Random(1)
        async with Exchange(self.url) as exchange:
            maker, taker = await rich(exchange, 230), await rich(exchange, 231)
            resting: dict[int, Placed] = {}
            middle, asked_s, due_s = Decimal(0), 0.0, time.perf_counter()
            while not self.ended.is_set():
                if time.perf_counter() - asked_s >= INDEX_S:
                    middle, asked_s = (await exchange.statistics(MARKET)).index_price, time.perf_counter()
                place = draw.randrange(24)
                away = Decimal(place % 12 + 1) / 2_000
                price = (middle * (1 - away if place < 12 else 1 + away)).to_integral_value()
                before = resting.get(place)
                order = NewOrder(
                    market=MARKET, side="BUY" if place < 12 else "SELL", quantity=str(draw.randint(1, 400) / 1_000),
                    price=price, post_only=True, replaces="" if before is None else before.external_id,
                )  # fmt: skip
                try:
                    resting[place] = await maker.place(order)
                    self.changes += 1
                except ClientError:  # it was filled, or the new one would trade at once: then the old one is in the way
                    if resting.pop(place, None) is not None and before is not None:
                        await _quietly(maker.cancel(before.id))
                if draw.random() < 0.05:
                    await _quietly(taker.take(MARKET, draw.choice(("BUY", "SELL")), "0.01"))
                # A machine that was busy for a moment is caught up with; one that is too slow is not chased for ever.
                due_s = max(due_s + PACE_S, time.perf_counter() - BEHIND_S)
                await asyncio.sleep(max(0.0, due_s - time.perf_counter()))


async def _quietly(work: Awaitable[object]) -> None:
    """What may find that there is nothing to do."""
    with suppress(ClientError):
        await work


class Stage(NamedTuple):
    """A node, a terminal with an account's keys, a browser, and somebody who moves the book."""

    remote: Remote
    terminal: Terminal
    browser: Browser
    street: Street


@contextmanager
def stage(folder: Path, program: str) -> Iterator[Stage]:
    """All of it, while it lasts; `program` is the browser's."""
    with sync_playwright() as driver:
        remote = Remote(folder, dollars=DOLLARS)
        key_file(folder / "keys", NAMED, ethereum_key(SEED))
        ask(remote.url, lambda exchange: rich(exchange, SEED))
        terminal = Terminal(remote.url, folder / "keys", "--unlock", NAMED, "--onboard", passphrase=PASSPHRASE)
        browser = driver.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        street = Street(remote.url)
        street.start()
        try:
            yield Stage(remote, terminal, browser, street)
        finally:
            street.ended.set()
            street.join(10)
            browser.close()
            terminal.stop()
            remote.stop()


def run(full: bool = False) -> list[Row]:
    """All rows."""
    program = chromium()
    if program is None:
        raise RuntimeError("there is no Chromium to measure in: install it, or name it by BULKHEAD_CHROMIUM")
    with tempfile.TemporaryDirectory(prefix="bulkhead-bench-") as name, stage(Path(name), program) as on:
        time.sleep(2)
        rows = first_views(lambda: Bench(on.browser, on.terminal, None))
        bench = Bench(on.browser, on.terminal, None)
        bench.ready()
        rows += clicks(bench.page, on.remote.url)
        rows += streaming(bench.page, on.terminal.process.pid, on.street, LONG_S if full else SHORT_S)
        bench.close()
    return rows


def row(figure: str, value: float, unit: str, reference: float | str = "") -> Row:
    """One figure beside what it is held to."""
    return {"figure": figure, "value": value, "unit": unit, "reference": reference, "ratio": ""}


def first_views(open_tab: Any) -> list[Row]:
    """From asking for the page until prices, book, chart and account are there, each time by a browser that has
    nothing kept."""
    times = []
    for _ in range(VIEWS):
        bench = open_tab()  # goes to the page
        page = bench.page
        expect(page.locator('[data-mark="account"]')).to_be_visible()
        page.wait_for_selector('[data-mark="book"] .bh-book[data-paints]')
        page.wait_for_selector('[data-mark="chart"] [data-paints]')
        times.append(float(page.evaluate("() => performance.now()")))  # since the page was asked for
        bench.close()
    return [row("First view, median", median(times), "ms", 2_000), row("First view, slowest", max(times), "ms", 2_000)]


def clicks(page: Page, url: str) -> list[Row]:
    """From the click until the ticket says that the order is acknowledged, and can be sent again."""

    async def below(exchange: Exchange) -> Decimal:
        return (await exchange.statistics(MARKET)).index_price * Decimal("0.97")

    price = int(ask(url, below))
    page.locator('[data-mark="ticket-size"] input').fill("0.001")
    times, said = [], []
    for place in range(CLICKS):
        page.locator('[data-mark="ticket-price"] input').fill(str(price - place))
        page.wait_for_timeout(60)
        times.append(float(page.evaluate(ACKNOWLEDGED)))
        text = page.locator('[data-mark="outcome"]').inner_text()
        said.append(float(text.rsplit(" in ", 1)[1].removesuffix(" ms").replace(",", "")))
    times.sort()
    said.sort()
    page.locator('[data-mark="cancel-all"]').click()
    last = int(0.95 * (CLICKS - 1))
    return [
        row("Click to acknowledged, p50", times[CLICKS // 2], "ms", 100),
        row("Click to acknowledged, p95", times[last], "ms", 100),
        row("of it, from the terminal to the exchange and back, p95", said[last], "ms"),
    ]


def streaming(page: Page, pid: int, street: Street, seconds: float) -> list[Row]:
    """Twenty changes of the book a second: how often it is painted, and what is left in memory."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    server = psutil.Process(pid)
    time.sleep(WARM_S)
    heap, resident = heap_of(session), server.memory_info().rss
    painted, changes, begun, used_s = paints(page), street.changes, time.perf_counter(), sum(server.cpu_times()[:2])
    page.wait_for_timeout(1000 * seconds)
    took_s = time.perf_counter() - begun
    grown, kept = (heap_of(session) - heap) / MIB, (server.memory_info().rss - resident) / MIB
    return [
        row("Changes of the book", (street.changes - changes) / took_s, "1/s", 20),
        row("Paints of the book", (paints(page) - painted) / took_s, "1/s", 20),
        row("Terminal's share of a core", 100 * (sum(server.cpu_times()[:2]) - used_s) / took_s, "%"),
        row("Browser's memory, after", heap_of(session) / MIB, "MiB"),
        row(f"Browser's growth in {seconds:.0f} s", grown, "MiB", 0),
        row("Terminal's memory, after", server.memory_info().rss / MIB, "MiB"),
        row(f"Terminal's growth in {seconds:.0f} s", kept, "MiB", 0),
    ]


def paints(page: Page) -> int:
    """How often the book was painted so far."""
    return int(page.locator('[data-mark="book"] .bh-book').get_attribute("data-paints") or 0)


def heap_of(session: CDPSession) -> float:
    """Bytes of the page's objects after a collection."""
    session.send("HeapProfiler.collectGarbage")
    found = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    return float(found["JSHeapUsedSize"])
