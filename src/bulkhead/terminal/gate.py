"""Who may open the screens: whoever knows the token, in a program of this user, from a page of this terminal, under a
name of this machine.

The terminal signs for whoever clicks. So a web site in another tab may not reach it (Origin), nor by a name of its own
that leads here (Host), nor another user of this machine: he does not know the token, and where he has learned it, or
the cookie, his programs are not let in.
"""

from __future__ import annotations

import hmac
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bulkhead.terminal.codes import LIFE_S, Codes, Standing
from bulkhead.terminal.peers import Peers

COOKIE = "bulkhead-terminal"
LOCAL = ("127.0.0.1", "localhost", "::1")
_PRINTED = "Open the terminal with the address that `bulkhead terminal` printed: it carries the token.\n"
_REFUSED = {
    Standing.LATE: f"This address was good for {LIFE_S:.0f} seconds, which have passed.\n\n{_PRINTED}",
    Standing.USED: "This address opens the terminal once, and has.\n\nIf you opened it, that is as it should be. "
    f"{_PRINTED}\nIf you did not, another program of this machine did: end the terminal with Ctrl-C, and start it "
    "again.\n",
}
_ANOTHERS = (
    "This terminal is another user's: it answers to programs of the user who started it.\n\nWhere a proxy of another "
    "user stands before it, start it with `bulkhead terminal --admit USER`.\n"
)
_STRANGER = "This terminal answers only under its own name, and only to its own pages.\n"


class Gate:
    """Middleware around everything that is served. Websockets are held to the same."""

    def __init__(
        self, app: ASGIApp, token: str, names: tuple[str, ...] = (), *, peers: Peers, codes: Codes | None = None
    ) -> None:
        self.codes = codes or Codes()
        self._app = app
        self._token = token
        # The browser tells it to every server of its host: it may be no word that somebody chose.
        self._kept = hmac.digest(token.encode(), b"the cookie of a terminal of Bulkhead", "sha256").hex()
        self._names = (*LOCAL, *names)
        self._peers = peers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if not self._is_ours(headers):
            await _answer(scope, send, 403, _STRANGER)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        token, code = (query.pop(name, [""])[0] for name in ("token", "code"))
        standing = self.codes.standing(code)
        is_entering = scope["type"] == "http" and scope["method"] == "GET" and bool(token or code)
        is_new = is_entering and (bool(token) and _is_same(token, self._token) or standing is Standing.DUE)
        if not is_new and not self._has_cookie(headers):
            await _answer(scope, send, 403, _REFUSED.get(standing, _PRINTED))
        elif not self._peers.may(scope):  # asked last: it takes a look into the system
            await _answer(scope, send, 403, _ANOTHERS)
        elif is_entering:
            self.codes.use(code)
            await self._let_in(scope, send, urlencode(query, doseq=True), headers.get("host", ""))
        else:
            await self._app(scope, receive, _guarded(send, headers.get("host", "")))

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

    @staticmethod
    def _port_cookie(host: str) -> str:
        """Cookies do not know ports: two terminals on one machine must not take each other's."""
        return f"{COOKIE}-{urlsplit(f'//{host}').port or 80}"

    def _has_cookie(self, headers: dict[str, str]) -> bool:
        """Whether ours is among the cookies. They are taken apart by hand: one that another port's page has set, and
        that is none by the book, may not hide ours, nor may a second one of our name."""
        wanted = self._port_cookie(headers.get("host", ""))
        pairs = (one.strip().partition("=") for one in headers.get("cookie", "").split(";"))
        return any(_is_same(value, self._kept) for name, _, value in pairs if name == wanted)

    async def _let_in(self, scope: Scope, send: Send, query: str, host: str) -> None:
        """Give the browser its cookie, and take what opened the door out of the address bar."""
        target = quote(scope["path"]) + (f"?{query}" if query else "")
        cookie = f"{self._port_cookie(host)}={self._kept}; Path=/; HttpOnly; SameSite=Strict"
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


def _is_same(given: str, known: str) -> bool:
    """In a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(), known.encode())


async def _answer(scope: Scope, send: Send, status: int, said: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    text = said.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode()),
        (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"),
    ]  # fmt: skip
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
