"""The state commitment: one field element that binds everything which decides validity. Read `commitment` first.

    S = H(version, configuration, accounts root, orders, markets, funds, oracle, counters)

H is Starknet's Poseidon over a list. Every record is packed into field elements with the widths of `limits`; signed
numbers are biased, so that each fits its width and two records never pack alike. The batch number is a counter.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from bulkhead.fixed import FRACTION_BITS
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import Account, Funds, Market, State
from bulkhead.limits import (
    ACCOUNT_ID_BITS,
    FIELD_BITS,
    FIELD_PRIME,
    FUNDING_INDEX_BITS,
    ID_BITS,
    KIND_BITS,
    NONCE_BITS,
    PRICE_BITS,
    QUOTE_BITS,
    SIZE_BITS,
    TIME_MS_BITS,
)
from bulkhead.rules.terms import MarketTerms, risk_of
from stark.poseidon import hash_many

VERSION = 4
EMPTY_LEAF = 0
SIGNED_QUOTE = QUOTE_BITS + 1
SIGNED_SIZE = SIZE_BITS + 1
SIGNED_INDEX = FUNDING_INDEX_BITS + 1
DUST_BITS = SIGNED_QUOTE + FRACTION_BITS


def packed(*parts: tuple[int, int]) -> int:
    """One field element from (value, width in bits), the first the most significant.

    A value outside its width is our own mistake (the ledger refuses it as OUT_OF_RANGE), never a wrapped number.
    """
    result = bits = 0
    for value, width in parts:
        assert 0 <= value < 1 << width, f"{value} does not fit {width} bits"
        result = result << width | value
        bits += width
    assert bits <= FIELD_BITS
    return result


def biased(value: int, width: int) -> tuple[int, int]:
    """A signed number as an unsigned one of the same width: zero becomes 2^(width − 1)."""
    return value + (1 << (width - 1)), width


def account_felts(account: Account) -> list[int]:
    """An account's leaf as field elements: head, keys, money, then other collateral, positions and choices.

    The counts in the head say how the list is to be read, so the list is unambiguous.
    """
    head = packed(
        (account.version, KIND_BITS),
        (account.kind, KIND_BITS),
        (account.rule, KIND_BITS),
        (account.asset_id, ID_BITS),
        (account.account_id, ACCOUNT_ID_BITS),
        (account.parent_id, ACCOUNT_ID_BITS),
        (account.nonce, NONCE_BITS),
        (account.liquidated_ms, TIME_MS_BITS),
        (len(account.collateral), KIND_BITS),
        (len(account.positions), KIND_BITS),
        (len(account.choices), KIND_BITS),
    )
    money = packed(biased(int(account.balance), SIGNED_QUOTE), biased(int(account.topped_up), SIGNED_QUOTE))
    felts = [head, account.owner_key, account.l1_owner, money, account.reserved]
    felts += [packed((asset_id, ID_BITS), (amount, SIGNED_QUOTE)) for asset_id, amount in account.collateral]
    for market_id, size, cost, index in account.positions:
        felts.append(
            packed(
                (market_id, ID_BITS),
                biased(int(size), SIGNED_SIZE),
                biased(int(index), SIGNED_INDEX),
                biased(int(cost), SIGNED_QUOTE),
            )
        )
    for market_id, mode, leverage, cap in account.choices:
        felts.append(packed((market_id, ID_BITS), (mode, KIND_BITS), (leverage, KIND_BITS), (int(cap), SIGNED_QUOTE)))
    return felts


def leaf_of(account: Account | None) -> int:
    """The leaf of the accounts tree: zero for an account that does not exist."""
    return EMPTY_LEAF if account is None else hash_many(account_felts(account))


def tiers_max(config: VenueConfig) -> int:
    """The most tiers that a market has: every market's record has room for as many."""
    return max((len(terms.tiers) for terms in config.markets), default=0)


def market_felts(market: Market, terms: MarketTerms) -> list[int]:
    """A market's state, one field element a number, and its tiers' initial fractions and deductions as they are now.

    Its terms are configuration. What follows from open interest is listed too, though it could be computed: a proof
    computes it once when it changes instead of wherever a margin is asked for.
    """
    index, _ = biased(int(market.funding_index), SIGNED_INDEX)
    felts = [
        int(market.status),
        int(market.price),
        market.price_ms,
        int(market.lost),
        index,
        market.funding_ms,
        int(market.open_interest),
        int(market.scale),
    ]
    for row in risk_of(terms, market.price, market.scale).rows:
        felts += [int(row.initial), int(row.initial_deduction)]
    return felts


def markets_felts(state: State) -> list[int]:
    """All markets by id, from 0 on; an id without a market, and a tier that a market lacks, is zeros."""
    width = len(Market._fields) - 1 + 2 * tiers_max(state.config)
    felts = []
    for market_id in range(max(state.markets, default=0) + 1):
        market, terms = state.markets.get(market_id), state.config.market(market_id)
        own = [] if market is None or terms is None else market_felts(market, terms)
        felts += [*own, *[0] * (width - len(own))]
    return felts


def funds_felts(funds: Funds) -> list[int]:
    """The venue's money in one settlement asset, each amount biased."""
    amounts = (funds.fees, funds.l1, funds.insurance)
    return [*(biased(int(amount), SIGNED_QUOTE)[0] for amount in amounts), biased(int(funds.dust), DUST_BITS)[0]]


def markets_root(state: State) -> int:
    """All markets."""
    return hash_many(markets_felts(state))


def money_felts(state: State) -> list[int]:
    """Funds by asset, then what custody holds of every asset. Which assets there are says the configuration."""
    felts = [felt for _, funds in sorted(state.funds.items()) for felt in funds_felts(funds)]
    return felts + [held for _, held in sorted(state.custody.items())]


def funds_root(state: State) -> int:
    """The venue's money."""
    return hash_many(money_felts(state))


def oracle_felts(state: State) -> list[int]:
    """Number and time of the last tick, then prices of other collateral."""
    prices = [
        packed((asset_id, ID_BITS), (int(price), PRICE_BITS), (time_ms, TIME_MS_BITS))
        for asset_id, price, time_ms in state.oracle.collateral
    ]
    return [state.oracle.sequence, state.oracle.time_ms, *prices]


def oracle_root(state: State) -> int:
    """The oracle."""
    return hash_many(oracle_felts(state))


def counters_felts(state: State) -> list[int]:
    """Counters, the batch number among them, and the time before which no transaction may go back."""
    counters = state.counters
    return [
        counters.deposits,
        counters.withdrawals,
        counters.forced,
        counters.transactions,
        counters.batches,
        counters.fresh_after_ms,
        state.time_ms,
    ]


def counters_root(state: State) -> int:
    """All counters."""
    return hash_many(counters_felts(state))


@lru_cache(maxsize=16)
def config_root(config: VenueConfig) -> int:
    """The whole configuration: terms, tiers, grid, keys, fees. It changes rarely, so the answer is remembered."""
    return hash_many(list(_felts_of(config)))


def _felts_of(value: Any) -> Iterable[int]:
    """Any record of the configuration as field elements, unambiguous: each text and each list says its length first."""
    if isinstance(value, str):
        octets = value.encode()
        yield len(octets)
        for start in range(0, len(octets), 31):
            yield int.from_bytes(octets[start : start + 31], "big")
    elif isinstance(value, tuple):
        yield len(value)
        for part in value:
            yield from _felts_of(part)
    else:
        number = int(value)
        assert abs(number) < FIELD_PRIME >> 1 or 0 <= number < FIELD_PRIME  # keys fill the field, amounts are small
        yield number if number >= 0 else number + FIELD_PRIME


def commitment_felts(state: State, accounts_root: int) -> list[int]:
    """What S is made of."""
    return [
        VERSION,
        config_root(state.config),
        accounts_root,
        state.filled.root,
        markets_root(state),
        funds_root(state),
        oracle_root(state),
        counters_root(state),
    ]


def commitment(state: State, accounts_root: int) -> int:
    """S: what L1 stores of the whole exchange."""
    return hash_many(commitment_felts(state, accounts_root))
