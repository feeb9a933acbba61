"""The door: every signature is verified here, before a command is journalled, so that replay need not do it again.

What a key signed does not depend on the moment: an order names its key, a registration brings its own, the oracle's are
configuration, and an account keeps its key for ever. So the answer is the same before the journal and behind it,
and a journalled command carries no forged message. Everything that does depend on the moment is the ledger's to judge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from bulkhead.engine.command import Command, PlaceOrder, PlaceProtection, Prices, Submit
from bulkhead.engine.order import Leg
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.tx import Configure, Move, OracleReport, Order, Register, Transfer, Withdrawal
from bulkhead.reject import Reject
from bulkhead.signing import Signature, SigningError
from bulkhead.units import AccountId, Felt

KeyOf = Callable[[AccountId], Felt | None]
"""The owner key of an account; None when there is no such account."""


class Question(NamedTuple):
    """Did this key sign one of these hashes?"""

    key: Felt
    message_hashes: tuple[int, ...]
    signature: Signature


class Door:
    """Asks an authority about every signature of a command. With `verify=False` everything passes."""

    def __init__(self, config: VenueConfig, authority: Authority) -> None:
        self._config = config
        self._authority = authority

    def objection(self, command: Command, key_of: KeyOf) -> Reject | None:
        """Why a command may not be journalled, or None."""
        if not self._authority.verify:
            return None
        try:
            for asked in self._questions(command, key_of):
                if isinstance(asked, Reject):
                    return asked
                if not self._authority.is_one_signed(*asked):
                    return Reject.WRONG_SIGNATURE
        except SigningError:  # a number that no signed message can carry
            return Reject.OUT_OF_RANGE
        return None

    def signatures(self, command: Command, key_of: KeyOf) -> list[Question]:
        """What `objection` would ask of a command, for whoever answers many at once; nothing where it cannot be asked.

        A registration is left out: two messages would do.
        """
        if not self._authority.verify:
            return []
        try:
            return [asked for asked in self._questions(command, key_of) if isinstance(asked, Question)]
        except SigningError:
            return []

    def _questions(self, command: Command, key_of: KeyOf) -> list[Question | Reject]:
        if isinstance(command, PlaceOrder):
            legs = self._legs(command.take_profit, command.stop_loss)
            return [self._order(command.order), *legs]
        if isinstance(command, PlaceProtection):
            return self._legs(command.take_profit, command.stop_loss)
        if isinstance(command, Prices):
            return [self._report(report) for report in command.reports]
        if isinstance(command, Submit):
            asked = self._submitted(command, key_of)
            return [] if asked is None else [asked]
        return []  # cancels, clocks and switches are not signed: who may send them is the interface's to know

    def _order(self, order: Order) -> Question | Reject:
        if self._config.market(order.market_id) is None:
            return Reject.UNKNOWN_MARKET
        return Question(order.public_key, (self._authority.order_hash(order),), order.signature)

    def _legs(self, *legs: Leg | None) -> list[Question | Reject]:
        return [self._order(leg.order) for leg in legs if leg is not None]

    def _report(self, report: OracleReport) -> Question | Reject:
        if not 0 <= report.signer < len(self._config.oracle_keys):
            return Reject.WRONG_KEY
        key = self._config.oracle_keys[report.signer]
        return Question(key, (self._authority.report_hash(report, key),), report.signature)

    def _submitted(self, command: Submit, key_of: KeyOf) -> Question | Reject | None:
        transaction, authority = command.transaction, self._authority
        if isinstance(transaction, Register):
            return None if authority.agrees(transaction) else Reject.WRONG_SIGNATURE
        if not isinstance(transaction, Configure | Move | Withdrawal | Transfer):
            return None  # from L1's queues
        key = key_of(transaction.source if isinstance(transaction, Transfer) else transaction.account_id)
        if key is None:
            return Reject.UNKNOWN_ACCOUNT
        if isinstance(transaction, Configure):
            return Question(key, (authority.configure_hash(transaction, key),), transaction.signature)
        if isinstance(transaction, Move):
            return Question(key, (authority.move_hash(transaction, key),), transaction.signature)
        if self._config.asset(transaction.asset_id) is None:
            return Reject.UNKNOWN_ASSET
        if isinstance(transaction, Withdrawal):
            return Question(key, authority.withdrawal_hashes(transaction, key), transaction.signature)
        return Question(key, authority.transfer_hashes(transaction, key), transaction.signature)
