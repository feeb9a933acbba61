"""Availability: what is published with a batch, so that anyone can rebuild every leaf without the operator.

    records = counts and time · markets · funds · custody · oracle · changed accounts · new fills · their lists

Numbers are variable-length (7 bits a byte, the lowest first); signed ones are folded (0, −1, 1, −2 …). An account
says what never changes only when it is new, and its positions carry their funding index as a difference from the
market's, which is zero for an account that was touched since. Orders that expired are not listed: their time says so.
They are forgotten in the lists that are named: all in which something was filled, be it forgotten again.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkhead.fixed import seconds_floor
from bulkhead.ledger.orders import Entry, FilledOrders
from bulkhead.ledger.state import (
    Account,
    Choice,
    Counters,
    Funds,
    Kind,
    MarginRule,
    Market,
    Mode,
    Oracle,
    State,
    Status,
)
from bulkhead.limits import ORDER_KEY_BITS, ORDER_TREE_DEPTH
from bulkhead.rules.terms import Position
from bulkhead.units import TimeMs

KEY_BYTES = ORDER_KEY_BITS >> 3
FELT_BYTES = 32
REMOVED, CHANGED, NEW = 0, 1, 2
NUMBER_BYTES_MAX = 37  # 252 bits and a sign, 7 to a byte


class AvailabilityError(ValueError):
    """Published bytes that no batch can have written; the message says where."""


class Change(NamedTuple):
    """What changed since the last batch: accounts (None: gone) and whether each is new, orders and their lists."""

    accounts: dict[int, Account | None]
    new: frozenset[int]
    orders: tuple[Entry, ...]  # by rising key
    touched: tuple[int, ...] = ()


class Writer:
    """Bytes, number by number."""

    __slots__ = ("octets",)

    def __init__(self) -> None:
        self.octets = bytearray()

    def natural(self, *values: int) -> None:
        """Numbers that are never negative."""
        for value in values:
            assert value >= 0
            while value > 0x7F:
                self.octets.append(value & 0x7F | 0x80)
                value >>= 7
            self.octets.append(value)

    def signed(self, *values: int) -> None:
        """Numbers of either sign."""
        for value in values:
            self.natural(value << 1 if value >= 0 else ~(value << 1))


class Reader:
    """The numbers back. Every mistake in the bytes raises AvailabilityError."""

    __slots__ = ("at", "octets")

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.at = 0

    def natural(self) -> int:
        """A number that is never negative, in its shortest form."""
        value = shift = 0
        while True:
            octet = self.take(1)[0]
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                if not octet and shift:
                    raise AvailabilityError(f"byte {self.at}: a number is longer than it needs to be")
                return value
            shift += 7
            if shift >= 7 * NUMBER_BYTES_MAX:
                raise AvailabilityError(f"byte {self.at}: a number has more than {NUMBER_BYTES_MAX} bytes")

    def signed(self) -> int:
        """A number of either sign."""
        value = self.natural()
        return ~(value >> 1) if value & 1 else value >> 1

    def naturals(self, count: int) -> list[int]:
        """Several numbers."""
        return [self.natural() for _ in range(count)]

    def take(self, count: int) -> bytes:
        """Bytes as they are."""
        if self.at + count > len(self.octets):
            raise AvailabilityError(f"byte {len(self.octets)}: the record ends early")
        self.at += count
        return self.octets[self.at - count : self.at]


def write(state: State, change: Change) -> bytes:
    """The diff of one batch."""
    out = Writer()
    out.natural(state.time_ms, *state.counters)
    out.natural(len(state.markets))
    for market_id in sorted(state.markets):
        _write_market(out, state.markets[market_id])
    out.natural(len(state.funds))
    for asset_id, funds in sorted(state.funds.items()):
        out.natural(asset_id)
        out.signed(*(int(amount) for amount in funds))
    out.natural(len(state.custody))
    for asset_id, held in sorted(state.custody.items()):
        out.natural(asset_id, held)
    out.natural(state.oracle.sequence, state.oracle.time_ms, len(state.oracle.collateral))
    for asset_id, price, time_ms in state.oracle.collateral:
        out.natural(asset_id, int(price), time_ms)
    out.natural(len(change.accounts))
    for account_id, account in sorted(change.accounts.items()):
        out.natural(account_id)
        _write_account(out, account, state.markets, is_new=account_id in change.new)
    out.natural(len(change.orders))
    for key, filled, expiry_s in change.orders:
        out.octets += key.to_bytes(KEY_BYTES, "big")
        out.natural(filled, expiry_s)
    out.natural(len(change.touched), *sorted(change.touched))
    return bytes(out.octets)


def _write_market(out: Writer, market: Market) -> None:
    out.natural(market.market_id, market.status, int(market.price), market.price_ms)
    out.signed(int(market.funding_index))
    out.natural(market.funding_ms, int(market.open_interest), int(market.scale), int(market.lost))


def _write_account(out: Writer, account: Account | None, markets: dict[int, Market], *, is_new: bool) -> None:
    if account is None:
        out.natural(REMOVED)
        return
    out.natural(NEW if is_new else CHANGED)
    if is_new:
        out.natural(account.kind, account.rule, account.parent_id, account.asset_id, account.version, account.reserved)
        out.octets += account.owner_key.to_bytes(FELT_BYTES, "big")
        out.natural(account.l1_owner)
    out.signed(int(account.balance))
    out.natural(account.nonce, int(account.topped_up), account.liquidated_ms)
    out.natural(len(account.collateral), len(account.positions), len(account.choices))
    for asset_id, amount in account.collateral:
        out.natural(asset_id, amount)
    for market_id, size, cost, index in account.positions:
        out.natural(market_id)
        out.signed(int(size), int(cost), int(markets[market_id].funding_index) - int(index))
    for market_id, mode, leverage, cap in account.choices:
        out.natural(market_id, mode, leverage, int(cap))


class Rebuilt:
    """The state as it follows from published bytes alone, batch after batch."""

    def __init__(self) -> None:
        self.accounts: dict[int, Account] = {}
        self.markets: dict[int, Market] = {}
        self.funds: dict[int, Funds] = {}
        self.custody: dict[int, int] = {}
        self.oracle = Oracle()
        self.counters = Counters()
        self.filled = FilledOrders()
        self.time_ms = TimeMs(0)

    def apply(self, octets: bytes) -> None:
        """Follow one batch. AvailabilityError for bytes that no batch can have written; then nothing has changed."""
        source = Reader(octets)
        try:
            self._read(source)
        except (ValueError, KeyError) as problem:
            if isinstance(problem, AvailabilityError):
                raise
            raise AvailabilityError(f"byte {source.at}: {problem}") from problem

    def _read(self, source: Reader) -> None:
        time_ms = TimeMs(source.natural())
        counters = Counters(*source.naturals(len(Counters._fields)))  # type: ignore[arg-type]
        markets = dict(_read_market(source) for _ in range(source.natural()))
        funds = {source.natural(): _read_funds(source) for _ in range(source.natural())}
        custody = {source.natural(): source.natural() for _ in range(source.natural())}
        sequence, tick_ms, count = source.naturals(3)
        prices = tuple((source.natural(), source.natural(), source.natural()) for _ in range(count))
        oracle = Oracle(sequence, tick_ms, prices)  # type: ignore[arg-type]
        accounts: dict[int, Account | None] = {}
        for _ in range(source.natural()):
            account_id = source.natural()
            accounts[account_id] = _read_account(source, account_id, self.accounts.get(account_id), markets)
        orders: list[Entry] = []
        for _ in range(source.natural()):
            key = int.from_bytes(source.take(KEY_BYTES), "big")
            orders.append((key, source.natural(), source.natural()))
        touched = source.naturals(source.natural())
        if any(number >> ORDER_TREE_DEPTH for number in touched):
            raise AvailabilityError(f"byte {source.at}: orders are entered in lists below {1 << ORDER_TREE_DEPTH}")
        if source.at != len(source.octets):
            raise AvailabilityError(f"byte {source.at}: {len(source.octets) - source.at} bytes too many")
        self.time_ms, self.counters, self.markets, self.funds = time_ms, counters, markets, funds
        self.custody, self.oracle = custody, oracle
        for account_id, account in accounts.items():
            if account is None:
                self.accounts.pop(account_id, None)
            else:
                self.accounts[account_id] = account
        for entry in orders:
            self.filled.put(*entry)
        self.filled.begin_batch(touched)
        self.filled.end_batch(seconds_floor(time_ms))


def _read_market(source: Reader) -> tuple[int, Market]:
    market_id, status, price, price_ms = source.naturals(4)
    index = source.signed()
    rest = source.naturals(4)
    values = (market_id, Status(status), price, price_ms, index, *rest)
    return market_id, Market(*values)  # type: ignore[arg-type]


def _read_funds(source: Reader) -> Funds:
    return Funds(*(source.signed() for _ in Funds._fields))  # type: ignore[arg-type]


def _read_account(
    source: Reader, account_id: int, known: Account | None, markets: dict[int, Market]
) -> Account | None:
    state = source.natural()
    if state == REMOVED:
        return None
    if state == NEW:
        kind, rule, parent_id, asset_id, version, reserved = source.naturals(6)
        key, l1_owner = int.from_bytes(source.take(FELT_BYTES), "big"), source.natural()
        fixed = (account_id, Kind(kind), MarginRule(rule), key, l1_owner, parent_id, asset_id)
        known = Account(*fixed, version=version, reserved=reserved)  # type: ignore[arg-type]
    if known is None or state > NEW:
        raise AvailabilityError(f"byte {source.at}: account {account_id} changes before it is new")
    balance = source.signed()
    nonce, topped_up, liquidated_ms, collaterals, positions, choices = source.naturals(6)
    values = {
        "balance": balance,
        "nonce": nonce,
        "topped_up": topped_up,
        "liquidated_ms": liquidated_ms,
        "collateral": tuple((source.natural(), source.natural()) for _ in range(collaterals)),
        "positions": tuple(_read_position(source, markets) for _ in range(positions)),
        "choices": tuple(_read_choice(source) for _ in range(choices)),
    }
    return known._replace(**values)  # type: ignore[arg-type]


def _read_position(source: Reader, markets: dict[int, Market]) -> Position:
    market_id = source.natural()
    size, cost, behind = source.signed(), source.signed(), source.signed()
    index = int(markets[market_id].funding_index) - behind
    return Position(market_id, size, cost, index)  # type: ignore[arg-type]


def _read_choice(source: Reader) -> Choice:
    market_id, mode, leverage, cap = source.naturals(4)
    return Choice(market_id, Mode(mode), leverage, cap)  # type: ignore[arg-type]
