"""An exchange that lies, floods, redirects or talks nonsense: a named error, bounded memory, and no connection dies."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from aiohttp import web

from bulkhead.client import Exchange, Refused, Unreachable, Unreadable, transport
from bulkhead.client import feeds as feeds_module
from bulkhead.client import once as once_module
from bulkhead.client import socket as socket_module
from bulkhead.client.models import Level, Price
from bulkhead.client.sane import is_sane
from bulkhead.client.signer import Signer
from bulkhead.client.trader import Trader
from tests.client.hostile import Answer, exchange_that, run, says, talks

DEPTH = '{{"status":"OK","data":{{"bid":[{{"price":"{0}","qty":"1"}}],"ask":[]}}}}'


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "sNaN", "1e999", "1E-999999", "9" * 42])
def test_no_number_is_taken_that_no_market_has(number: str) -> None:
    async def work() -> None:
        async with exchange_that(says(DEPTH.format(number))) as exchange:
            with pytest.raises(Unreadable, match=r"price is no number of a market.*bid"):
                await exchange.depth("BTC-USD")

    run(work)


def test_numbers_of_markets_are_taken() -> None:
    for text in ("0", "-0", "1e18", "0.000000000000000001", "-123456789012345678.000000000000000001"):
        assert is_sane(Decimal(text))
        assert msgspec.json.decode(f'{{"price":"{text}","qty":"1"}}', type=Level).price == Decimal(text)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"m": "BTC-USD", "p": "NaN", "ts": 1}, Price)


@pytest.mark.parametrize("number", ["NaN", "1e5", "", " 1", "1\n", "0x1", "1.", "9" * 41, "-" + "1" * 41])
def test_no_text_is_taken_for_a_number_in_an_answer_of_plain_dictionaries(number: str) -> None:
    told = {"custody": number, "accounts": "-0.5", "funds": "9" * 40, "sequence": 1, "batches": 1,
            "liabilities": {"root": "0x1", "total": "0", "accounts": 0}}  # fmt: skip

    async def work() -> None:
        for taken in (told, {**told, "custody": "1.000001"}):
            async with exchange_that(says(json.dumps({"status": "OK", "data": taken}))) as exchange:
                if taken is told:
                    with pytest.raises(Unreadable, match="custody"):
                        await exchange.books.solvency()
                else:
                    assert await exchange.books.solvency() == taken, "as it was told"

    run(work)


@pytest.mark.parametrize(
    "text",
    ["<html>", "", "[]", '{"status":"OK","data":' + "[" * 50_000, '{"status":"OK","data":[{"name":7}]}', "\x00\xff"],
)
def test_an_answer_that_is_none_is_unreadable(text: str) -> None:
    async def work() -> None:
        async with exchange_that(says(text)) as exchange:
            for ask in (exchange.markets, exchange.assets):
                with pytest.raises(Unreadable):
                    await ask()

    run(work)


def test_an_answer_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "ANSWER_MAX_BYTES", 1 << 20)

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" " * (1 << 16))

    async def bomb(_: web.Request) -> web.StreamResponse:
        packed = gzip.compress(b" " * (1 << 24))
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async def work() -> None:
        for answer in (flood, bomb):
            async with exchange_that(answer) as exchange:
                with pytest.raises(Unreadable, match="more than 1048576 bytes"):
                    await exchange.markets()

    run(work)


def test_nobody_has_keys_and_orders_sent_on() -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async def work() -> None:
        async with exchange_that(answer) as exchange:
            with pytest.raises(Unreadable, match="HTTP 307"):
                await trader_of(exchange)._ask("POST", "/order", dict[str, Any], body={"id": "1"})
        assert seen == ["/api/v1/user/order"]

    run(work)


def trader_of(exchange: Exchange) -> Trader:
    return Trader(exchange, "key", Signer.__new__(Signer))


@pytest.mark.parametrize(
    "first",
    [
        says("<html>502 Bad Gateway</html>", 502),
        says('{"status":"ERROR","error":{"code":500,"message":"the node failed"}}', 500),
        says("what?"), says('{"status":"OK","data":{"id":"?"}}'),
    ],
)  # fmt: skip
def test_an_order_whose_answer_cannot_be_read_is_looked_up(first: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that failed, or an answer of another version: the order was taken, and counts as taken."""
    monkeypatch.setattr(once_module, "PAUSES_S", (0.0,))
    posts: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            posts.append(await request.text())
            return await first(request)
        assert request.path.endswith("/orders/external/mine")
        order = {
            "id": 9, "externalId": "mine", "market": "BTC-USD", "type": "LIMIT", "side": "BUY", "status": "NEW",
            "qty": "1",
        }  # fmt: skip
        return web.json_response({"status": "OK", "data": [order]})

    async def work() -> None:
        async with exchange_that(answer) as exchange:
            assert (await trader_of(exchange)._placed({"id": "mine"})).id == 9
        assert len(posts) == 1

    run(work)


def test_an_order_that_nobody_tells_of_is_not_said_to_be_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once_module, "PAUSES_S", (0.0,))

    async def work() -> None:
        async with exchange_that(says("what?")) as exchange:
            with pytest.raises(Unreachable, match="no answer that can be read"):
                await trader_of(exchange)._placed({"id": "mine"})
        async with exchange_that(says('{"status":"ERROR","error":{"code":1140,"message":"no"}}', 422)) as exchange:
            with pytest.raises(Refused):
                await trader_of(exchange)._placed({"id": "mine"})

    run(work)


NONSENSE = [
    "?", "[]", "7", "[" * 50_000, '{"seq":1e300}', '{"seq":1}',
    '{"seq":2,"type":"SNAPSHOT","subscription":"orderbooks.X","ts":0,"data":{"b":[{"p":"x","c":"1"}],"a":[]}}',
    '{"seq":2,"type":"SNAPSHOT","subscription":"orderbooks.X","ts":0,"data":{"b":[{"p":"NaN","c":"1"}],"a":[]}}',
    '{"seq":3,"type":"SNAPSHOT","subscription":"orderbooks.X","ts":0,"data":{"b":[{"p":"1e99999","c":"1"}],"a":[]}}',
    '{"seq":4,"type":"SNAPSHOT","subscription":"orderbooks.X","ts":0,"data":{"b":null,"a":[]}}',
]  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE)
def test_a_frame_of_nonsense_ends_feeds_by_name_and_never_the_connection(text: str) -> None:
    is_said = False

    async def hear(socket: web.WebSocketResponse, asked: str) -> None:
        nonlocal is_said
        question = json.loads(asked)
        await socket.send_json({"id": question["id"], "result": {"time": 5}})
        if question["method"] == "subscribe" and not is_said:
            is_said = True
            await socket.send_str(text)
        elif question["method"] == "subscribe":
            data = {"b": [{"p": "10", "c": "2"}], "a": []}
            frame = {"seq": 9, "type": "SNAPSHOT", "subscription": "orderbooks.X", "ts": 0, "data": data}
            await socket.send_json(frame)

    async def work() -> None:
        async with exchange_that(talks(hear)) as exchange:
            feeds = await exchange.feeds()
            with pytest.raises(Unreadable):
                await feeds.book("X")
            assert await feeds.socket.ping() == 5
            assert (await feeds.book("X")).bids == {Decimal(10): Decimal(2)}

    run(work)


@pytest.mark.parametrize("result", [None, {}, {"time": "soon"}, {"time": None}, [], 7])
def test_a_clock_that_is_none_is_unreadable(result: Any) -> None:
    async def hear(socket: web.WebSocketResponse, asked: str) -> None:
        await socket.send_json({"id": json.loads(asked)["id"], "result": result})

    async def work() -> None:
        async with exchange_that(talks(hear)) as exchange:
            with pytest.raises(Unreadable):
                await (await exchange.feeds()).socket.ping()

    run(work)


def test_a_frame_without_end_and_a_book_without_end_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "FRAME_MAX_BYTES", 1 << 16)
    monkeypatch.setattr(feeds_module, "LEVELS_MAX", 100)
    levels = [{"p": str(place), "c": "1"} for place in range(1, 102)]
    frame = {"seq": 1, "type": "SNAPSHOT", "subscription": "orderbooks.X", "ts": 0, "data": {"b": levels, "a": []}}

    async def hear(socket: web.WebSocketResponse, asked: str) -> None:
        question = json.loads(asked)
        if question["method"] == "ping":
            await socket.send_str(" " * (1 << 17))
            return
        await socket.send_json({"id": question["id"], "result": {}})
        await socket.send_json(frame)

    async def work() -> None:
        async with exchange_that(talks(hear)) as exchange:
            feeds = await exchange.feeds()
            with pytest.raises(Unreadable, match="more than 100 prices"):
                await feeds.book("X")
            with pytest.raises(Unreachable):
                await feeds.socket.ping()

    run(work)


def test_brackets_without_end_do_not_end_a_process_that_reads_them() -> None:
    """In processes of their own: where this fails, they die with a broken stack."""
    for reader in (
        "from bulkhead.client import Exchange; Exchange('http://127.0.0.1')",
        "from bulkhead.client.nesting import keep_shallow; import bulkhead.api.app; keep_shallow()",
    ):
        code = f"import msgspec; {reader}\ntry: msgspec.json.decode('[' * 100_000)\nexcept RecursionError: print('ok')"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "ok\n"


def test_who_hangs_up_at_once_is_not_called_without_end() -> None:
    calls = 0

    async def hang_up(request: web.Request) -> web.StreamResponse:
        nonlocal calls
        calls += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close()
        return socket

    async def work() -> None:
        async with exchange_that(hang_up) as exchange:
            await exchange.feeds()
            await asyncio.sleep(1.0)
        assert 2 <= calls <= 8, "0.1 s, then twice as long each time"

    run(work)
