"""Whoever answers instead of the exchange: told by name, never sent anything, and never asked another way."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import connector, web

from bulkhead.client import Exchange, Unreadable, Untrusted
from bulkhead.terminal import words
from tests.api.test_tls import certificate
from tests.client.hostile import run, server_of

seen: list[str] = []


async def answer(request: web.Request) -> web.StreamResponse:
    seen.append(request.path)
    return web.json_response({"status": "OK", "data": []})


def context(files: tuple[Path, Path]) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*files)
    return made


@pytest.mark.parametrize(
    ("address", "hours", "is_known", "said"),
    [
        ("127.0.0.1", 1, False, "self-signed certificate"),
        ("127.0.0.1", -1, True, "certificate has expired"),
        ("127.0.0.9", 1, True, "certificate is not valid for '127.0.0.1'"),
        ("127.0.0.1", 1, True, ""),
    ],
)
def test_a_certificate_that_is_not_good_is_told_by_name(
    address: str, hours: int, is_known: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path, address, hours)
    if is_known:  # as where the machine trusts its issuer
        trusting = ssl.create_default_context(cafile=str(files[0]))
        monkeypatch.setattr(connector, "_SSL_CONTEXT_VERIFIED", trusting)
    seen.clear()

    async def work() -> None:
        async with server_of(answer, context(files)) as url, Exchange(url) as exchange:
            if not said:
                assert await exchange.markets() == {} and seen
                return
            asks: tuple[Callable[[], object], ...] = (exchange.markets, exchange.feeds)
            for ask in asks:
                with pytest.raises(Untrusted, match="certificate of 127.0.0.1 is not good") as raised:
                    await ask()  # type: ignore[misc]
                assert said in str(raised.value)
                shown = words.of_error(raised.value)
                assert shown.what.startswith("The certificate of 127.0.0.1 is not good") and said in shown.what
        assert not seen

    run(work)


def test_http_where_tls_is_asked_for_and_a_way_to_somewhere_else_are_told() -> None:
    async def sends_on(request: web.Request) -> web.StreamResponse:
        raise web.HTTPMovedPermanently("https://elsewhere.example/")

    async def work() -> None:
        async with server_of(answer) as url, Exchange(url.replace("http", "https", 1)) as exchange:
            for ask in (exchange.markets, exchange.feeds):
                with pytest.raises(Untrusted, match="speaks no TLS"):
                    await ask()
        async with server_of(sends_on) as url, Exchange(url) as exchange:
            with pytest.raises(Unreadable, match="sent on to 'https://elsewhere.example/'; nothing is sent there"):
                await exchange.markets()

    run(work)
