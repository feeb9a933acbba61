"""Keys behind a proxy that is believed, and what keys of less than everything may hear."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from bulkhead.api.streams import connect as doors
from bulkhead.api.streams import seat
from tests.api.live import Fixed, Live, Trader, settings_for
from tests.api.streams.sockets import PREFIX, address, heard, opened, rpc_on


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A venue behind a proxy on this machine."""
    settings = settings_for(Path(tmp_path_factory.mktemp("behind")))
    http = msgspec.structs.replace(settings.http, trusted_proxies=("127.0.0.1",))
    running = Live(msgspec.structs.replace(settings, http=http), Fixed())
    yield running
    running.stop()


def key_of(trader: Trader, **body: Any) -> str:
    return str(trader.ask_key(trader.vault, **body).json()["data"]["key"])


@pytest.mark.parametrize(
    ("forwarded", "is_allowed"),
    [
        ("10.1.2.3", True),
        ("11.1.2.3", False),
        ("10.1.2.3, 11.1.2.3", False),  # the first was said by a client, the last by the proxy
        ("11.1.2.3, 10.1.2.3", True),
        ("nonsense", False),
        ("", False),
    ],
)
def test_a_key_of_a_network_is_held_to_what_the_proxy_says(behind: Live, forwarded: str, is_allowed: bool) -> None:
    key = key_of(Trader(behind, 21), addresses=["10.0.0.0/8"])
    headers = {"X-Api-Key": key, "X-Forwarded-For": forwarded}
    answer = behind.client().get("/api/v1/user/balance", headers=headers)
    assert answer.status_code == (200 if is_allowed else 403), answer.text
    try:
        with connect(address(behind, PREFIX + "/account"), additional_headers=headers) as socket:
            heard(socket)
            assert is_allowed
    except InvalidStatus as refused:
        assert not is_allowed and refused.response.status_code == 403


def test_a_stream_of_an_account_needs_the_scope_to_read(behind: Live) -> None:
    trader = Trader(behind, 22)
    key = key_of(trader, scopes=["trade"])
    with pytest.raises(InvalidStatus) as refused, opened(behind, "/account", key):
        pass
    assert refused.value.response.status_code == 403
    assert json.loads(refused.value.response.body)["error"]["code"] == 1009
    with rpc_on(behind) as rpc:
        told = rpc.ask("subscribe", scope="account", selector={"account": str(trader.vault)}, apiKey=key)
        assert told["error"]["code"] == -32001


def test_a_key_whose_time_is_up_ends_its_streams(behind: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "LOOK_S", 0.1)
    trader = Trader(behind, 23)
    expires_ms = int(time.time() * 1000) + 1_500
    key = key_of(trader, expiresAt=expires_ms)
    with opened(behind, "/account", key) as socket, rpc_on(behind) as rpc:
        heard(socket)
        assert "result" in rpc.ask("subscribe", scope="account", selector={"account": str(trader.vault)}, apiKey=key)
        for open_socket in (socket, rpc.socket):
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    heard(open_socket)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == seat.NO_KEY.code
    assert int(time.time() * 1000) >= expires_ms
    with pytest.raises(InvalidStatus), opened(behind, "/account", key):
        pass
