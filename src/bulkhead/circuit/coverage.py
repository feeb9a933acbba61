"""What a proof covers: every transaction of the ledger, and everything else a trader relies on, with how it stands.

`docs/security.md` is made from this. A transaction that is missing here, or one that is called proven without rows
that prove it, fails a test.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from bulkhead.ledger import tx


class Standing(StrEnum):
    """How far a rule is out of the operator's hands."""

    PROVEN = "proven"
    IN_PART = "proven in part"
    NOT_YET = "not proven yet"
    CANNOT = "cannot be proven"


class Cover(NamedTuple):
    """A rule, how it stands, and what that means; `opens` is the operation its rows begin with."""

    rule: str
    standing: Standing
    meaning: str
    opens: str = ""


TRANSACTIONS: dict[type, Cover] = {
    tx.Deposit: Cover(
        "Deposit", Standing.PROVEN,
        "the next of L1's queue, credited once to a signable account, within custody's cap", "deposit",
    ),
    tx.Withdrawal: Cover(
        "Withdrawal", Standing.IN_PART,
        "signature, expiry, replay, balance, custody and payee; of accounts that hold the settlement asset alone, for "
        "what an account with positions may take out is margin, which has no circuit yet", "withdraw",
    ),
    tx.Transfer: Cover(
        "Transfer", Standing.IN_PART,
        "as a withdrawal; the target is another signable account of the same asset", "transfer",
    ),
    **{
        kind: Cover(kind.__name__, Standing.NOT_YET, "a batch that contains one is not proven")
        for kind in (
            tx.Register, tx.Configure, tx.FundDeposit, tx.Move, tx.TopUp, tx.Trade, tx.Liquidation, tx.Backstop,
            tx.Deleveraging, tx.CollateralSale, tx.OracleTick, tx.FundingTick, tx.StatusChange, tx.Restart,
            tx.ForcedWithdrawal, tx.ForcedClose,
        )
    },
}  # fmt: skip

STATE = (
    Cover("State commitment", Standing.PROVEN, "S before and after, and all it is made of; no part is a free witness"),
    Cover("Order of transactions", Standing.PROVEN, "each takes the place that the one before left; time never falls"),
    Cover("Accounts, money, live orders", Standing.PROVEN, "what is untouched stays; only what expired goes"),
    Cover("Data availability", Standing.PROVEN, "every changed word is in the statement, which is calldata"),
    Cover("Deposits and payments", Standing.PROVEN, "the contract compares them with its queue, in order and in full"),
)

OUTSIDE = (
    Cover(
        "Order of arrival", Standing.CANNOT,
        "nobody but the operator sees when a command reaches it; receipts make it accountable",
    ),
    Cover(
        "Price and time priority", Standing.NOT_YET,
        "matching is off chain: signed limits bound what it can do to an order",
    ),
    Cover("Truth of the oracle", Standing.CANNOT, "a proof can show who signed a price, not that it was the market's"),
    Cover(
        "Which position is liquidated first, who is deleveraged", Standing.NOT_YET,
        "the ledger's rule; witnesses are published",
    ),
    Cover(
        "Censorship", Standing.NOT_YET,
        "L1 queues forced requests and lets anybody freeze when one is overdue; the escape after it is not built",
    ),
    Cover(
        "Upgrades", Standing.CANNOT,
        "who may change what is proven: a council, after 21 days in which whoever asks to leave is out or it is frozen",
    ),
)  # fmt: skip
