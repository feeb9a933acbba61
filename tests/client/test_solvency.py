"""A trader finds his own money in the total that the exchange publishes, or is told what does not hold."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import pytest

from bulkhead.client import Exchange, Owner, Refused
from bulkhead.client.solvency import Counted, SolvencyError, check, counted
from tests.api.live import Live, Trader


def told(live: Live) -> tuple[Counted, Any, Any, int, int, Decimal]:
    """What was counted, and the answers that it was counted from."""

    async def ask() -> tuple[Counted, Any, Any, int, int, Decimal]:
        async with Exchange(live.url) as exchange:
            trader = await Owner(exchange, "0x" + "4d" * 32).trader()
            await trader.claim_test_money()
            await trader.choose_mode("ETH-USD", "isolated", leverage=5)
            await trader.take("ETH-USD", "BUY", 1)
            found = await counted(trader)
            published = await exchange.books.solvency()
            own = await trader.solvency(published["sequence"])
            with pytest.raises(Refused, match="nothing is kept"):
                await trader.solvency(999_999_999)
            equity = (await trader.balance()).equity
            return found, published, own, trader.account_id, trader.signer.key, equity

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def asked(live: Live) -> Any:
    maker = Trader(live, 1601)
    maker.claim()
    maker.placed("SELL", "5", "3010", market="ETH-USD")
    return told(live)


def test_a_trader_is_counted_with_his_isolated_position(asked: Any) -> None:
    found, published, own, account_id, key, equity = asked
    assert {part["accountId"] for part in own["parts"]} == {account_id, account_id + 2}
    assert abs(found.owed - equity) < Decimal("0.01")
    assert found.total >= found.owed and found.custody == Decimal(published["custody"])
    assert found.surplus == found.custody - found.total
    assert abs(found.surplus - Decimal(published["funds"])) < Decimal("0.001"), "what is not owed is the venue's own"
    assert check(published, own, account_id, key) == found


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("own", "root"), "00" * 32, "another root"), (("own", "total"), "1", "another root"),
        (("own", "sequence"), 1, "another root"), (("own", "parts", 0, "owed"), "1", "not under the published root"),
        (("own", "parts", 0, "ownerKey"), "0x5", "under another key"), (("own", "parts"), [], "not among what is owed"),
        (("own", "parts", 0, "accountId"), 9, "not among what is owed"),
        (("own", "parts", 0, "path", 0, "total"), "-5", "not under"), (("own", "parts", 0, "salt"), "zz", "no proof"),
        (("own", "parts", 0, "owed"), "0.0000001", "no proof"), (("published", "liabilities"), {}, "no proof"),
        (("published", "custody"), "much", "no proof"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_told(asked: Any, place: tuple[Any, ...], value: Any, said: str) -> None:
    _, published, own, account_id, key, _ = asked
    both: Any = json.loads(json.dumps({"published": published, "own": own}))
    at = both
    for name in place[:-1]:
        at = at[name]
    at[place[-1]] = value
    with pytest.raises(SolvencyError, match=said):
        check(both["published"], both["own"], account_id, key)


def test_one_leaf_does_not_stand_for_two_accounts(asked: Any) -> None:
    _, published, own, account_id, key, _ = asked
    twice = {**own, "parts": [own["parts"][0], own["parts"][0]]}
    with pytest.raises(SolvencyError, match="share one place"):
        check(published, twice, account_id, key)
