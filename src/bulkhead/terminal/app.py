"""The terminal's server: makes the pages, and serves them to whoever knows the token, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI
from nicegui import app as pages
from nicegui import ui
from starlette.requests import Request

from bulkhead.terminal import theme
from bulkhead.terminal.gate import Gate
from bulkhead.terminal.keystore import Unlocked
from bulkhead.terminal.peers import Connection, Peers, peers_for
from bulkhead.terminal.session import Session
from bulkhead.terminal.settings import Settings
from bulkhead.terminal.shell import SCREENS, Page, Screen, frame

STYLES = ("theme.css", "trade.css", "compare.css")
SCRIPTS = ("shell.js", "theme.js")
PATIENCE_S = 0.02
RECONNECT_S = 30.0  # a tab that was asleep finds its page again
MESSAGES_KEPT = 5_000  # for it: a minute of a Trade screen that changes all the while, so that nothing typed is lost


class Entrance(NamedTuple):
    """How the screens are opened. `address` carries the token: it is for this user's own eyes. `once` opens them once
    and within a minute, so that it may be told where others can read it. `caution`: who else cannot be kept out."""

    address: str
    once: str
    caution: str


class Server(uvicorn.Server):
    """Whoever runs it takes the process's signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


def create(session: Session, peers: Peers, opened: Unlocked | None = None) -> Gate:
    """Every screen as pages of one application, behind its door. Once in a process: NiceGUI keeps its pages by process.
    `opened` is an account that is used from the start."""
    import bulkhead.terminal.screens  # noqa: F401  (registers them; not earlier, for screens import the shell)

    @contextlib.asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        await session.start(opened)
        yield
        await session.stop()

    outer = FastAPI(lifespan=running, docs_url=None, redoc_url=None, openapi_url=None)
    pages.add_static_files("/static", theme.STATIC)
    ui.add_head_html(
        "".join(f'<link rel="stylesheet" href="{_versioned(name)}">' for name in STYLES)
        + "".join(f'<script src="{_versioned(name)}"></script>' for name in SCRIPTS),
        shared=True,
    )
    for shown in SCREENS.values():
        _add(session, shown)
    pages.config.quasar_config["loadingBar"]["skipHijack"] = True  # a bar without a name, for whatever a page fetches
    # Not compressed: on this machine's own wire that costs more time than it saves.
    ui.run_with(
        outer, title="Bulkhead", dark=None, language="en-US", tailwind=False, reconnect_timeout=RECONNECT_S,
        message_history_length=MESSAGES_KEPT, show_welcome_message=False, binding_refresh_interval=None,
        gzip_middleware_factory=None,
    )  # fmt: skip
    return Gate(outer, session.settings.token, session.settings.names, peers=peers)


def _versioned(name: str) -> str:
    """The address of a file under a name that changes with it, so that no browser keeps an old one."""
    digest = hashlib.sha256((theme.STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?{digest}"


def _add(session: Session, shown: Screen) -> None:
    @ui.page(shown.path)
    def build(request: Request) -> None:
        frame(Page(session, ui.context.client, shown.path, dict(request.query_params)), shown)


async def serve(
    settings: Settings, *, ready: Callable[[Entrance], None] | None = None, stop: asyncio.Event | None = None
) -> None:
    """Serve until SIGINT, SIGTERM or `stop`. `ready` is told what opens the screens. OSError for a port that is taken,
    KeyStoreError for an account that should be unlocked at the start and cannot, UnknownUser."""
    stop = asyncio.Event() if stop is None else stop
    peers, caution = peers_for(settings.admit)
    session = Session(settings)
    opened = session.store.unlock(settings.unlock, settings.passphrase) if settings.unlock else None
    listening = _listen(settings.host, settings.port)
    gate = create(session, peers, opened)
    config = uvicorn.Config(
        gate, http=Connection, proxy_headers=False, log_level="warning", access_log=False, lifespan="on",
        server_header=False, timeout_graceful_shutdown=2, ws_max_size=1 << 20,
    )  # fmt: skip
    server = Server(config)
    serving = asyncio.create_task(server.serve([listening]), name="server")
    try:
        while not server.started and not serving.done():
            await asyncio.sleep(PATIENCE_S)
        if server.started and ready is not None:
            host, port = listening.getsockname()[:2]
            base = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
            address = f"{base}?{urlencode({'token': settings.token})}"
            ready(Entrance(address, f"{base}?code={gate.codes.make()}", caution))
        with _signals(stop):
            waiting = asyncio.create_task(stop.wait())
            await asyncio.wait([waiting, serving], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
    finally:
        server.should_exit = True
        await serving
        listening.close()


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens already: a port that is taken is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening
