"""The tool that streams for hours: what it calls flat, and what it finds."""

from __future__ import annotations

import random

from benchmarks.terminal import MIB
from tools.endure_terminal import RISE_MAX, Look, rise, verdicts, written_kib
from tools.page_objects import grown, summed


def run(minutes: int, *, warm_mib: float = 0.0, leak_mib_an_hour: float = 0.0) -> list[Look]:
    """Looks every ten seconds at a terminal that warms up in its first quarter, is noisy, and leaks."""
    draw = random.Random(8)
    found = []
    for place in range(6 * minutes):
        minute = place / 6
        warm = warm_mib * min(1.0, 4 * minute / minutes)
        terminal = 260 + warm + leak_mib_an_hour * minute / 60 + draw.gauss(0, 0.5)
        found.append(
            Look(minute, 12 + draw.gauss(0, 0.3), 2_000 + draw.gauss(0, 20), 150, terminal, 440 + draw.gauss(0, 2), 280)
        )
    return found


def failing(looks: list[Look]) -> list[str]:
    return [name for name, grown, most in verdicts(looks) if grown > most]


def test_what_warms_up_and_then_stays_is_flat() -> None:
    for minutes in (3, 60, 480):
        assert failing(run(minutes, warm_mib=80)) == []


def test_a_leak_is_found_the_smaller_the_longer_it_was_looked_for() -> None:
    leak = 1.5 * RISE_MAX["terminal"]
    assert failing(run(480, leak_mib_an_hour=leak / 4)) == ["terminal"]  # the half that is judged has four hours
    assert failing(run(60, leak_mib_an_hour=leak / 4)) == []
    assert failing(run(60, leak_mib_an_hour=2 * leak)) == ["terminal"]
    assert abs(rise(run(60, leak_mib_an_hour=100), "terminal") - 50) < 1


def test_what_a_browser_reads_from_files_is_not_its_memory() -> None:
    rollup = "10-20 [rollup]\nRss: 900 kB\nPss: 700 kB\nPss_Anon: 300 kB\nPss_File: 380 kB\nPss_Shmem: 20 kB\n"
    assert written_kib(rollup) == 320


def test_what_grew_is_told_by_its_kind() -> None:
    meta = {
        "node_fields": ["type", "name", "self_size"],
        "node_types": [["code", "object", "string"], "string", "number"],
    }
    before = summed({"snapshot": {"meta": meta}, "nodes": [0, 7, MIB, 1, 8, MIB, 1, 9, MIB, 2, 9, 40]})
    after = summed({"snapshot": {"meta": meta}, "nodes": [0, 7, 3 * MIB, 1, 8, MIB, 2, 9, 80]})
    assert before == {"code": MIB, "object": 2 * MIB, "string": 40}
    assert grown(before, after) == "code +2.00, object -1.00"
    assert grown(before, before) == "nothing"
