"""The embedded chain behind web3's interface: in the process, or over HTTP for other processes of the same machine."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from web3.providers import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from bulkhead.bridge.embedded.node import Embedded
from bulkhead.bridge.embedded.rpc import answer, answer_text

BODY_BYTES_MAX = 4 << 20
POLL_S = 0.05  # how soon the server notices that it is to end


class EmbeddedProvider(JSONBaseProvider):
    """What `web3.Web3`, and `bridge.chain.Chain`, ask."""

    def __init__(self, embedded: Embedded) -> None:
        super().__init__()
        self.embedded = embedded

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request and its answer; an error is a value, as web3 wants it."""
        answered = {"jsonrpc": "2.0", "id": 1} | answer(self.embedded, method, list(params))
        return cast(RPCResponse, answered)

    def is_connected(self, show_traceback: bool = False) -> bool:
        """It is always there."""
        return True


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    embedded: Embedded


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60  # seconds without a byte, and the connection is closed
    disable_nagle_algorithm = True  # or head and body of an answer are 40 ms apart

    def do_POST(self) -> None:
        """Answer a request."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self.send_error(413, f"a body of at most {BODY_BYTES_MAX} bytes, and its length")
            return
        body = answer_text(self.server.embedded, self.rfile.read(int(length)))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a line for each request helps nobody."""


@contextmanager
def serving(embedded: Embedded, port: int = 0) -> Iterator[str]:
    """Serve the chain on this machine while inside: the URL. Port 0 takes a free one; OSError when it is taken.

    Whoever reaches the port may use the test network's methods too (time, balances), so it is bound to 127.0.0.1.
    """
    server = _Server(("127.0.0.1", port), _Handler)
    server.embedded = embedded
    thread = threading.Thread(target=server.serve_forever, args=(POLL_S,), name="embedded L1", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
