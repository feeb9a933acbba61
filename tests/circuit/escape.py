"""A venue that is settled after a freeze: its last states, and what the row checker finds wrong with statements."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from bulkhead.circuit.escape_batch import EscapeShape, escape_of, payouts_of
from bulkhead.circuit.escape_payouts import AMOUNT_MAX, Payout
from bulkhead.circuit.trace import Tables
from bulkhead.fixed import quote_floor
from bulkhead.ledger.accounts import health_of, settled
from bulkhead.ledger.state import State, put_market
from bulkhead.units import FundingIndex, Price
from stark.air.check import check
from tests.circuit.batches import Recorder, play_all
from tests.parse import ACCOUNTS

TINY = EscapeShape(
    log_rules=10, log_programs=11, log_records=7, log_tree=8, log_poseidon=11, log_numbers=10, log_payouts=3
)
# Cross positions of both sides, an isolated child, choices, and an account that holds money alone.
START = """
register maker      ok
register taker      ok
register other      ok
deposit  maker 100000 ok
deposit  taker 5000   ok
deposit  other 12.5   ok
tick BTC 50000 ETH 3000 XRP 0.5 LTC 50 EOS 5 ok
configure taker BTC isolated 10x                    ok
configure taker XRP cross 5x                        ok
trade    maker sell taker 0.1 ETH @ 3000    ok
trade    maker sell taker 100 XRP @ 0.5     ok
trade    maker sell taker 0.001 BTC @ 50000         ok
"""
MAKER, TAKER = ACCOUNTS["maker"], ACCOUNTS["taker"]
CHILD = TAKER + 1


@cache
def begun() -> Recorder:
    """The venue after these lines."""
    player = Recorder()
    play_all(player, START)
    return player


def moved(prices: dict[int, int], index: int = 0) -> State:
    """The venue's state with other prices, in percent of what they were, and funding indices that moved by so much."""
    state = begun().state
    made = replace(
        state, accounts=dict(state.accounts), markets=dict(state.markets), risks=dict(state.risks),
        indices=dict(state.indices),
    )  # fmt: skip
    for market_id, market in state.markets.items():
        price = Price(int(market.price) * prices.get(market_id, 100) // 100 + 7)  # with a fraction to be rounded
        rise = FundingIndex(int(market.funding_index) + index * market_id)
        put_market(made, market._replace(price=price, funding_index=rise))
    return made


def worth(state: State, account_id: int) -> int:
    """What an account is worth in quote, by the ledger's own margin, its funding settled; never below zero, nor above
    the most that is paid."""
    account, _ = settled(state, state.accounts[account_id])
    return min(AMOUNT_MAX, max(0, int(quote_floor(health_of(state, account).value))))


def paid_by(tables: Tables, shape: EscapeShape = TINY) -> list[Payout]:
    """What a statement lists, on one page."""
    [page] = payouts_of(tables.public, shape)
    return page


def problems(tables: Tables, state: State, shape: EscapeShape = TINY) -> list[str]:
    """What the row checker finds."""
    return [str(each) for each in check(escape_of(state.config, shape), tables.public, tables.traces)]


CRASH = moved({1: 40, 2: 200}, 12345)
