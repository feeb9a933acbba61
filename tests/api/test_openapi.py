"""The document tells the truth: every route is in it, its examples are understood, and no call of it makes a 5xx."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from bulkhead.api.examples import EXAMPLES, Example
from bulkhead.api.routes import ENDPOINTS
from tests.api.live import Live, Trader, settings_for
from tests.api.tour import Heard, everywhere, toured

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


def test_every_call_works_and_answers_as_its_example_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with toured(settings_for(tmp_path), monkeypatch) as tour:
        tour.everything()
    assert set(tour.heard) == everywhere()
    assert set(EXAMPLES) == everywhere() - {("GET", "/metrics")}
    for call, heard in tour.heard.items():
        if call in EXAMPLES:
            compare(EXAMPLES[call], heard, call)


def compare(example: Example, heard: Heard, call: tuple[str, str]) -> None:
    """An example is of the same kind as what a node answers."""
    if heard.status != 200:
        assert example.refusal == heard.answer["error"], call
        return
    assert example.refusal is None and heard.answer["status"] == "OK"
    assert ("pagination" in heard.answer) == (example.pagination is not None), call
    hold(example.answer, heard.answer.get("data"), call)


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
