"""Whose program connects: another user's is not let in, whatever it knows, and whoever it is that stands in between."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from typing import Any

import pytest
import uvicorn

from bulkhead.terminal import peers
from bulkhead.terminal.gate import Gate
from bulkhead.terminal.peers import GONE, Connection, Peer, Peers, UnknownUser, peers_for, user_of

NOBODY = 65_534
TOKEN = "secret"
ENDS = [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "::1"), ("::", "127.0.0.1"), ("0.0.0.0", "::ffff:127.0.0.1")]


def ask_as(user: int, port: int, request: str) -> bytes:
    """What a process of this user is answered; a shell, for others may not be able to start this Python."""
    script = 'exec 3<>/dev/tcp/127.0.0.1/"$0"; printf %s "$1" >&3; cat <&3'
    command = ["/bin/bash", "-c", script, str(port), request]
    is_root = os.geteuid() == 0
    return subprocess.run(command, user=user if is_root else None, capture_output=True, timeout=20, cwd="/").stdout


async def inner(scope: Any, receive: Any, send: Any) -> None:
    """Whatever the gate lets through."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"in"})


@contextmanager
def serving(gate: Gate) -> Iterator[int]:
    """The port of a server behind this gate, as the terminal has it."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(gate, http=Connection, proxy_headers=False, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def request(port: int, path: str, *more: str) -> str:
    """A whole request for a page."""
    head = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close", *more]
    return "".join(f"{line}\r\n" for line in head) + "\r\n"


def status(answer: bytes) -> int:
    return int(answer.split()[1])


@contextmanager
def strangers(patch: pytest.MonkeyPatch) -> Iterator[int]:
    """A user who is not the server's. Where only root can be another, the server is: then it is we who are strange."""
    if os.geteuid() == 0:
        yield NOBODY
    else:
        own = os.geteuid()
        with patch.context() as inside:
            inside.setattr(os, "geteuid", lambda: own + 1)
            yield own


def test_another_users_program_is_refused_with_all_that_opens_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    with strangers(monkeypatch) as stranger:
        gate = Gate(inner, TOKEN, peers=Peers())
        admitting = Gate(inner, TOKEN, peers=Peers([stranger]))
    code = gate.codes.make()
    with serving(gate) as port:
        cookie = f"Cookie: bulkhead-terminal-{port}={gate._kept}"
        planted = ("X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1", "X-Forwarded-Port: 1")
        ways = (("/", (cookie,)), ("/", (cookie, *planted)), (f"/?token={TOKEN}", ()), (f"/?code={code}", ()))
        for path, more in ways:
            answer = ask_as(stranger, port, request(port, path, *more))
            assert status(answer) == 403 and b"another user's" in answer and b"--admit" in answer, (path, more)
            assert b"et-cookie" not in answer
        assert b"another user's" not in ask_as(stranger, port, request(port, "/")), "who knows nothing learns nothing"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key)
        head = ["GET /_nicegui_ws/socket.io HTTP/1.1", f"Host: 127.0.0.1:{port}", cookie, *upgrade]
        assert status(ask_as(stranger, port, "".join(f"{line}\r\n" for line in head) + "\r\n")) == 403
        if os.geteuid() == 0:
            assert status(ask_as(0, port, request(port, f"/?code={code}"))) == 303, "a stranger does not use it up"
            assert status(ask_as(0, port, request(port, "/", cookie))) == 200
    with serving(admitting) as port:
        cookie = f"Cookie: bulkhead-terminal-{port}={admitting._kept}"
        assert status(ask_as(stranger, port, request(port, "/", cookie))) == 200, "as a proxy's"


@pytest.mark.parametrize(("server", "client"), ENDS)
def test_each_kind_of_address_is_found(server: str, client: str) -> None:
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with closing(socket.socket(family)) as listening:
        listening.bind((server, 0))
        listening.listen()
        with socket.socket(socket.AF_INET6 if ":" in client else socket.AF_INET) as connecting:
            connecting.connect((client, listening.getsockname()[1]))
            accepted, theirs = listening.accept()
            with accepted:
                assert user_of(theirs[:2], accepted.getsockname()[:2]) == os.geteuid()
                assert user_of((theirs[0], 1), accepted.getsockname()[:2]) is None


def test_who_has_hung_up_is_not_taken_for_root() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        connecting = socket.create_connection(listening.getsockname())
        connecting.sendall(b"GET / HTTP/1.1\r\n\r\n")
        accepted, theirs = listening.accept()
        with accepted:
            connecting.close()
            assert user_of(theirs, accepted.getsockname()) in (GONE, None)
            scope = {"state": {peers.STATE: Peer(theirs, accepted.getsockname())}}
            assert not Peers([0]).may(scope)


def test_a_connection_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looks, real = [], user_of
    monkeypatch.setattr(peers, "user_of", lambda theirs, ours: looks.append(theirs) or real(theirs, ours))
    gate = Gate(inner, TOKEN, peers=Peers())
    with serving(gate) as port, closing(HTTPConnection("127.0.0.1", port)) as kept:
        for _ in range(3):
            kept.request("GET", "/", headers={"Cookie": f"bulkhead-terminal-{port}={gate._kept}"})
            with kept.getresponse() as answer:
                assert (answer.status, answer.read()) == (200, b"in")
    assert len(looks) == 1, "all three came over one connection"


def test_who_is_not_of_this_machine_and_what_cannot_be_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine is let in, for whoever listens to it has chosen it; what is this one's own must be found."""
    here = ("192.0.2.1", 8090)

    def may(theirs: tuple[str, int] | None, ours: tuple[str, int] = here) -> bool:
        return Peers().may({"state": {peers.STATE: Peer(theirs, ours)}})

    assert may(("192.0.2.7", 999)) and may(("fe80::1%eth0", 999), ("fe80::2", 8090))
    for theirs in (("127.0.0.1", 1), ("127.0.0.9", 1), ("::1", 1), ("::ffff:127.0.0.1", 1), ("192.0.2.1", 1), None):
        assert not may(theirs), theirs
    assert not Peers().may({}) and not Peers().may({"state": {}}), "a server that does not say who connects"
    assert Peers(None).may({})
    monkeypatch.setattr(peers, "TABLE", peers.TABLE.with_name("no-such-table"))
    assert not may(("192.0.2.7", 999))


def test_who_may_is_named_and_what_cannot_be_told_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert peers_for(())[1] == "" == peers_for(["root", "65534"])[1]
    with pytest.raises(UnknownUser, match="no user 'no-such-user'"):
        peers_for(["no-such-user"])
    everybody, said = peers_for(["all"])
    assert everybody.may({}) and said == "", "it was chosen"
    monkeypatch.setattr(peers, "TABLE", peers.TABLE.with_name("no-such-table"))
    everybody, said = peers_for(())
    assert everybody.may({}) and "another user of this machine" in said
