"""apply(state, tx, authority) -> Receipt: says yes or no to a transaction. Start reading here.

Each handler checks, computes, and writes into a draft; the draft is committed here, once, when the handler
did not reject. So a rejected transaction changed nothing, and there is nothing to undo.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bulkhead.ledger import custody, forced, liquidate, move, register, takeover, ticks, trade, tx
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.receipt import Detail, Receipt
from bulkhead.ledger.state import State
from bulkhead.limits import TIME_MS_BITS
from bulkhead.reject import Reject
from bulkhead.signing import SigningError

Signed = Callable[[Draft, Any, Authority], Reject | Detail]
Unsigned = Callable[[Draft, Any], Reject | Detail]

SIGNED: dict[type, Signed] = {
    tx.Trade: trade.trade,
    tx.Liquidation: liquidate.liquidate,
    tx.Register: register.register,
    tx.Configure: register.configure,
    tx.Withdrawal: custody.withdrawal,
    tx.Transfer: custody.transfer,
    tx.Move: move.move,
    tx.OracleTick: ticks.oracle_tick,
}
"""Handlers that ask who signed."""

UNSIGNED: dict[type, Unsigned] = {
    tx.Deposit: custody.deposit,
    tx.FundDeposit: custody.fund_deposit,
    tx.Refund: custody.refund,
    tx.CollateralSale: custody.collateral_sale,
    tx.TopUp: move.top_up,
    tx.Backstop: takeover.backstop,
    tx.Deleveraging: takeover.deleverage,
    tx.FundingTick: ticks.funding_tick,
    tx.StatusChange: ticks.status_change,
    tx.Restart: ticks.restart,
    tx.ForcedWithdrawal: forced.forced_withdrawal,
    tx.ForcedClose: forced.forced_close,
}
"""Handlers whose authority is a rule of their own, or a queue on L1."""


def apply(state: State, transaction: tx.Transaction, authority: Authority) -> Receipt:
    """The next state, or a named rejection and the same state. Time never goes back."""
    kind = type(transaction)
    if not 0 <= transaction.time_ms < 1 << TIME_MS_BITS:
        return Receipt(0, kind.__name__, Reject.OUT_OF_RANGE, None)
    if transaction.time_ms < state.time_ms:
        return Receipt(0, kind.__name__, Reject.CLOCK_WENT_BACK, None)
    draft = Draft(state)
    draft.time_ms = transaction.time_ms
    signed = SIGNED.get(kind)
    try:
        outcome = UNSIGNED[kind](draft, transaction) if signed is None else signed(draft, transaction, authority)
    except SigningError:  # a number that no signed message can carry; handlers check the ones they read first
        outcome = Reject.OUT_OF_RANGE
    if isinstance(outcome, Reject):
        return Receipt(0, kind.__name__, outcome, None)
    number = state.counters.transactions + 1
    draft.counters = draft.counters._replace(transactions=number)
    draft.commit()
    if state.applied is not None:
        state.applied.append(transaction)
    return Receipt(number, kind.__name__, None, outcome)
