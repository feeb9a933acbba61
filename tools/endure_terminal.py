"""Stream at a terminal and a real browser for hours, and see whether the memory of both stays flat.

    python tools/endure_terminal.py [--minutes 480] [--folder DIR]

A maker changes the book of one market twenty times a second, now and then somebody trades, and the Trade screen stands
open all the while. Told every minute: changes and paints of the book, the page's objects after a collection, its nodes
and listeners, and what terminal, browser and node hold in memory; at the end, of what kind the page's objects are that
came since a tenth of the run (`page_objects.py`; looking drops code, which takes two hours to come again). Each of the
judged is fitted by a line over the second half; a line that rises by more than its bound within that half is a failure,
and so is a book that changed less than fifteen times a second on the whole, or was painted less than ten times, for
then nothing was streamed. The bounds are what one machine's noise comes to within minutes, so the longer the run, the
smaller the leak that it finds. The node is told and not judged: `tools/endure.py` does that.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import psutil  # noqa: E402
from playwright.sync_api import CDPSession, Page  # noqa: E402

from benchmarks.terminal import MIB, Street, heap_of, paints, stage  # noqa: E402
from tests.conftest import chromium  # noqa: E402
from tests.terminal.browser import Bench  # noqa: E402
from tools.page_objects import grown, kinds_of  # noqa: E402

LOOK_S, TOLD_S = 10.0, 60.0
CHANGES_LEAST, PAINTS_LEAST = 15.0, 10.0  # a second, of the twenty that are asked for
RISE_MAX = {"objects": 2.0, "nodes": 500.0, "listeners": 200.0, "terminal": 4.0, "browser": 16.0}
"""Of the line through the second half, over that half: MiB, and numbers of nodes and listeners."""


class Look(NamedTuple):
    """What was seen at one moment, in MiB where it is memory."""

    minute: float
    objects: float  # of the page, after a collection
    nodes: float
    listeners: float
    terminal: float
    browser: float  # what all of its processes have written, shared pages counted once
    node: float


def resident_mib(pid: int) -> float:
    """What a process holds in memory now."""
    return float(psutil.Process(pid).memory_info().rss) / MIB


def browser_mib() -> float:
    """What this process's browser has written in memory. What its processes share is counted by their parts; what they
    read from files is left out, for its part falls and rises with other browsers that the machine runs."""
    found_kib = 0
    for one in psutil.Process().children(recursive=True):
        try:
            if "chrom" in one.name():
                found_kib += written_kib(Path(f"/proc/{one.pid}/smaps_rollup").read_text())
        except (psutil.NoSuchProcess, ProcessLookupError, FileNotFoundError):  # it ended while it was looked at
            continue
    return found_kib * 1024 / MIB


def written_kib(rollup: str) -> int:
    """Of a process, as Linux's `smaps_rollup` tells it: anonymous memory and memory shared without a file."""
    return sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith(("Pss_Anon:", "Pss_Shmem:")))


def look(session: CDPSession, terminal: int, node: int, minute: float) -> Look:
    """One of all of them."""
    objects = heap_of(session) / MIB
    counted = {one["name"]: float(one["value"]) for one in session.send("Performance.getMetrics")["metrics"]}
    return Look(
        minute, objects, counted["Nodes"], counted["JSEventListeners"], resident_mib(terminal), browser_mib(),
        resident_mib(node),
    )  # fmt: skip


