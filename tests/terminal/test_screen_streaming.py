"""Twenty changes of the book a second: painted without a row being made anew, and nothing is kept of what is past.

Shortened: `python -m benchmarks terminal --full` streams for ten minutes.
"""

from __future__ import annotations

import time

import psutil
from playwright.sync_api import Page

from benchmarks.terminal import MIB, Street, heap_of, paints
from tests.api.live import Live
from tests.terminal.browser import Bench

WARM_S, STREAM_S = 4.0, 6.0
LISTEN = """() => { window.told = {};
  const count = (id) => { told["c" + id] = 1 + (told["c" + id] || 0); };
  window.socket.on("update", (elements) => Object.keys(elements).forEach(count)); }"""
AGE = """() => { const age = document.querySelector('[data-mark="book"] h2 .bh-age');
  return [Date.now() - Number(age.dataset.at), window.told[age.id] || 0]; }"""


def rows(page: Page, work: str) -> int:
    """Do something with every row of the ladder; how many answered with something true."""
    return int(page.evaluate(f"() => [...document.querySelectorAll('.bh-book-row')].filter({work}).length"))


def test_streaming_leaves_nothing_behind_and_does_not_flicker(bench: Bench, live: Live) -> None:
    bench.ready()
    page, street = bench.page, Street(live.url)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    server = psutil.Process(bench.terminal.process.pid)
    street.start()
    try:
        time.sleep(WARM_S)
        marked = rows(page, "(row) => (row.isTheSame = true)")
        page.evaluate(LISTEN)
        heap, resident, painted, changes = heap_of(session), server.memory_info().rss, paints(page), street.changes
        page.wait_for_timeout(1000 * STREAM_S)
        age_ms, told = page.evaluate(AGE)
        changes, painted = street.changes - changes, paints(page) - painted
        grown, kept = (heap_of(session) - heap) / MIB, (server.memory_info().rss - resident) / MIB
    finally:
        street.ended.set()
        street.join(10)
    assert changes >= 3 * STREAM_S, "the street trades, even on a loaded machine"
    assert STREAM_S <= painted <= 20 * STREAM_S + 2, "changes are gathered: at most twenty paints a second"
    assert rows(page, "(row) => row.isTheSame") == marked > 5, "rows stay, only their texts change"
    assert age_ms < 2_000 and told == 0, "the book's age goes with it: told as an element's it renders the whole page"
    assert grown < 4 and kept < 12, f"MiB more in the browser and the terminal: {grown:.1f}, {kept:.1f}"
