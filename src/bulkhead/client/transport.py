"""Requests over HTTP: one session that keeps its connections, envelopes opened, errors as exceptions."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, TypeVar

import aiohttp
import msgspec

from bulkhead.client.clock import TIME_HEADER, TOO_LATE, UNTIL_HEADER, ExchangeClock
from bulkhead.client.errors import ClientError, NoAnswer, RateLimited, Refused, Unreachable, Unreadable, Untrusted
from bulkhead.client.nesting import keep_shallow

TIMEOUT_S = 30.0
COMMAND_S = 20.0  # twice as long as it is valid: what is not answered by then is looked for instead
ANSWER_MAX_BYTES = 64 << 20  # unpacked: ten times the largest that an exchange has to give
Answer = TypeVar("Answer")
_FAILED = (500, 502, 504)  # who answers so may have done it before
_encode = msgspec.json.Encoder(decimal_format="string").encode


class Page(msgspec.Struct, frozen=True):
    """Where a list goes on."""

    count: int
    cursor: int | None = None


class Transport:
    """HTTP to one exchange. Close it, or use it as a context."""

    def __init__(self, url: str) -> None:
        keep_shallow()
        self.url = url.rstrip("/")
        self.clock = ExchangeClock()
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session, made in the event loop that first asks."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
            # It would send a cancellation again by itself, and we were told of the second's refusal alone.
            self._session._retry_connection = False
        return self._session

    async def ask(
        self,
        method: str,
        path: str,
        kind: type[Answer],
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """The `data` of an answer. Raises Refused, RateLimited, Unreachable or Unreadable."""
        return (await self.page(method, path, kind, query=query, body=body, headers=headers))[0]

    async def whole(
        self,
        method: str,
        path: str,
        kind: type[Answer],
        *,
        query: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """The `data` of an answer of plain dictionaries: checked against a kind, and then as it was told, numbers as
        texts (`answers.Number` says why); what the kind knows not of stays."""
        octets = await self.ask(method, path, msgspec.Raw, query=query, headers=headers)
        try:
            msgspec.json.decode(octets, type=kind, strict=False)
            return msgspec.json.decode(octets)  # type: ignore[no-any-return]
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"{method} {path}: {error}") from error

    async def page(
        self,
        method: str,
        path: str,
        kind: type[Answer],
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[Answer, int | None]:
        """The same, and the cursor of the next part of a list (None: there is none)."""
        asked = {name: _text(value) for name, value in (query or {}).items() if value is not None}
        data = None if body is None else _encode(body)
        sent = {**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})}
        for is_last in (False, True):
            until_ms = 0 if method == "GET" else self.clock.until_ms()
            timed = {**sent, UNTIL_HEADER: str(until_ms)} if until_ms else sent
            try:
                return _opened(*await self._answer(method, path, asked, data, timed), kind)
            except NoAnswer as error:
                error.until_ms = until_ms
                raise
            except Refused as error:
                if error.code != TOO_LATE or is_last:
                    raise  # else nothing was done, and the answer has put the clock right
        raise AssertionError("the last attempt returns or raises")

    async def _answer(
        self, method: str, path: str, asked: dict[str, Any], data: bytes | None, headers: dict[str, str]
    ) -> tuple[bytes, int, str]:
        """An answer's bytes, its status, and when to try again."""
        try:
            return await self._asked(method, path, asked, data, headers)
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
            problem: Exception = error
            is_kept = not isinstance(error, aiohttp.ClientConnectorError) and not self.session.closed
            if method == "GET" and is_kept:  # a connection that was kept for longer than the exchange keeps it
                with suppress(aiohttp.ClientError, TimeoutError, OSError):
                    return await self._asked(method, path, asked, data, headers)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = error
        raise unreached(f"{method} {path}", problem) from problem

    async def _asked(
        self, method: str, path: str, asked: dict[str, Any], data: bytes | None, headers: dict[str, str]
    ) -> tuple[bytes, int, str]:
        begun_s = time.time()
        patience = aiohttp.ClientTimeout(total=COMMAND_S if UNTIL_HEADER in headers else TIMEOUT_S)
        # No redirects: whoever answers may not have orders and API keys sent on to somebody else.
        async with self.session.request(
            method, self.url + path, params=asked, data=data, headers=headers, allow_redirects=False, timeout=patience
        ) as answer:
            octets, status = await _read(answer, f"{method} {path}"), answer.status
            if 300 <= status < 400:
                told = f"HTTP {status}, sent on to {answer.headers.get('Location', '')[:200]!r}"
                raise Unreadable(f"{method} {path}: {told}; nothing is sent there: name the address of the exchange")
            self.clock.heard(answer.headers.get(TIME_HEADER, ""), begun_s)
            return octets, status, answer.headers.get("Retry-After", "1")

    async def close(self) -> None:
        """Let go of connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


def unreached(what: str, error: Exception) -> Unreachable:
    """Why there was no answer, a certificate that is not good told by name."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        why = getattr(error.certificate_error, "verify_message", "") or str(error.certificate_error)
        return Untrusted(f"{what}: the certificate of {error.host} is not good: {why}")
    if isinstance(error, aiohttp.ClientSSLError):
        why = getattr(error.os_error, "reason", "") or str(error.os_error)
        return Untrusted(f"{what}: {error.host} speaks no TLS that can be used here: {why}")
    return Unreachable(f"{what}: {type(error).__name__}: {error}")


async def _read(answer: aiohttp.ClientResponse, what: str) -> bytes:
    octets = bytearray()
    async for part in answer.content.iter_any():
        octets += part
        if len(octets) > ANSWER_MAX_BYTES:
            raise Unreadable(f"{what}: an answer of more than {ANSWER_MAX_BYTES} bytes")
    return bytes(octets)


class _Problem(msgspec.Struct, frozen=True, rename="camel"):
    code: int
    message: str
    debug_info: str = ""
    reject: str = ""


class _Envelope(msgspec.Struct, frozen=True):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: _Problem | None = None
    pagination: Page | None = None


def _opened(octets: bytes, status: int, retry: str, kind: type[Answer]) -> tuple[Answer, int | None]:
    try:
        envelope = msgspec.json.decode(octets, type=_Envelope)
        if envelope.error is None and status < 300:
            cursor = None if envelope.pagination is None else envelope.pagination.cursor
            return msgspec.json.decode(envelope.data, type=kind, strict=False), cursor
    except (ValueError, RecursionError) as error:
        kind_of = Unreachable if status in _FAILED else Unreadable
        raise kind_of(f"HTTP {status}: {error}: {octets[:200]!r}") from error
    raise _refused(envelope.error, status, retry)


def _refused(problem: _Problem | None, status: int, retry: str) -> ClientError:
    if status in _FAILED:
        return Unreachable(f"HTTP {status}: {'' if problem is None else problem.message}")
    if problem is None:
        return Unreadable(f"HTTP {status} without an error")
    found = Refused(status, problem.code, problem.message, problem.reject, problem.debug_info)
    return RateLimited(found, float(retry) if retry.isdigit() else 1.0) if status == 429 else found


def _text(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_text(one) for one in value]
    return value if isinstance(value, str) else format(value, "f") if hasattr(value, "as_tuple") else str(value)
