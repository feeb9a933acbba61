"""Clients that do not read, do not answer, say too much, or come by the thousand: the others notice nothing."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bulkhead.api.streams import connect as doors
from bulkhead.api.streams import protocol, seat
from bulkhead.api.streams.frame import Frame
from bulkhead.api.streams.hub import Hub
from bulkhead.node.settings import StreamSettings
from tests.api.live import Fixed, Live, Trader, settings_for
from tests.api.streams.sockets import PREFIX, address, heard, opened, rpc_on

IDLE = 1_000
QUEUE_BYTES = 60_000


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A venue that is quick to lose patience."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doors, "LOOK_S", 0.2)
        patch.setattr(protocol, "LINGER_S", 0.5)
        impatient = StreamSettings(ping_s=2.0, pong_s=0.5, queue_bytes=QUEUE_BYTES)
        settings = msgspec.structs.replace(settings_for(tmp_path_factory.mktemp("node")), streams=impatient)
        running = Live(settings, Fixed())
        yield running
        running.stop()


def handshaken(live: Live, path: str, receive_bytes: int = 0) -> socket.socket:
    """A connection that has done the handshake, and nothing since."""
    host, port = live.url.removeprefix("http://").split(":")
    raw = socket.socket()
    if receive_bytes:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    raw.connect((host, int(port)))
    lines = (
        f"GET {PREFIX}{path} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version: 13", "", "",
    )  # fmt: skip
    raw.sendall("\r\n".join(lines).encode())
    raw.settimeout(10)
    assert raw.recv(12) == b"HTTP/1.1 101"
    return raw


def drained(raw: socket.socket) -> bytes:
    """Everything up to the end of the connection."""
    found = bytearray()
    try:
        while part := raw.recv(1 << 16):
            found += part
    except ConnectionResetError:
        return bytes(found)
    return bytes(found)


def hub_of(live: Live) -> Hub:
    """The hub of the running node."""
    return next(one.__self__ for one in live.node.writer.listeners if isinstance(one.__self__, Hub))


def frame_of(text: str) -> Frame:
    """A frame that no market has to move for."""
    return Frame("", [text], 1)


def wait_for(is_so: Callable[[], bool], seconds: float = 5.0) -> None:
    """Until it is so."""
    end_s = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end_s
        time.sleep(0.02)


def seats(live: Live) -> int:
    """Listeners of the order book of BTC-USD, asked in the node's loop."""
    found: int = live.on_loop(lambda: len(hub_of(live).books[1].listeners))
    return found


def test_a_client_that_never_answers_is_let_go(live: Live) -> None:
    with handshaken(live, "/orderbooks/BTC-USD") as silent:
        assert seats(live) == 1
        began = time.monotonic()
        rest = drained(silent)
        assert 2 < time.monotonic() - began < 8
        assert b"keepalive ping timeout" in rest
    wait_for(lambda: seats(live) == 0)


def test_a_client_that_does_not_read_is_dropped_by_name_and_holds_nothing(live: Live) -> None:
    """It answers no ping either; but what fills its queue drops it at once."""
    with opened(live, "/orderbooks/BTC-USD") as reader:
        heard(reader)
        stalled = handshaken(live, "/publicTrades/BTC-USD", receive_bytes=4_096)
        topic = live.on_loop(lambda: hub_of(live).trades[1])
        [listener] = topic.listeners
        place = listener._seat
        live.on_loop(lambda: topic.publish(frame_of("x" * 200_000)))  # fills what the system buffers
        waiting = []
        for _ in range(200):
            live.on_loop(lambda: topic.publish(frame_of("y" * 20_000)))
            waiting.append(place.waiting_bytes)
            if place.closing is not None:
                break
        assert place.closing is seat.SLOW and max(waiting) <= QUEUE_BYTES
        wait_for(lambda: not topic.listeners)
        assert place.waiting_bytes == 0
        assert len(drained(stalled)) < 8_000_000
        stalled.close()
        assert live.node.writer.failure == ""
        reader.ping().wait(5)


