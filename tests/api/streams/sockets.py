"""Sockets of tests: a thin layer over the websockets library, and books kept the two ways that clients keep them."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.api.live import Live

PREFIX = "/stream.extended.exchange/v1"
RPC = "/stream.extended.exchange/v2/rpc"
WAIT_S = 10.0
Frame = dict[str, Any]


def address(live: Live, path: str) -> str:
    return live.url.replace("http", "ws", 1) + path


def opened(live: Live, path: str, key: str | None = None) -> ClientConnection:
    """A socket on a path below the prefix."""
    headers = {} if key is None else {"X-Api-Key": key}
    return connect(address(live, PREFIX + path), additional_headers=headers, compression=None)


def heard(socket: ClientConnection, timeout_s: float = WAIT_S) -> Frame:
    """The next frame."""
    found: Frame = json.loads(socket.recv(timeout_s))
    return found


def until(socket: ClientConnection, is_it: Callable[[Frame], bool], timeout_s: float = WAIT_S) -> list[Frame]:
    """Frames up to the first that is meant, that one the last."""
    found, end_s = [], time.monotonic() + timeout_s
    while not found or not is_it(found[-1]):
        left = end_s - time.monotonic()
        assert left > 0, f"not among {[frame.get('type') for frame in found]}"
        found.append(heard(socket, left))
    return found


class Rpc:
    """The RPC socket: answers by number, everything else in `frames`."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.frames: list[Frame] = []
        self._numbers = itertools.count(1)

    def ask(self, method: str, **params: Any) -> Frame:
        number = str(next(self._numbers))
        self.socket.send(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        while True:
            frame = heard(self.socket)
            if frame.get("id") == number:
                return frame
            self.frames.append(frame)

    def next(self, subscription: str) -> Frame:
        """The next frame of a subscription; all that pass are kept."""
        while True:
            frame = heard(self.socket)
            self.frames.append(frame)
            if frame["subscription"] == subscription:
                return frame


@contextmanager
def rpc_on(live: Live) -> Iterator[Rpc]:
    """An RPC socket that is closed in the end."""
    with connect(address(live, RPC), compression=None) as socket:
        yield Rpc(socket)


class Added:
    """A book kept by adding `q`, a level deleted at exactly zero: as the official SDK does."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}

    def hear(self, frame: Frame) -> None:
        for side, levels in self.sides.items():
            if frame["type"] == "SNAPSHOT":
                levels.clear()
            for level in frame["data"][side]:
                price = Decimal(level["p"])
                levels[price] = levels.get(price, Decimal(0)) + Decimal(level["q"])
                if not levels[price]:
                    del levels[price]


class Stored:
    """A book kept by storing `c`, zero deleting: as ccxt does."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}

    def hear(self, frame: Frame) -> None:
        for side, levels in self.sides.items():
            if frame["type"] == "SNAPSHOT":
                levels.clear()
            for level in frame["data"][side]:
                price, size = Decimal(level["p"]), Decimal(level["c"])
                if size:
                    levels[price] = size
                else:
                    levels.pop(price, None)


def real_book(live: Live, market: str) -> dict[str, dict[Decimal, Decimal]]:
    """The book that the engine has, asked in its own loop."""

    def ask() -> dict[str, dict[Decimal, Decimal]]:
        sequencer = live.node.exchange.machine.venue.sequencer
        terms = next(terms for terms in live.node.exchange.state.config.markets if terms.name == market)
        scale = Decimal(terms.resolution)
        found: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
        for resting in sequencer.book(terms.market_id):
            levels = found["ba"[resting.side]]
            price = Decimal(int(resting.price)) * scale / 1_000_000
            levels[price] = levels.get(price, Decimal(0)) + Decimal(int(resting.size)) / scale
        return found

    result: dict[str, dict[Decimal, Decimal]] = live.on_loop(ask)
    return result
