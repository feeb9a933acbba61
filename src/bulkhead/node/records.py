"""What the node writes to disk and how: commands, the genesis of an exchange, and snapshots of all it knows."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple, get_args

from bulkhead.codec import Codec
from bulkhead.engine.command import Command
from bulkhead.keepers.venue import VenueSnapshot
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.orders import FilledOrders
from bulkhead.ledger.state import Account, Counters, Funds, Market, Oracle, State, genesis, put_market
from bulkhead.units import AssetId, TimeMs

SNAPSHOT_BYTES_MAX = 4 << 30
RULES_VERSION = 4
"""Raised with every change of rules after which old commands would replay to another state."""


class Genesis(NamedTuple):
    """What an exchange begins with. The digest of its bytes is the journal's genesis."""

    rules_version: int
    config: VenueConfig
    time_ms: TimeMs


class LedgerRecord(NamedTuple):
    """The ledger's state. Order is kept where the state keeps one, so that a restored exchange walks alike."""

    time_ms: TimeMs
    accounts: tuple[Account, ...]
    markets: tuple[Market, ...]
    funds: tuple[tuple[AssetId, Funds], ...]
    custody: tuple[tuple[int, int], ...]
    oracle: Oracle
    counters: Counters
    filled: bytes  # as `FilledOrders.dump` has them: as numbers they would be most of what a snapshot takes
    holders: tuple[tuple[int, ...], ...]  # accounts with a position, by market in the order of the configuration
    changed: tuple[int, ...]
    touched: tuple[int, ...]  # lists of filled orders, in which what has expired is forgotten when the batch ends


class ExchangeRecord(NamedTuple):
    """Everything that decides what the next command does."""

    ledger: LedgerRecord
    venue: VenueSnapshot


COMMANDS: Codec[Command] = Codec(get_args(Command))
GENESIS: Codec[Genesis] = Codec([Genesis])
EXCHANGE: Codec[ExchangeRecord] = Codec([ExchangeRecord], bytes_max=SNAPSHOT_BYTES_MAX)


def digest_of(data: bytes) -> bytes:
    """SHA-256: of a genesis for the journal, of a snapshot to compare two exchanges."""
    return sha256(data).digest()


def ledger_record(state: State, *, with_orders: bool = True) -> LedgerRecord:
    """The ledger's state, frozen; filled orders are left out for who copies them otherwise."""
    filled, touched = (state.filled.dump(), tuple(state.filled.touched)) if with_orders else (b"", ())
    return LedgerRecord(
        state.time_ms,
        tuple(state.accounts.values()),
        tuple(state.markets.values()),
        tuple((AssetId(asset_id), funds) for asset_id, funds in state.funds.items()),
        tuple(state.custody.items()),
        state.oracle,
        state.counters,
        filled,
        tuple(tuple(state.holders[terms.market_id]) for terms in state.config.markets),
        tuple(state.changed),
        touched,
    )


def ledger_state(config: VenueConfig, record: LedgerRecord) -> State:
    """The state that was frozen, with what is derived from it."""
    state = genesis(config, record.time_ms)
    for market in record.markets:
        put_market(state, market)
    state.accounts = {account.account_id: account for account in record.accounts}
    state.funds = dict(record.funds)
    state.custody = dict(record.custody)
    state.oracle, state.counters = record.oracle, record.counters
    state.filled = FilledOrders.load(record.filled, record.touched)
    for terms, holders in zip(config.markets, record.holders, strict=True):
        state.holders[terms.market_id] = dict.fromkeys(holders)
    state.changed = dict.fromkeys(record.changed)
    return state