def rise(looks: list[Look], name: str) -> float:
    """By how much one of them rises within the second half, by least squares."""
    half = looks[len(looks) // 2 :]
    values = [float(getattr(one, name)) for one in half]
    middle, level = sum(one.minute for one in half) / len(half), sum(values) / len(half)
    spread = sum((one.minute - middle) ** 2 for one in half)
    slope = sum((one.minute - middle) * (value - level) for one, value in zip(half, values, strict=True))
    return slope / max(spread, 1e-9) * (half[-1].minute - half[0].minute)


def verdicts(looks: list[Look]) -> list[tuple[str, float, float]]:
    """What is judged, by how much it rose, and by how much it may."""
    return [(name, rise(looks, name), most) for name, most in RISE_MAX.items()]


class Painted:
    """Paints of the book in a page that may load itself anew, which it says why: then they are counted from zero."""

    def __init__(self, page: Page) -> None:
        self.all = 0
        self._page, self._last = page, paints(page)
        page.on("console", lambda message: self._heard(message.text))

    def lately(self) -> int:
        """Since they were asked for last."""
        now = paints(self._page)
        found, self._last = now - self._last if now >= self._last else now, now
        self.all += found
        return found

    def _heard(self, text: str) -> None:
        if text.startswith("reloading"):
            print(f"the page is {text}", flush=True)


def stream(bench: Bench, street: Street, node: int, minutes: float) -> tuple[list[Look], int]:
    """Look every ten seconds, tell every minute; how often the book was painted."""
    session = bench.page.context.new_cdp_session(bench.page)
    session.send("Performance.enable")
    began_s, told_s, changes = time.perf_counter(), 0.0, street.changes
    painted = Painted(bench.page)
    looks: list[Look] = []
    early: Counter[str] | None = None
    while (passed_s := time.perf_counter() - began_s) < 60 * minutes:
        if not street.is_alive():
            raise RuntimeError("whoever trades has stopped: see above")
        if early is None and passed_s >= 6 * minutes:
            early = kinds_of(session)
        looks.append(look(session, bench.terminal.process.pid, node, passed_s / 60))
        if passed_s - told_s >= TOLD_S:
            lately_s, told_s = passed_s - told_s, passed_s
            rates = (street.changes - changes) / lately_s, painted.lately() / lately_s
            changes = street.changes
            print(told(looks[-1], rates), flush=True)
        bench.page.wait_for_timeout(1000 * LOOK_S)  # what comes meanwhile is painted
    painted.lately()
    assert early is not None, "even a minute has six looks"
    print(f"objects that came since a tenth of it, MiB: {grown(early, kinds_of(session))}", flush=True)
    return looks, painted.all


def told(one: Look, rates: tuple[float, float]) -> str:
    """A line of the run."""
    return (
        f"{one.minute:6.1f} min  {rates[0]:4.1f} changes/s  {rates[1]:4.1f} paints/s  objects {one.objects:6.2f} MiB  "
        f"nodes {one.nodes:6,.0f}  listeners {one.listeners:5,.0f}  terminal {one.terminal:6.1f}  "
        f"browser {one.browser:6.1f}  node {one.node:6.1f} MiB"
    )


def run(folder: Path, program: str, minutes: float) -> tuple[list[Look], float, float]:
    """What was seen, and how often the book changed and was painted in a second."""
    with stage(folder, program) as on:
        bench = Bench(on.browser, on.terminal, None)
        bench.ready()
        before, began_s = on.street.changes, time.perf_counter()
        looks, painted = stream(bench, on.street, on.remote.process.pid, minutes)
        took_s = time.perf_counter() - began_s
        rates = (on.street.changes - before) / took_s, painted / took_s
        bench.close()
    if on.terminal.troubles:
        raise RuntimeError("the terminal's log tells of trouble:\n" + "".join(on.terminal.troubles))
    return looks, *rates


def main() -> int:
    """0 if the memory of both was flat."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--minutes", type=float, default=480.0)
    parser.add_argument("--folder", type=Path, help="where node and keys live; a temporary one by default")
    chosen = parser.parse_args()
    program = chromium()
    if program is None:
        parser.error("there is no Chromium: install it, or name it by BULKHEAD_CHROMIUM")
    if chosen.minutes < 1:
        parser.error("--minutes is at least 1: half of less is nothing to judge")
    with tempfile.TemporaryDirectory(prefix="bulkhead-endure-") as name:
        looks, changes, painted = run(chosen.folder or Path(name), program, chosen.minutes)
    is_flat = changes >= CHANGES_LEAST and painted >= PAINTS_LEAST
    print(f"{changes:.1f} changes of the book a second (at least {CHANGES_LEAST:.0f})")
    print(f"{painted:.1f} paints of the book a second (at least {PAINTS_LEAST:.0f})")
    for what, rose, most in verdicts(looks):
        is_flat &= rose <= most
        print(f"{what:>10}  {rose:+9.2f} in the second half, at most {most:g}{'' if rose <= most else '  TOO MUCH'}")
    return int(not is_flat)


if __name__ == "__main__":
    sys.exit(main())
