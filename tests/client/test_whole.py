"""The SDK has every call of the interface, and its types say what comes back."""

from __future__ import annotations

import asyncio
import inspect
import re
import time
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from bulkhead.api.examples import EXAMPLES
from bulkhead.api.routes import ENDPOINTS
from bulkhead.client import Exchange, NewOrder, Owner, Refused, Trader, answers, answers_venue, transport
from bulkhead.client.evidence import Books, Evidence
from tests.api.live import Live

ELSEWHERE = {
    "POST /api/v1/user/transfer": "the wire's second name for /user/transfer/onchain",
    "GET /api/v1/user/account/info": "used by Exchange.trader",
    "GET /api/v1/user/spot/balances": "Trader.balance, as ccxt wants it",
    "GET /api/v1/info/assets/{name}/price": "one dollar is one dollar",
    "GET /api/v1/info/settings": "Books.settlement has every contract",
    "POST /api/v1/user/order/rfq": "not offered",
    "GET /api/v1/user/bridge/config": "not offered",
    "GET /api/v1/user/bridge/quote": "not offered",
    "POST /api/v1/user/bridge/quote": "not offered",
    "POST /api/v1/vault/user/deposits": "not offered",
    "POST /api/v1/vault/user/withdrawals": "not offered",
    "GET /api/v1/builder/trades": "not offered",
    "GET /metrics": "for Prometheus",
}
TYPED = {
    "GET /api/v1/user/positions/history": answers.PastPosition,
    "GET /api/v1/user/funding/history": answers.FundingPayment,
    "GET /api/v1/user/profit": answers.Profit,
    "GET /api/v1/user/deleveraging": answers.Rank,
    "GET /api/v1/user/liquidations": answers.Step,
    "GET /api/v1/user/liquidations/{id}/explain": answers.ExplainedStep,
    "GET /api/v1/user/orders/{id}/receipt": answers.Receipt,
    "GET /api/v1/info/liquidations": answers.PublicStep,
    "GET /api/v1/info/liquidations/{id}/check": answers.CheckedStep,
    "GET /api/v1/info/receipts/{sequence}": answers.Record,
    "GET /api/v1/info/batches/{batch}": answers.Batch,
    "GET /api/v1/info/settlement": answers.Settlement,
    "GET /api/v1/info/forced": answers.ForcedRequest,
    "GET /api/v1/info/solvency": answers_venue.Solvency,
    "GET /api/v1/user/solvency": answers_venue.OwnSolvency,
    "GET /api/v1/info/insurance": answers_venue.Insurance,
    "GET /api/v1/info/oracle": answers_venue.Oracle,
    "GET /api/v1/info/operator": answers_venue.Operator,
    "GET /api/v1/info/assets": answers_venue.Asset,
    "GET /api/v1/info/{market}/open-interests": answers_venue.OpenInterest,
    "GET /health": answers_venue.Health,
}


