"""What comes before a request: heads that never end, or never come, and more sockets than one address may have."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.sync.client import connect

from bulkhead.api import connection
from bulkhead.api.connection import HEAD_BYTES
from bulkhead.api.onboarding import KEY_PATH
from bulkhead.api.streams.routes import PREFIX
from tests.api.live import Fixed, Live, Trader, settings_for

IDLE = 1_000


def dial(live: Live) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", int(live.url.rsplit(":", 1)[1])), timeout=10)
    made.settimeout(10)
    return made


def heard(one: socket.socket) -> bytes:
    """Everything until the server closes; empty where it did so without a word."""
    found = b""
    try:
        while part := one.recv(65_536):
            found += part
    except ConnectionResetError:
        return found  # it was still being sent to
    finally:
        one.close()
    return found


def answered(one: socket.socket) -> bytes:
    """One answer, whole: its head and its body may come apart."""
    found = one.recv(65_536)
    while b"\r\n\r\n" not in found:
        found += one.recv(65_536)
    head, _, body = found.partition(b"\r\n\r\n")
    lines = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    length = int(lines[b"content-length"])
    while len(body) < length:
        body += one.recv(65_536)
    return head + body


def refusal(answer: bytes) -> tuple[int, int]:
    head, _, body = answer.partition(b"\r\n\r\n")
    found = json.loads(body)
    assert found["status"] == "ERROR" and b"connection: close" in head.lower()
    return int(head.split()[1]), found["error"]["code"]


def test_a_head_that_never_ends_is_refused_before_it_fills_the_memory(live: Live) -> None:
    for start in (b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ", b"GET /"):
        one, sent = dial(live), 0
        try:
            one.sendall(start)
            for _ in range(400):
                one.sendall(b"y" * 16_384)
                sent += 16_384
        except OSError:
            assert sent < 400 * 16_384, "it was cut off while it was sending"
        answer = heard(one)
        assert sent < 400 * 16_384 or answer
        if answer:
            assert refusal(answer) == (431, 1133)
    assert live.client().get("/health").status_code == 200


@pytest.mark.parametrize("size", [HEAD_BYTES + 1_000, 200_000])
def test_a_long_head_in_one_piece_is_refused_as_well(live: Live, size: int) -> None:
    one = dial(live)
    one.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\nX-Long: " + b"y" * size + b"\r\n\r\n")
    assert refusal(heard(one)) == (431, 1133)
    short = live.client().get("/health", headers={"X-Long": "y" * (HEAD_BYTES - 1_000)})
    assert short.status_code == 200


@pytest.mark.parametrize(
    "data",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"HELLO\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
     b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
     b"POST /api/v1/user/order HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
     b"POST /api/v1/user/order HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
     b"POST /api/v1/user/order HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
     b"GET /\x00 HTTP/1.1\r\n\r\n"],
)  # fmt: skip
def test_what_is_no_http_gets_an_envelope(live: Live, data: bytes) -> None:
    one = dial(live)
    one.sendall(data)
    answer = heard(one)
    assert refusal(answer[answer.index(b"HTTP/1.1 4") :])[0] in (400, 401)


def asked(live: Live, method: str, path: str, headers: dict[str, bytes], body: bytes = b"") -> int:
    """The status of an answer to a request with these bytes in its head; its body is an envelope."""
    given = {"Host": b"x", "Connection": b"close", "Content-Length": str(len(body)).encode(), **headers}
    lines = [f"{method} {path} HTTP/1.1".encode(), *(name.encode() + b": " + value for name, value in given.items())]
    one = dial(live)
    one.sendall(b"\r\n".join([*lines, b"", body]))
    head, _, content = heard(one).partition(b"\r\n\r\n")
    assert json.loads(content)["status"] in ("OK", "ERROR")
    return int(head.split()[1])


def test_headers_of_every_kind_are_refused_or_right(live: Live) -> None:
    trader = Trader(live, 1303)
    key, owner = trader.api_key.encode(), trader.headers(KEY_PATH)
    wild = [b"", b" ", b"x", b"0" * 64, "é".encode(), b"\xff\xfe", b"\x7f", b"\x01", b"a" * 20_000, b"' or 1=1 --"]
    wild.append(key[:-1])
    assert asked(live, "GET", "/api/v1/user/balance", {"X-Api-Key": key}) == 200
    sound = {name: value.encode() for name, value in owner.items()} | {"X-X10-ACTIVE-ACCOUNT": b"%d" % trader.vault}
    assert asked(live, "POST", KEY_PATH, sound, b"{}") == 200
    for value in wild:
        assert asked(live, "GET", "/api/v1/user/balance", {"X-Api-Key": value}) in (400, 401), value
        for name in sound:
            assert 400 <= asked(live, "POST", KEY_PATH, {**sound, name: value}, b"{}") < 500, (name, value)
        for name in ("Content-Type", "Accept-Encoding", "Origin", "X-Forwarded-For", "Upgrade", "Expect", "Cookie"):
            assert asked(live, "GET", "/api/v1/user/balance", {"X-Api-Key": key, name: value}) in (200, 400, 417)
    for length in (b"-1", b"1e3", b"9" * 30, b"0x10", b"5, 5", b""):
        status = asked(live, "POST", "/api/v1/user/order", {"X-Api-Key": key, "Content-Length": length}, b"{}")
        assert 400 <= status < 500, length


def test_a_head_that_does_not_come_is_not_waited_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HEAD_S", 0.3)
    silent, half, later = dial(live), dial(live), dial(live)
    half.sendall(b"GET /health HT")
    later.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200 OK" in answered(later)
    time.sleep(0.5)
    later.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200 OK" in answered(later), "between requests a connection may rest"
    later.sendall(b"GET /heal")
    assert heard(silent) == b""
    assert refusal(heard(half)) == refusal(heard(later)) == (408, 1133)


def test_a_body_that_does_not_come_is_not_waited_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bulkhead.api.call.BODY_TIMEOUT_S", 0.3)
    trader = Trader(live, 1301)
    one = dial(live)
    one.sendall(
        b"POST /api/v1/user/order HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\nX-Api-Key: "
        + trader.api_key.encode() + b"\r\n\r\n{"
    )  # fmt: skip
    assert refusal(heard(one)) == (408, 1133)

    def endless() -> Iterator[bytes]:
        for _ in range(160):
            yield b"[" * 65_536

    assert trader.http.post("/api/v1/user/order", content=endless()).status_code == 413, "without a length, too"


def test_a_thousand_idle_sockets_and_half_requests_harm_nobody(live: Live) -> None:
    trader = Trader(live, 1302)
    idle = [dial(live) for _ in range(IDLE)]
    for number, one in enumerate(idle):
        if number % 2:
            one.sendall(b"POST /api/v1/user/order HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\n{")
    slowest = 0.0
    for _ in range(20):
        began = time.monotonic()
        assert trader.http.get("/api/v1/user/balance").status_code == 200
        slowest = max(slowest, time.monotonic() - began)
    for one in idle:
        one.close()
    assert slowest < 2


def test_one_address_has_so_many_connections_and_no_more(tmp_path: Path) -> None:
    live = Live(settings_for(tmp_path, connections_of_address=5), Fixed())
    try:
        held = [dial(live) for _ in range(5)]
        for one in held:
            one.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in answered(one)
        assert refusal(heard(dial(live))) == (429, 1006)
        for one in held:
            one.close()
        with contextlib.ExitStack() as stack:  # what has become a stream is counted as such
            for _ in range(5):
                stack.enter_context(connect(live.url.replace("http", "ws") + PREFIX + "/publicTrades"))
            assert live.client().get("/health").status_code == 200
    finally:
        live.stop()
