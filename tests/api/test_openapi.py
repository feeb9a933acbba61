"""The document tells the truth: every route is in it, its examples are understood, and no call of it makes a 5xx."""

from __future__ import annotations

import random
import re
from typing import Any

from bulkhead.api.examples import EXAMPLES
from bulkhead.api.openapi import document
from bulkhead.api.routes import ENDPOINTS
from tests.api.live import Live, Trader

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
    described = document(ENDPOINTS)["paths"]
    for (method, path), (body, _) in EXAMPLES.items():
        assert method.lower() in described[path]
        if body is None:
            continue
        answer = trader.http.request(method, path, json=body)
        refusal = answer.json().get("error", {}).get("message", "")
        assert "body:" not in refusal, (path, refusal)


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