def test_every_call_is_made_by_the_sdk_or_named_here(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    made: set[tuple[str, str]] = set()
    opened = transport.Transport.page

    async def noted(self: transport.Transport, method: str, path: str, *given: Any, **more: Any) -> Any:
        made.add((method, path))
        return await opened(self, method, path, *given, **more)

    monkeypatch.setattr(transport.Transport, "page", noted)

    async def everything() -> None:
        async with Exchange(live.url) as exchange:
            owner = Owner(exchange, "0x" + "3c" * 32)
            trader = await owner.trader()
            await trader.claim_test_money()
            await use(exchange, owner, trader)

    asyncio.run(everything())
    patterns = {
        f"{one.method} {re.sub(r':path}', '}', one.path)}": re.compile(re.sub(r"\{[^}]+\}", "[^/]+", one.path) + "$")
        for one in ENDPOINTS
    }
    named = sorted(patterns, key=lambda call: call.count("{"))  # what has no hole is meant before what has one
    called = {
        next(call for call in named if call.startswith(f"{method} ") and patterns[call].match(path))
        for method, path in made
    }
    assert set(patterns) - called == set(ELSEWHERE) - {"GET /api/v1/user/account/info"}
    assert set(ELSEWHERE) <= set(patterns)


async def use(exchange: Exchange, owner: Owner, trader: Trader) -> None:
    """Every public coroutine that has no test of its own, once; what needs something that is not there, is refused."""
    second = await owner.onboard(1)
    key = await owner.api_key(second.account_id, "reader", scopes=["read"], addresses=["127.0.0.1"])
    reader = await exchange.trader(key, second.private_key)
    with pytest.raises(Refused, match="lacks the scope"):
        await reader.cancel_all()
    await owner.revoke(second.account_id, key)
    with pytest.raises(Refused, match="revoked"):
        await reader.balance()
    timed = await owner.api_key(trader.account_id, "for a moment", expires_ms=int(time.time() * 1000) + 60_000)
    assert timed and {one.l2_vault for one in await owner.accounts()} == {trader.account_id, second.account_id}
    assert len(await trader.accounts()) == 2
    order = NewOrder(market="ETH-USD", side="BUY", quantity="0.1", price=2_900)
    named = await trader.place(order)
    await trader.cancel_named(named.external_id)
    first, other = await trader.place(order), await trader.place(order)
    assert await trader.cancel_many([first.id], [other.external_id, "nobody"]) == ["nobody"]
    history = await trader.orders_history("ETH-USD", 2, by_leaving=True)
    assert {one.id for one in history} == {first.id, other.id}
    assert [one.id for one in await trader.orders_history(limit=9, cursor=first.id)] == [named.id]
    await trader.transfer(second.account_id, int((await reader_key(owner, second.account_id)), 16), 5)
    await trader.withdraw(1, owner.wallet)
    assert len(await trader.operations(1, cursor=(await trader.operations(1))[0].id)) == 1
    await trader.call_webhook("http://127.0.0.1:9/x")
    assert await trader.webhook() == "http://127.0.0.1:9/x"
    await trader.forget_webhook()
    await trader.lower_leverage("ETH-USD", 3)
    await trader.choose_mode("XRP-USD", "isolated", leverage=2)
    await trader.plan_move()
    with pytest.raises(Refused):
        await trader.move()
    await trader.preview(order)
    await trader.what_if(order, [{"ETH-USD": Decimal("-0.1")}])
    await trader.size_for("ETH-USD", "BUY", 100)
    await trader.add_strategy("basis")
    await trader.dead_man(0)
    await trader.cancel((await trader.place(order)).id)
    await trader.order(first.id)
    await trader.orders_named(first.external_id)
    await trader.evidence.receipt(first.id)
    for ask in (trader.positions, trader.positions_history, trader.funding_paid, trader.trades, trader.compartments):
        await ask()  # type: ignore[operator]
    await trader.solvency()
    await trader.fees("ETH-USD")
    await trader.leverage("ETH-USD")
    await trader.orders()
    for ask in (trader.evidence.margin_calls, trader.evidence.liquidations, trader.evidence.profit):
        await ask()
    await trader.evidence.deleveraging()
    await look(exchange, trader)


async def reader_key(owner: Owner, account_id: int) -> str:
    """The Stark key of one of the owner's accounts."""
    return next(one.l2_key for one in await owner.accounts() if one.l2_vault == account_id)


async def look(exchange: Exchange, trader: Trader) -> None:
    """What everybody may see."""
    books = exchange.books
    for ask in (books.solvency, books.insurance, books.liquidations, books.batches, books.settlement, books.forced,
                books.oracle, books.operator, books.health, books.genesis, books.proposals,
                exchange.assets):  # fmt: skip
        assert await ask() is not None  # type: ignore[operator]
    missing: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        books.deployment, books.settled_solvency, trader.settled_solvency, lambda: books.batch(999),
        lambda: books.check_liquidation(1), lambda: trader.evidence.explain(1),
    ]  # fmt: skip
    for one in missing:
        with pytest.raises(Refused):
            await one()
    await books.record(1)
    await exchange.statistics("ETH-USD")
    await exchange.depth("ETH-USD")
    await exchange.trades("ETH-USD")
    await exchange.candles("ETH-USD")
    await exchange.funding("ETH-USD")
    await exchange.open_interest("ETH-USD")


def test_types_of_wide_answers_name_every_field(live: Live) -> None:
    for call, kind in TYPED.items():
        method, path = call.split(" ")
        answer = EXAMPLES[method, path].answer
        agree(kind, answer[0] if isinstance(answer, list) else answer, call)


def agree(kind: Any, value: Any, place: Any) -> None:
    """A dictionary has the fields that its type names; a test of the document holds the example to a node."""
    if get_origin(kind) is list:
        for one in value:
            agree(get_args(kind)[0], one, place)
    elif value is not None and hasattr(kind, "__required_keys__"):
        assert kind.__required_keys__ <= set(value) <= set(kind.__annotations__), (place, set(value))
        for name, inner in get_type_hints(kind).items():
            if name in value:
                agree(inner, value[name], (place, name))
    else:
        for one in get_args(kind):
            if hasattr(one, "__required_keys__"):
                agree(one, value, place)


@pytest.mark.parametrize("kind", [Trader, Exchange, Owner, Books, Evidence])
def test_every_public_call_is_typed_and_documented(kind: type) -> None:
    for name, one in inspect.getmembers(kind, inspect.isfunction):
        if not name.startswith("_"):
            assert one.__doc__ and "return" in get_type_hints(one, vars(inspect.getmodule(one)) | vars(answers)), name
