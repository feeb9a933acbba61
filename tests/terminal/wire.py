"""A wire between a terminal and its exchange, on which answers can be lost while questions still arrive."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress


class Wire:
    """Listens from the start, until `stop`. While `is_mute`, what the exchange says is read and dropped."""

    def __init__(self, exchange_port: int) -> None:
        self.is_mute = False
        wire = self

        class Ends(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    exchange = socket.create_connection(("127.0.0.1", exchange_port), 5)
                except OSError:
                    return  # nobody is there: whoever called is hung up on
                with exchange:
                    back = threading.Thread(
                        target=carry, args=(exchange, self.request, lambda: wire.is_mute), daemon=True
                    )
                    back.start()
                    carry(self.request, exchange, lambda: False)
                    back.join()

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Ends)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Take no more calls. Those that are open end with whoever holds them."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def carry(source: socket.socket, target: socket.socket, drops: Callable[[], bool]) -> None:
    """Bytes of one direction, until either end hangs up; then the other is hung up on, too."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            if not drops():
                target.sendall(data)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
