"""Who may open the screens: whoever knows the token, from a page of this terminal, under a name of this machine.

The terminal signs for whoever clicks. So a web site in another tab may not reach it (Origin), nor by a name of its own
that leads here (Host), nor another user of this machine (the token).
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "bulkhead-terminal"
LOCAL = ("127.0.0.1", "localhost", "::1")
_REFUSED = b"Open the terminal with the address that `bulkhead terminal` printed: it carries the token.\n"
_STRANGER = b"This terminal answers only under its own name, and only to its own pages.\n"


class Gate:
    """Middleware around everything that is served. Websockets are held to the same."""

    def __init__(self, app: ASGIApp, token: str, names: tuple[str, ...] = ()) -> None:
        self._app = app
        self._token = token
        self._names = (*LOCAL, *names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_ours(headers):
            await _answer(scope, send, 403, _STRANGER)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        given = query.pop("token", [""])[0]
        if given and self._knows(given) and scope["type"] == "http":
            await self._let_in(scope, send, urlencode(query, doseq=True), headers.get("host", ""))
        elif self._knows(self._cookie(headers)):
            await self._app(scope, receive, send)
        else:
            await _answer(scope, send, 403, _REFUSED)

    def _is_ours(self, headers: dict[str, str]) -> bool:
        host = headers.get("host", "")
        if urlsplit(f"//{host}").hostname not in self._names:
            return False
        origin = headers.get("origin")
        return origin is None or urlsplit(origin).netloc == host

    def _knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())

    @staticmethod
    def _port_cookie(host: str) -> str:
        """Cookies do not know ports: two terminals on one machine must not take each other's."""
        return f"{COOKIE}-{urlsplit(f'//{host}').port or 80}"

    def _cookie(self, headers: dict[str, str]) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self._port_cookie(headers.get("host", "")))
        except CookieError:
            return ""
        return "" if found is None else found.value

    async def _let_in(self, scope: Scope, send: Send, query: str, host: str) -> None:
        """Keep the token in a cookie, and take it out of the address bar."""
        target = scope["path"] + (f"?{query}" if query else "")
        cookie = f"{self._port_cookie(host)}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        if not target.startswith("/") or target.startswith("//"):
            target = "/"
        head = [(b"location", target.encode("latin-1")), (b"set-cookie", cookie.encode("latin-1"))]
        await send({"type": "http.response.start", "status": 303, "headers": [*head, (b"cache-control", b"no-store")]})
        await send({"type": "http.response.body", "body": b""})


async def _answer(scope: Scope, send: Send, status: int, text: bytes) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
