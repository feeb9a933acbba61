"""Every reject that only the engine says is reached: one short table each."""

import pytest

from bulkhead.limits import ORDERS_PER_ACCOUNT_MAX
from bulkhead.reject import Reject
from tests.engine.floor import Floor, config
from tests.ledger.test_scripts import ENGINE_ONLY

RESTS = "maker sell 1 @ 1000 => accepted 1; rests 1\n"
TABLES = {
    Reject.UNKNOWN_ORDER: "maker cancel nothing => rejected unknown_order",
    Reject.OUTSIDE_PRICE_BAND: "maker sell 2 @ 2000 => rejected outside_price_band",
    Reject.PRICE_OFF_TICK: "maker sell 2 @ 1001 => rejected price_off_tick",
    Reject.SIZE_BELOW_MINIMUM: "maker sell 1 @ 1000 => rejected size_below_minimum",
    Reject.POST_ONLY_WOULD_TRADE: RESTS + "taker buy 1 @ 1000 post_only => rejected post_only_would_trade",
    Reject.FILL_OR_KILL_UNFILLED: RESTS + "taker buy 2 @ 1000 fok => rejected fill_or_kill_unfilled",
    Reject.REDUCE_ONLY_WOULD_GROW: "taker buy 1 @ 1000 reduce_only => rejected reduce_only_would_grow",
    Reject.SELF_TRADE: RESTS + "namesake buy 1 @ 1000 stp=client => accepted 1; cancelled 1 self_trade",
    Reject.TOO_MANY_ORDERS: "maker sell 1 @ 1000 => rejected too_many_orders",
    Reject.NO_LIQUIDITY: "taker buy 1 @ 1000 market => rejected no_liquidity",
    Reject.TRIGGER_INVALID: "taker buy 1 @ 1000 when=mark>0 => rejected trigger_invalid",
    Reject.ORDERS_OPEN: RESTS + "maker isolate 5 => rejected orders_open",
}
TERMS = {Reject.PRICE_OFF_TICK: {"tick": 5}, Reject.SIZE_BELOW_MINIMUM: {"size_min": 2}}


def test_every_reject_of_the_engine_has_its_table() -> None:
    assert TABLES.keys() == ENGINE_ONLY


@pytest.mark.parametrize("reason", sorted(TABLES), ids=lambda reason: reason.name)
def test_reject(reason: Reject) -> None:
    venue = config()
    markets = tuple(terms._replace(**TERMS.get(reason, {})) for terms in venue.markets)
    floor = Floor("maker taker", venue=venue._replace(markets=markets))
    floor.open_account("namesake", 1_000, l1_owner=floor.ids["maker"])
    for _ in range(ORDERS_PER_ACCOUNT_MAX if reason is Reject.TOO_MANY_ORDERS else 0):
        floor.place("maker", -1, 1000)
    floor.play(TABLES[reason])
    said = floor.events[-1]
    assert reason in (getattr(said, "reason", None), getattr(said, "reject", None))
