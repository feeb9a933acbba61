"""Nobody reaches the screens without the token, from a strange page, or under a strange name."""

from __future__ import annotations

import asyncio
from typing import Any

from bulkhead.terminal.codes import LIFE_S, Codes
from bulkhead.terminal.gate import Gate
from bulkhead.terminal.peers import Peers

HOST = "127.0.0.1:8090"
HERE = f"http://{HOST}"


async def inner(scope: Any, receive: Any, send: Any) -> None:
    """Whatever the gate lets through."""
    await send({"type": "let-through"})


def asked(path: str, *, kind: str = "http", gate: Gate | None = None, **headers: str) -> dict[str, Any]:
    """The first thing that is answered to a request with these headers, and the text below it."""
    path, _, query = path.partition("?")
    given = {"host": HOST, **headers}
    method = given.pop("method", "GET")
    scope = {
        "type": kind, "method": method, "path": path, "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError("the gate reads no bodies")

    asyncio.run((gate or Gate(inner, TOKEN, peers=Peers(None)))(scope, receive, send))
    return sent[0] | {"head": dict(sent[0].get("headers", [])), "said": sent[-1].get("body", b"").decode()}


TOKEN = "secret"
COOKIE = asked(f"/?token={TOKEN}")["head"][b"set-cookie"].decode().partition(";")[0]


def test_the_token_lets_in_and_leaves_the_address() -> None:
    assert asked("/risk")["status"] == 403
    assert asked("/?token=wrong")["status"] == 403
    entered = asked("/risk?market=BTC-USD&token=secret")
    assert (entered["status"], entered["head"][b"location"]) == (303, b"/risk?market=BTC-USD")
    cookie = entered["head"][b"set-cookie"].decode()
    assert cookie.startswith("bulkhead-terminal-8090=") and "HttpOnly" in cookie and "SameSite=Strict" in cookie
    assert TOKEN not in cookie, "the browser tells it to other servers of this machine"
    assert asked("/risk", cookie=COOKIE)["type"] == "let-through"
    assert asked("/risk", cookie="bulkhead-terminal-8090=other")["status"] == 403
    assert asked("/risk", cookie=f"bulkhead-terminal-8090={TOKEN}")["status"] == 403
    assert asked("/risk", cookie=COOKIE.replace("8090", "8091"))["status"] == 403, "that is another terminal's"
    assert asked("//elsewhere.example/?token=secret")["head"][b"location"] == b"/"
    assert asked("/\r\nx: \u20ac?token=secret")["head"][b"location"] == b"/%0D%0Ax%3A%20%E2%82%AC"


def test_a_code_opens_once_and_soon_and_leaves_the_address() -> None:
    now = 0.0
    gate = Gate(inner, TOKEN, peers=Peers(None), codes=Codes(lambda: now))
    code, later = gate.codes.make(), gate.codes.make()
    assert asked(f"/?code={code}", gate=gate, host="rebound.example")["status"] == 403, "which does not use it up"
    for other in ({"kind": "websocket"}, {"method": "HEAD"}, {"method": "POST"}):
        found = asked(f"/?code={code}", gate=gate, **other)  # type: ignore[arg-type]
        assert found.get("status") == 403 or found["type"] == "websocket.close", other
    entered = asked(f"/risk?market=BTC-USD&code={code}", gate=gate)
    assert (entered["status"], entered["head"][b"location"]) == (303, b"/risk?market=BTC-USD")
    assert entered["head"][b"set-cookie"].decode().startswith(COOKIE)
    used = asked(f"/risk?market=BTC-USD&code={code}", gate=gate)
    assert used["status"] == 403 and "opens the terminal once, and has" in used["said"]
    assert "another program of this machine did" in used["said"] and "Ctrl-C" in used["said"]
    again = asked(f"/?code={code}", gate=gate, cookie=COOKIE)
    assert (again["status"], again["head"][b"location"]) == (303, b"/"), "a reload by the browser that it let in"
    now = LIFE_S
    late = asked(f"/?code={later}", gate=gate)
    assert late["status"] == 403 and "60 seconds" in late["said"] and "`bulkhead terminal` printed" in late["said"]
    for wrong in ("", "x", code[:-1], code + "x", "\u20ac"):
        assert asked(f"/?code={wrong}", gate=gate)["said"].startswith("Open the terminal with the address")


def test_other_names_and_other_pages_are_refused() -> None:
    for kind in ("http", "websocket"):
        assert asked("/", kind=kind, cookie=COOKIE, origin=HERE)["type"] == "let-through"
        for strange in (
            {"host": "rebound.example:8090"}, {"host": "127.0.0.1.example"}, {"origin": "http://evil.example"},
            {"origin": "http://127.0.0.1:9999"}, {"origin": "null"},
        ):  # fmt: skip
            found = asked("/", kind=kind, cookie=COOKIE, **strange)
            assert found.get("status") == 403 or found["type"] == "websocket.close", (kind, strange)
    assert asked("/?token=secret", kind="websocket")["type"] == "websocket.close", "a socket is let in by its cookie"


def test_a_host_that_is_none_is_refused_and_not_stumbled_over() -> None:
    for strange in ({"host": "127.0.0.1:x"}, {"host": "127.0.0.1:99999"}, {"host": "["}, {"origin": "http://["}):
        for kind in ("http", "websocket"):
            found = asked("/", kind=kind, cookie=COOKIE, **strange)
            assert found.get("status") == 403 or found["type"] == "websocket.close", (kind, strange)


def test_a_page_of_another_port_may_lead_here_and_nothing_else() -> None:
    """It is of the same site, so that the browser sends our cookie with whatever it asks for."""
    site = {"cookie": COOKIE, "sec-fetch-site": "same-site"}
    led = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert asked("/", **site, **led)["type"] == "let-through"
    for strange in (led | {"sec-fetch-dest": "iframe"}, {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}):
        assert asked("/", **site, **strange)["status"] == 403
    assert asked("/", cookie=COOKIE, **{"sec-fetch-site": "same-origin"})["type"] == "let-through"


def test_a_cookie_of_another_port_does_not_hide_ours() -> None:
    for cookies in (f"a b=; x[]=\x01; {COOKIE}", f"{COOKIE}; bulkhead-terminal-8090=planted", f"=; {COOKIE}"):
        assert asked("/", cookie=cookies)["type"] == "let-through"


def test_no_page_stands_in_a_frame_or_asks_elsewhere() -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    head = [(b"host", HOST.encode()), (b"cookie", COOKIE.encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": head}
    asyncio.run(Gate(page, TOKEN, peers=Peers(None))(scope, send, send))  # type: ignore[arg-type]
    told = dict(sent[0]["headers"])
    assert b"frame-ancestors 'none'" in told[b"content-security-policy"] and told[b"x-frame-options"] == b"DENY"
    assert b"default-src 'self'" in told[b"content-security-policy"] and told[b"referrer-policy"] == b"no-referrer"
