"""Run a node and its interface in one event loop, until somebody asks it to end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import uvicorn
from starlette.routing import BaseRoute

from bulkhead.api.app import make_app
from bulkhead.api.call import Api
from bulkhead.api.connection import connection_type
from bulkhead.api.streams.protocol import server_options
from bulkhead.node.app import Node
from bulkhead.node.settings import HttpSettings, SettingsError

KEEP_ALIVE_S = 75
GRACE_S = 10
SOCKETS_MAX = 10_000
PATIENCE_S = 0.02
YOUNG_MAX = 50_000  # objects made before a collection of the young
TURN_S = 0.0005


class Address(NamedTuple):
    """Where the interface listens."""

    url: str
    streams: str


class Server(uvicorn.Server):
    """Whoever runs it takes the process's signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def serve(
    node: Node,
    *,
    ready: Callable[[Address], None] | None = None,
    more: Callable[[Api], list[BaseRoute]] | None = None,
    stop: asyncio.Event | None = None,
    takes_signals: bool = True,
) -> None:
    """Start the node, listen, and end in order on SIGINT, SIGTERM, `stop`, or when the writer has failed."""
    stop = asyncio.Event() if stop is None else stop
    http = node.settings.http
    try:
        _check_tls(http)
        listening = _listen(http.host, http.port)
    except (OSError, SettingsError):
        await node.stop()
        raise
    config = uvicorn.Config(
        make_app(node, more),
        log_level="error",  # of what strangers send, nothing is to be written down
        access_log=False,
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=SOCKETS_MAX,
        ssl_certfile=http.tls_certificate or None,
        ssl_keyfile=http.tls_key or None,
        server_header=False,
        proxy_headers=bool(http.trusted_proxies),  # whoever is believed may say from which address a request comes
        forwarded_allow_ips=list(http.trusted_proxies),
        http=connection_type(node.settings),
        **server_options(node.settings.streams),
    )
    server = Server(config)
    try:
        await node.start()
        _be_quick()
        serving = asyncio.create_task(server.serve([listening]), name="server")
        while not server.started and not serving.done():
            await asyncio.sleep(PATIENCE_S)
        if ready is not None:
            ready(_address(listening, bool(http.tls_key)))
        with _signals(stop) if takes_signals else contextlib.nullcontext():
            await _until_told(node, stop, serving)
        server.should_exit = True
        await serving
    finally:
        await node.stop()
        listening.close()


def _be_quick() -> None:
    """Short pauses: what exists now is never collected, young objects seldom, and threads take turns often.

    A full collection walks every order and row for a tenth of a second, and finds nothing, since handling makes no
    cycles; a thread that writes tables would keep the event loop waiting for five milliseconds at a time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 20, 1_000)
    sys.setswitchinterval(TURN_S)


async def _until_told(node: Node, stop: asyncio.Event, serving: asyncio.Task[None]) -> None:
    waiting = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set() and not serving.done() and not node.writer.failure:
            await asyncio.wait([waiting, serving], timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` on SIGINT and SIGTERM. A second one ends the process the hard way; the journal survives that too."""
    loop = asyncio.get_running_loop()

    def told(number: int) -> None:
        loop.remove_signal_handler(number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _check_tls(http: HttpSettings) -> None:
    """Raises SettingsError for files that are no certificate with its key, before anything is started."""
    if not http.tls_key:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(http.tls_certificate, http.tls_key)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        reason = getattr(error, "reason", None) or type(error).__name__
        text = f"http.tls_certificate, http.tls_key: no certificate in PEM with its key ({reason})"
        raise SettingsError(text) from error


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens, before anything else is started: a port that is taken is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because event loops set TCP_NODELAY only then; without it an answer waits 40 ms for an
    # acknowledgement of its head.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2_048)
    except OSError as error:
        listening.close()
        raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from error
    listening.setblocking(False)
    return listening


def _address(listening: socket.socket, is_secure: bool) -> Address:
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    letter = "s" if is_secure else ""
    return Address(f"http{letter}://{shown}", f"ws{letter}://{shown}/stream.extended.exchange")
