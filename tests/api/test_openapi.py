"""The document tells the truth: every route is in it, its examples are understood, and no call of it makes a 5xx."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bulkhead.api.examples import EXAMPLES
from bulkhead.api.routes import ENDPOINTS
from bulkhead.node import app
from bulkhead.units import TimeMs
from tests.api.live import Fixed, Live, Trader, settings_for
from tests.api.tour import Tour, everywhere

WILD: list[Any] = ["", "0", "-1", "1E+999", "NaN", "x" * 300, "é", "%00", "../..", "9" * 25, "BTC-USD", "\u202e"]


def test_every_route_is_described(live: Live) -> None:
    found = live.client().get("/openapi.json").json()
    described = {(method.upper(), path) for path, methods in found["paths"].items() for method in methods}
    assert described == {(one.method, re.sub(r":path\}", "}", one.path)) for one in ENDPOINTS}
    assert len(described) == len(ENDPOINTS)
    for path, methods in found["paths"].items():
        for operation in methods.values():
            assert operation["summary"] and len(operation["description"]) > 10, path
    page = live.client().get("/docs").text
    assert all(one.path.split("{")[0].rstrip("/") in page for one in ENDPOINTS)


def test_examples_are_bodies_that_the_schema_takes(live: Live) -> None:
    trader = Trader(live, 1001)
    trader.claim()
    for (method, path), example in EXAMPLES.items():
        if example.body is None:
            continue
        answer = trader.http.request(method, path, json=example.body)
        refusal = answer.json().get("error", {}).get("message", "")
        assert "body:" not in refusal, (path, refusal)


@pytest.fixture
def tour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tour]:
    """A venue of its own, whose clock can be put forward."""
    ahead = [0]
    monkeypatch.setattr(app, "wall_clock", lambda: TimeMs(time.time_ns() // 1_000_000 + ahead[0]))
    settings = settings_for(tmp_path)
    clock = msgspec.structs.replace(settings.clock, interval_s=0.02)
    live = Live(msgspec.structs.replace(settings, clock=clock), Fixed())

    def put_forward(span_ms: int) -> None:
        ahead[0] += span_ms

    try:
        yield Tour(live, put_forward)
    finally:
        live.stop()


def test_every_call_works_and_answers_as_its_example_says(tour: Tour) -> None:
    tour.everything()
    assert set(tour.heard) == everywhere()
    assert set(EXAMPLES) == everywhere() - {("GET", "/metrics")}
    for call, heard in tour.heard.items():
        if call not in EXAMPLES:
            continue
        example, envelope = EXAMPLES[call], heard.answer
        if heard.status == 200:
            assert example.refusal is None and envelope["status"] == "OK"
            hold(example.answer, envelope.get("data"), call)
            assert ("pagination" in envelope) == (example.pagination is not None), call
        else:
            assert example.refusal == envelope["error"], call


SETTLING = {"settled", "proving", "waiting", "halted", "lastTransaction", "chain", "contracts"}
"""Fields of venues that settle: the example of `/info/settlement` is of one, the tour's is not."""
STEPS = {"block", "hash"}  # of steps on L1


def hold(example: Any, real: Any, place: Any) -> None:
    """An example has every field that a node has, and no other, each of the same kind."""
    if real is None or example is None:
        return
    if isinstance(example, dict):
        if {"BTC-USD", "ETH-USD"} & set(example):
            return  # which markets is the asker's choice
        without = SETTLING if "settles" in example else STEPS if "stage" in example else set()
        assert set(example) - without == set(real) - without, (place, set(example) ^ set(real))
        for name in set(example) & set(real):
            hold(example[name], real[name], (place, name))
    elif isinstance(example, list):
        for one in example if real else []:
            hold(one, real[0], place)
    else:
        kind = (int, float) if isinstance(example, int | float) and not isinstance(example, bool) else type(example)
        assert isinstance(real, kind), (place, real)


def test_no_call_of_the_document_fails_whatever_is_put_into_it(live: Live) -> None:
    trader, draw = Trader(live, 1002), random.Random(3)
    for endpoint in ENDPOINTS:
        for _ in range(12):
            path = re.sub(r"\{\w+(:path)?\}", lambda hole: str(draw.choice(WILD)).replace("/", "%2F"), endpoint.path)
            query = {name: draw.choice(WILD) for name in endpoint.query if draw.random() < 0.7}
            body = {draw.choice(["id", "market", "amount", "settlement"]): draw.choice(WILD)}
            answer = trader.http.request(
                endpoint.method, path.replace("%00", "%2500"), params=query, json=body,
                headers={"L1_SIGNATURE": draw.choice(["", "00", "zz"]), "L1_MESSAGE_TIME": "2026-01-01T00:00:00Z"},
            )  # fmt: skip
            assert answer.status_code < 500, (endpoint.path, path, query, answer.text)
