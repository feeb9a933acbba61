"""The wire between a browser and its terminal, on which messages of either direction can be held, or lost."""

from __future__ import annotations

from playwright.sync_api import Page, WebSocketRoute


class Line:
    """The socket of a page. While a direction is held, what goes there waits; `let_go` sends it on, in order."""

    def __init__(self, page: Page, *, holds_down: bool = False) -> None:
        self.holds_up, self.holds_down, self.is_cut = False, holds_down, False
        self._up: list[str | bytes] = []
        self._down: list[str | bytes] = []
        self._route: WebSocketRoute | None = None
        self._server: WebSocketRoute | None = None
        page.route_web_socket("**/socket.io/**", self._opened)

    def _opened(self, route: WebSocketRoute) -> None:
        if self.is_cut:
            route.close()
            return
        self._route, self._server = route, route.connect_to_server()
        route.on_message(self._said)
        self._server.on_message(self._told)

    def _said(self, message: str | bytes) -> None:
        assert self._server is not None, "it was opened"
        if self.holds_up:
            self._up.append(message)
        else:
            self._server.send(message)

    def _told(self, message: str | bytes) -> None:
        assert self._route is not None, "it was opened"
        if self.holds_down:
            self._down.append(message)
        else:
            self._route.send(message)

    def let_go(self) -> None:
        """Hold nothing any more."""
        self.holds_up = self.holds_down = False
        for message in self._up:
            assert self._server is not None, "something was said on it"
            self._server.send(message)
        for message in self._down:
            assert self._route is not None, "something was told on it"
            self._route.send(message)
        self._up.clear()
        self._down.clear()

    def lose(self) -> None:
        """What is held is lost, and the connection with it."""
        self.holds_up = self.holds_down = False
        self._up.clear()
        self._down.clear()
        assert self._route is not None and self._server is not None, "it was opened"
        self._server.close()
        self._route.close()
