"""Without the cookie nothing answers; with it, nothing that no page would say sends an order or ends the terminal."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from itertools import count, product

import httpx
import nicegui
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bulkhead.client import NewOrder
from tests.api.live import Live
from tests.terminal.raw import SOCKET, Argument, RawPage, entered
from tests.terminal.venue import Terminal, ask, owner, quote

LIBRARY = f"/_nicegui/{nicegui.__version__}"
# What no page of ours tells: of an entry, of a click with the entries around it, of a row, of a table's rows in sight.
STRANGE: tuple[tuple[Argument, ...], ...] = (
    (None,), (0,), (True,), ("x",), ({},), (["a"],), ([[1, 2]],), ([{"a": 1}, 10**30],), ("x", "x", "x"), (["x", "x"],),
    (["x", -1],), (["x", 1e308],), ([["field-1", "x"]],), ([["field-1", "x", 1, 2]],), ([["field-1", {}, 1]],),
    ([["field-1", "x", 1e308]],), ([[None, None, None]],), ({"first": "x", "count": -5},), ({"id": 1, "action": []},),
    ({"first": 1e300, "count": None},), ("\0", 1, 2), (["x" * 20_000, 1],), (-3,), (10**6,),
)  # fmt: skip
# Of the right shape, and of nothing that is there.
FOREIGN: tuple[tuple[Argument, ...], ...] = (
    ({"id": "x", "action": "x"},), ({"id": "", "action": "edit"},), ({"id": "9" * 5_000, "action": "cancel"},),
    ({"first": 10**9, "count": 10**9},),
)  # fmt: skip
FRAMES = (
    "", "9", "4", "42", "42[", "42[]", "42{}", "42null", "43[]", "44{}", "40/x,", "6", "42[1]", "\0",
    "42" + "[" * 50_000, "42" + "9" * 200 + '["event",{}]',
    '42["event"]', '42["event",1]', '42["event",{}]', '42["event",{"client_id":{}}]',
    '42["handshake",{}]', '42["connect",{"QUERY_STRING":"implicit_handshake=true"}]', '42["ack",{"client_id":"x"}]',
    '42["log",1]', '42["javascript_response",{}]', '42["event",' + "[" * 9_000 + "]" * 9_000 + "]", "459999999999-[]",
)  # fmt: skip


def eventually(look: Callable[[], bool], seconds: float = 20) -> bool:
    until = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def open_orders(live: Live, seed: int) -> set[int]:
    async def look(exchange: object) -> set[int]:
        trader = await owner(exchange, seed)  # type: ignore[arg-type]
        return {order.id for order in await trader.orders()}

    return ask(live.url, look)


def test_without_the_cookie_nothing_answers(terminal: Terminal) -> None:
    polling = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
    paths = (
        "/", "/keys", "/static/shell.js", "/favicon.ico", polling, f"{polling}&j=0", "/nowhere",
        *(f"{LIBRARY}/{place}" for place in ("static/nicegui.js", "libraries/x", "esm/x/y", "resources/x/y")),
    )  # fmt: skip
    with httpx.Client(base_url=terminal.url, timeout=30) as program:
        for method, path in product(("GET", "POST", "OPTIONS"), paths):
            assert program.request(method, path).status_code == 403, (method, path)
    with pytest.raises(InvalidStatus) as refused, connect(terminal.url.replace("http", "ws") + SOCKET):
        raise AssertionError("a socket without the cookie")
    assert refused.value.response.status_code == 403


def test_another_users_program_is_refused_with_the_cookie(terminal: Terminal) -> None:
    """By the whole terminal, not by its door alone. Where this is not root's, nobody else can be asked to try."""
    with entered(terminal) as program:
        cookie = "; ".join(f"{name}={value}" for name, value in program.cookies.items())
    port = terminal.url.rpartition(":")[2]
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n"
    script = 'exec 3<>/dev/tcp/127.0.0.1/"$0"; printf %s "$1" >&3; cat <&3'
    users, answers = (os.geteuid(), 65_534) if os.geteuid() == 0 else (os.geteuid(),), [b" 200 ", b" 403 "]
    for user, wanted in zip(users, answers, strict=False):
        command = ["/bin/bash", "-c", script, port, request]
        answer = subprocess.run(command, user=user, capture_output=True, timeout=30, cwd="/").stdout
        assert wanted in answer.partition(b"\r\n")[0], user


