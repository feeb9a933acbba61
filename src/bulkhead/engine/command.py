"""Commands: everything the engine can be asked. They enter in one order, are journalled, and replay to the same state.

`time_ms` is when the sequencer received the command; it never goes back.
"""

from __future__ import annotations

from dataclasses import dataclass

from bulkhead.engine.order import Leg, Protects, Terms
from bulkhead.ledger.state import Status
from bulkhead.ledger.tx import (
    Configure,
    Deposit,
    ForcedClose,
    ForcedWithdrawal,
    FundDeposit,
    Move,
    OracleReport,
    Order,
    Refund,
    Register,
    Transfer,
    Withdrawal,
)
from bulkhead.units import AccountId, MarketId, Size, TimeMs

Submitted = (
    Register
    | Configure
    | Move
    | Withdrawal
    | Transfer
    | Deposit
    | FundDeposit
    | Refund
    | ForcedWithdrawal
    | ForcedClose
)
"""Ledger transactions that reach the engine from outside: signed by a trader, or coming from L1's queues."""


@dataclass(frozen=True, slots=True)
class PlaceOrder:
    """A signed order. With `cancel_external_id` it replaces an open order of the same account and market, atomically.

    `take_profit` and `stop_loss` become active as the order fills.
    """

    time_ms: TimeMs
    order: Order
    terms: Terms = Terms()
    cancel_external_id: str = ""
    take_profit: Leg | None = None
    stop_loss: Leg | None = None
    protects: Protects = Protects.ORDER


@dataclass(frozen=True, slots=True)
class PlaceProtection:
    """Take-profit and stop-loss of a position that exists, without a parent order. One cancels the other.

    `size` 0: the whole position, whatever it is when the trigger fires; the signed amounts are a cap.
    With `cancel_external_id` it takes the place of protection that is there, of the pair where it is one, atomically:
    the position is never without. Where an order that may still fill has brought that protection, both must be of the
    whole position, and what fills then is protected by the new one.
    """

    time_ms: TimeMs
    account_id: AccountId
    market_id: MarketId
    external_id: str
    size: Size
    take_profit: Leg | None
    stop_loss: Leg | None
    cancel_external_id: str = ""


@dataclass(frozen=True, slots=True)
class CancelOrder:
    """One order, by the engine's id or, when that is 0, by external id."""

    time_ms: TimeMs
    account_id: AccountId
    order_id: int = 0
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Every open order of an account, waiting ones included."""

    time_ms: TimeMs
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class MassCancel:
    """Orders by id, by external id, or by market. Unknown ids are answered one by one; the rest is cancelled."""

    time_ms: TimeMs
    account_id: AccountId
    order_ids: tuple[int, ...] = ()
    external_ids: tuple[str, ...] = ()
    market_ids: tuple[MarketId, ...] = ()
    is_everything: bool = False


@dataclass(frozen=True, slots=True)
class SetDeadMan:
    """Cancel the account's orders unless this is sent again within `countdown_ms`; 0 disarms.

    Orders that wait to reduce a position stay, for they protect an owner who has lost his connection.
    """

    time_ms: TimeMs
    account_id: AccountId
    countdown_ms: int


@dataclass(frozen=True, slots=True)
class SetLeverageCap:
    """Unsigned, so it can only lower the leverage in force for new orders; 0 lifts it. Not on isolated markets."""

    time_ms: TimeMs
    account_id: AccountId
    market_id: MarketId
    leverage: int


@dataclass(frozen=True, slots=True)
class Submit:
    """A ledger transaction from outside; the sequencer stamps its time."""

    time_ms: TimeMs
    transaction: Submitted


@dataclass(frozen=True, slots=True)
class Prices:
    """Signed price vectors of the oracle."""

    time_ms: TimeMs
    reports: tuple[OracleReport, ...]


@dataclass(frozen=True, slots=True)
class Clock:
    """Time passes: orders expire, dead-man's switches fire, marks and premium samples are taken."""

    time_ms: TimeMs


@dataclass(frozen=True, slots=True)
class SetStatus:
    """What a market allows from now on."""

    time_ms: TimeMs
    market_id: MarketId
    status: Status


@dataclass(frozen=True, slots=True)
class RestartNode:
    """The node came back: nothing is liquidated on prices from before this."""

    time_ms: TimeMs


@dataclass(frozen=True, slots=True)
class SealBatch:
    """What was accepted since the last seal is a batch, also where that is nothing: it is proven as one."""

    time_ms: TimeMs


Command = (
    PlaceOrder
    | PlaceProtection
    | CancelOrder
    | CancelAll
    | MassCancel
    | SetDeadMan
    | SetLeverageCap
    | Submit
    | Prices
    | Clock
    | SetStatus
    | RestartNode
    | SealBatch
)