def test_a_reader_that_is_a_little_slow_is_told_the_code(live: Live) -> None:
    async def slow() -> int:
        where = address(live, PREFIX + "/publicTrades/ETH-USD")
        async with connect(where, compression=None, max_queue=1, ping_interval=None) as client:
            topic = live.on_loop(lambda: hub_of(live).trades[2])
            for _ in range(300):
                live.on_loop(lambda: topic.publish(frame_of("z" * 20_000)))
            try:
                while True:
                    await asyncio.wait_for(client.recv(), 5)
            except ConnectionClosed as closed:
                assert closed.rcvd is not None
                return closed.rcvd.code
        raise AssertionError

    assert asyncio.run(slow()) == seat.SLOW.code == 4008


def test_a_client_that_talks_where_nothing_is_to_be_said_is_let_go(live: Live) -> None:
    with opened(live, "/publicTrades") as client, pytest.raises(ConnectionClosed) as closed:
        for _ in range(200):
            client.send("hello")
        heard(client)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == seat.TALKATIVE.code
    with rpc_on(live) as rpc, pytest.raises(ConnectionClosed) as closed:
        rpc.socket.send(b"\x00")
        heard(rpc.socket)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == seat.BAD_FRAME.code
    with rpc_on(live) as rpc, pytest.raises(ConnectionClosed) as closed:
        rpc.socket.send("x" * 100_000)
        heard(rpc.socket)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009


def test_a_key_that_is_revoked_ends_its_streams(live: Live) -> None:
    trader = Trader(live, 707)
    with opened(live, "/account", trader.api_key) as client, pytest.raises(ConnectionClosed) as closed:
        [key] = live.on_loop(lambda: live.node.directory.keys_of(trader.vault))
        live.on_loop(lambda: live.node.directory.revoke(trader.vault, key.key_id))
        for _ in range(1_000):
            heard(client)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == seat.NO_KEY.code
    assert live.on_loop(lambda: list(hub_of(live).accounts)) == []


@pytest.mark.parametrize("place", ["_sort", "_flush"])
def test_a_stream_that_fails_drops_its_listeners_and_nothing_else(
    live: Live, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def broken(*given: object) -> None:
        raise RuntimeError("made by a test")

    trader = Trader(live, 808)
    trader.claim()
    with opened(live, "/orderbooks/BTC-USD") as client, pytest.raises(ConnectionClosed) as closed:
        heard(client)
        with monkeypatch.context() as patch:
            patch.setattr(hub_of(live), place, broken)
            trader.placed("BUY", "0.1", "59000")
            with opened(live, "/orderbooks/BTC-USD") as early:  # while the other is still being dropped, or just after
                assert heard(early)["data"]["b"][0]["p"] == "59000"
            heard(client)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == seat.FAILED.code
    with opened(live, "/orderbooks/BTC-USD") as client:
        assert heard(client)["data"]["b"][0]["p"] == "59000"
        trader.placed("BUY", "0.1", "58000")
        assert heard(client)["data"]["b"] == [{"p": "58000", "q": "0.1", "c": "0.1"}]
        trader.http.post("/api/v1/user/order/massCancel", json={"cancelAll": True})
    assert live.node.writer.failure == ""


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Live]:
    """A venue as it is by default: a thousand clients in one busy process may take a while to answer a ping."""
    running = Live(settings_for(tmp_path), Fixed())
    yield running
    running.stop()


def test_a_thousand_idle_sockets_cost_little_and_hear_everything(patient: Live) -> None:
    live = patient

    async def crowd() -> tuple[int, float]:
        before = resident_bytes()
        where = address(live, PREFIX + "/orderbooks/EOS-USD")
        idle = []
        for _ in range(IDLE // 50):
            idle += await asyncio.gather(*(connect(where, compression=None) for _ in range(50)))
        grown = resident_bytes() - before
        assert [len(await client.recv()) > 10 for client in idle] == [True] * IDLE
        topic = live.on_loop(lambda: hub_of(live).books[5])
        began = time.perf_counter()
        live.on_loop(lambda: topic.publish(frame_of("tick")))
        assert {(await client.recv())[:8] for client in idle} == {'{"data":'}
        spent = time.perf_counter() - began
        assert len(topic.listeners) == IDLE
        await asyncio.gather(*(client.close() for client in idle))
        return grown, spent

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * IDLE)), hard))
    grown, spent = asyncio.run(crowd())
    # Client and server share this process: what both take for a connection.
    assert grown / IDLE < 200_000, grown
    assert spent < 5
    wait_for(lambda: not live.on_loop(lambda: hub_of(live).books[5].listeners))


def resident_bytes() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
