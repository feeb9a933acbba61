"""A network between a client and an exchange that fails as networks do: slow, deaf, cut, and late; it reorders nothing.

    with Network(port) as network:
        network.delay_s = 5.0                               # each way, from now on
        network.next(b"POST /api/v1/user/order ", Fault.HELD_QUESTION)
        ...
        network.let_go()                                    # what was held arrives, its sender long gone or not
"""

from __future__ import annotations

import queue
import socket
import socketserver
import threading
import time
from contextlib import suppress
from enum import Enum, auto
from types import TracebackType

CHUNK_BYTES = 1 << 16
Held = tuple[float, bytes]


class Fault(Enum):
    """What happens to a question, or to its answer."""

    HELD_QUESTION = auto()  # it arrives when `let_go` is called, even where its sender has hung up
    HELD_ANSWER = auto()
    LOST_ANSWER = auto()  # the exchange takes it, and the connection is gone before a word comes back
    CUT_ANSWER = auto()  # the first bytes of the answer come back, then the connection is gone
    HALF_CLOSED = auto()  # the exchange's side is closed after the answer's first bytes; the client's stays open


class Network:
    """Listens from the start, until `stop`. Faults concern the next questions that begin as it is told."""

    def __init__(self, exchange_port: int) -> None:
        self.delay_s = 0.0  # each way
        self.is_mute = False  # what the exchange says is read and dropped
        self.refuses = False  # nobody is let in
        self.questions: list[bytes] = []  # first lines, in order
        self._exchange_port = exchange_port
        self._faults: list[tuple[bytes, Fault]] = []
        self._open: set[_Call] = set()
        self._lock = threading.Lock()
        self._free = threading.Event()
        self._free.set()
        network = self

        class Ends(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                network._called(self.request)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Ends)
        self.port = int(self._server.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def next(self, begins: bytes, fault: Fault, times: int = 1) -> None:
        """Of the next questions whose first line begins so, each suffers this."""
        with self._lock:
            self._faults += [(begins, fault)] * times
            if fault in (Fault.HELD_QUESTION, Fault.HELD_ANSWER):
                self._free.clear()

    def let_go(self) -> None:
        """What is held goes on its way, and nothing more is held or lost."""
        with self._lock:
            self._faults.clear()
            self._free.set()

    def cut(self) -> None:
        """Every connection breaks, now."""
        for call in list(self._open):
            call.cut()

    def asked(self, begins: bytes) -> int:
        """How many questions began so."""
        return sum(one.startswith(begins) for one in self.questions)

    def stop(self) -> None:
        """Take no more calls, and end those that are open."""
        self._server.shutdown()
        self._server.server_close()
        self.let_go()
        self.cut()
        self._thread.join(5)

    def __enter__(self) -> Network:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _called(self, client: socket.socket) -> None:
        if self.refuses:
            return
        try:
            exchange = socket.create_connection(("127.0.0.1", self._exchange_port), 5)
        except OSError:
            return  # nobody is there: whoever called is hung up on
        exchange.settimeout(None)
        call = _Call(self, client, exchange)
        self._open.add(call)
        try:
            call.carry()
        finally:
            self._open.discard(call)

    def fault_of(self, data: bytes) -> Fault | None:
        """What the question suffers that begins with these bytes."""
        line = data.split(b"\r\n", 1)[0]
        if not line.endswith(b"HTTP/1.1"):
            return None
        with self._lock:
            self.questions.append(line)
            for place, (begins, fault) in enumerate(self._faults):
                if line.startswith(begins):
                    del self._faults[place]
                    return fault
        return None

    def wait(self) -> None:
        """Until nothing is held any more."""
        self._free.wait()


class _Call:
    """One connection: two directions, each read at once and written when it is due."""

    def __init__(self, network: Network, client: socket.socket, exchange: socket.socket) -> None:
        self._network, self._client, self._exchange = network, client, exchange
        self._fault: Fault | None = None

    def carry(self) -> None:
        """Both directions, until both are over."""
        up, down = queue.Queue[Held](), queue.Queue[Held]()
        work = (
            lambda: self._read(self._client, up), lambda: self._read(self._exchange, down),
            lambda: self._write_up(up), lambda: self._write_down(down),
        )  # fmt: skip
        threads = [threading.Thread(target=one, daemon=True) for one in work]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._client.close()
        self._exchange.close()

    def _read(self, source: socket.socket, kept: queue.Queue[Held]) -> None:
        """An end is carried as no bytes."""
        data = b"?"
        while data:
            try:
                data = source.recv(CHUNK_BYTES)
            except OSError:
                data = b""
            kept.put((time.monotonic() + self._network.delay_s, data))

    def _write_up(self, kept: queue.Queue[Held]) -> None:
        data = b"?"
        while data:
            due_s, data = kept.get()
            self._fault = self._network.fault_of(data) or self._fault
            time.sleep(max(0.0, due_s - time.monotonic()))
            if self._fault is Fault.HELD_QUESTION:
                self._network.wait()
                self._fault = None
            self._send(self._exchange, data)

    def _write_down(self, kept: queue.Queue[Held]) -> None:
        data = b"?"
        while data:
            due_s, data = kept.get()
            time.sleep(max(0.0, due_s - time.monotonic()))
            if self._fault is Fault.HELD_ANSWER:
                self._network.wait()
                self._fault = None
            if self._fault is Fault.LOST_ANSWER and data:
                self.cut()
            elif self._fault in (Fault.CUT_ANSWER, Fault.HALF_CLOSED) and data:
                self._send(self._client, data[:40])
                if self._fault is Fault.CUT_ANSWER:
                    self.cut()
                self._send(self._client, b"")
                return
            elif not self._network.is_mute or not data:
                self._send(self._client, data)

    @staticmethod
    def _send(target: socket.socket, data: bytes) -> None:
        with suppress(OSError):
            if data:
                target.sendall(data)
            else:
                target.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """Both ends are hung up on."""
        for one in (self._client, self._exchange):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
