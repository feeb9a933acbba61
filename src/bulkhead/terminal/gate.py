"""Who may open the screens: whoever knows the token, from a page of this terminal, under a name of this machine.

The terminal signs for whoever clicks. So a web site in another tab may not reach it (Origin), nor by a name of its own
that leads here (Host), nor another user of this machine (the token).
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
            await self._app(scope, receive, _guarded(send, headers.get("host", "")))
        else:
            await _answer(scope, send, 403, _REFUSED)

    def _is_ours(self, headers: dict[str, str]) -> bool:
        host, origin = headers.get("host", ""), headers.get("origin")
        try:
            named = urlsplit(f"//{host}")
            if named.hostname not in self._names or named.port == 0:  # asking for the port checks it
                return False
            if origin is not None and urlsplit(origin).netloc != host:
                return False
        except ValueError:  # "127.0.0.1:x", "[": no host at all
            return False
        # A page of another port of this machine is of the same site, so that its requests bring our cookie. It may
        # lead here, and nothing else.
        is_led = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin") or is_led

    def _knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self._token.encode())

    @staticmethod
    def _port_cookie(host: str) -> str:
        """Cookies do not know ports: two terminals on one machine must not take each other's."""
        return f"{COOKIE}-{urlsplit(f'//{host}').port or 80}"

    def _cookie(self, headers: dict[str, str]) -> str:
        """The token among the cookies. They are taken apart by hand: one that another port's page has set, and that
        is none by the book, may not hide ours, nor may a second one of our name."""
        wanted = self._port_cookie(headers.get("host", ""))
        pairs = (one.strip().partition("=") for one in headers.get("cookie", "").split(";"))
        given = [value for name, _, value in pairs if name == wanted]
        return next((value for value in given if self._knows(value)), "")

    async def _let_in(self, scope: Scope, send: Send, query: str, host: str) -> None:
        """Keep the token in a cookie, and take it out of the address bar."""
        target = scope["path"] + (f"?{query}" if query else "")
        cookie = f"{self._port_cookie(host)}={self._token}; Path=/; HttpOnly; SameSite=Strict"
        if not target.startswith("/") or target.startswith("//"):
            target = "/"
        head = [(b"location", target.encode("latin-1")), (b"set-cookie", cookie.encode("latin-1"))]
        await send({"type": "http.response.start", "status": 303, "headers": [*head, (b"cache-control", b"no-store")]})
        await send({"type": "http.response.body", "body": b""})


def _guarded(send: Send, host: str) -> Send:
    """No page of ours in a frame, nothing of anybody else's in our pages, and no address of ours told elsewhere. Inline
    scripts and `eval` are NiceGUI's own ways."""
    policy = (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws://{host} wss://{host}; "
        "object-src 'none'; base-uri 'none'; form-action 'none'; frame-src 'none'; frame-ancestors 'none'"
    )
    added = [
        (b"content-security-policy", policy.encode("latin-1")), (b"x-frame-options", b"DENY"),
        (b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"), (b"cross-origin-resource-policy", b"same-origin"),
    ]  # fmt: skip

    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *added]}
        await send(message)

    return guarded


async def _answer(scope: Scope, send: Send, status: int, text: bytes) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