def test_what_no_page_tells_sends_nothing_and_leaves_the_page_as_it_was(terminal: Terminal, live: Live) -> None:
    quote(live.url, "BTC-USD", "59900", "60100")

    async def rest(exchange: object) -> int:
        trader = await owner(exchange, terminal.seed)  # type: ignore[arg-type]
        made = NewOrder(market="BTC-USD", side="BUY", quantity="0.1", price="59000", post_only=True)
        return int((await trader.place(made)).id)

    resting = ask(live.url, rest)
    with entered(terminal) as program:
        assert eventually(lambda: f"{resting}" in program.get("/?market=BTC-USD").text), "it stands in the table"
        numbers = count(1)
        for path in ("/?market=BTC-USD", "/risk", "/compare", "/keys", "/settlement", "/operator"):
            with RawPage(program, path) as page:
                if path.startswith("/?"):
                    for mark, text in (("ticket-price", "59100"), ("ticket-size", "0.1")):
                        page.tell(page.marked(mark, "update:value"), [text, next(numbers)])
                for listener in page.listeners():
                    kind = listener[1]["type"]
                    if kind == "key" or kind.startswith("sub_pages"):
                        continue  # the library's own, tried below
                    for arguments in STRANGE if kind == "click" else STRANGE + FOREIGN:
                        page.tell(listener, *arguments)
                    if kind == "act":
                        page.tell(listener, {"id": str(resting), "action": "unheard-of"})
                        page.tell(listener, {"id": "BTC-USD", "action": "unheard-of"})
                if path.startswith("/?"):
                    before = open_orders(live, terminal.seed)
                    assert resting in before and len(before) == 1
                    page.tell(page.marked("submit", "click"), [])
                    assert eventually(lambda: len(open_orders(live, terminal.seed)) == 2), "what was entered is sent"
        assert program.get("/").status_code == 200
    assert len(open_orders(live, terminal.seed)) == 2 and resting in open_orders(live, terminal.seed)
    assert not terminal.troubles, "".join(terminal.log[-80:])


def test_frames_that_are_none_end_nothing(terminal: Terminal) -> None:
    said = len(terminal.log)
    with entered(terminal) as program:
        for frame in FRAMES:
            with RawPage(program, "/operator") as page:
                page.socket.send(frame)
                page.say("event", {"id": 0, "client_id": page.client_id, "listener_id": "x", "args": []})
        with RawPage(program, "/") as page:
            page.tell(next(one for one in page.listeners() if one[1]["type"] == "key"), {"key": []})
            page.socket.send(b"\x00\xff")
        big = {"Content-Type": "text/plain"}
        polling = "/_nicegui_ws/socket.io/?EIO=4&transport=polling"
        for body in (b"\xff\xfe", b"x", b"4\x1e" * 5_000):
            session = program.get(polling).text.partition('"sid":"')[2].partition('"')[0]
            assert program.post(f"{polling}&sid={session}", content=body, headers=big).status_code in (200, 400)
        for path in (f"{LIBRARY}/static/%2e%2e/nicegui.py", "/static/%2e%2e/gate.py", f"{LIBRARY}/libraries/%00"):
            assert program.get(path).status_code == 404, path
        assert program.get("/").status_code == 200 and terminal.process.poll() is None
        with RawPage(program, "/operator") as page:
            assert page.socket.recv(20), "and its pages are told what is new"
    time.sleep(0.5)
    del terminal.log[said:]  # the library tells of each by a traceback, and drops it
