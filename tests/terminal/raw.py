"""A page without a browser: its elements as the terminal sent them, and its socket, over which anything can be said."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Self

import httpx
from websockets.sync.client import connect

from tests.terminal.venue import TOKEN, Terminal

SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
ESCAPED = {"&#36;": "$", "&#96;": "`", "&gt;": ">", "&lt;": "<", "&amp;": "&"}
Argument = Any  # of an event: whatever JSON can say


@contextmanager
def entered(terminal: Terminal) -> Iterator[httpx.Client]:
    """A program that knows the token, and has got the cookie for it."""
    with httpx.Client(base_url=terminal.url, timeout=30) as made:
        assert made.get("/", params={"token": TOKEN}).status_code == 303
        yield made


class RawPage:
    """One page while its `socket` is open."""

    def __init__(self, program: httpx.Client, path: str) -> None:
        text = program.get(path).text
        found = re.search(r"'client_id': '([^']+)'", text)
        shown = re.search(r"parseElements\(String\.raw`(.*?)`\)", text, re.DOTALL)
        assert found is not None and shown is not None, text[:200]
        self.client_id, plain = found[1], shown[1]
        for escaped, character in ESCAPED.items():
            plain = plain.replace(escaped, character)
        self.elements: dict[str, dict[str, Any]] = json.loads(plain)
        own = f"&client_id={self.client_id}&tab_id=t&document_id=d&next_message_id=0&implicit_handshake=true"
        cookie = "; ".join(f"{name}={value}" for name, value in program.cookies.items())
        url = str(program.base_url).replace("http", "ws").rstrip("/") + SOCKET + own
        self._opened = ExitStack()
        opening = connect(url, additional_headers={"Cookie": cookie}, max_size=None, ping_interval=None)
        self.socket = self._opened.enter_context(opening)
        self.socket.recv(20)
        self.socket.send("40")
        assert str(self.socket.recv(20)).startswith('40{"sid"')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def listeners(self) -> list[tuple[str, dict[str, Any]]]:
        """Every event that an element of the page listens to."""
        return [(place, event) for place, one in self.elements.items() for event in one.get("events", ())]

    def marked(self, mark: str, kind: str) -> tuple[str, dict[str, Any]]:
        """The listener of the element with a mark."""
        marked = [place for place, one in self.elements.items() if one.get("props", {}).get("data-mark") == mark]
        return next((place, event) for place, event in self.listeners() if place in marked and event["type"] == kind)

    def tell(self, listener: tuple[str, dict[str, Any]], *arguments: Argument) -> None:
        """An event, with these arguments."""
        place, event = listener
        told = {
            "id": int(place), "client_id": self.client_id, "listener_id": event["listener_id"],
            "args": [json.dumps(one) for one in arguments],
        }  # fmt: skip
        self.say("event", told)

    def say(self, name: str, *arguments: Argument) -> None:
        """Anything, under a name of the library's."""
        self.socket.send("42" + json.dumps([name, *arguments]))
