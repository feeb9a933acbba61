"""A world in which everybody signs: real Stark keys and owners on L1, so that what happens in it can be proven.

What comes from L1 (deposits, forced requests) is asked for there first: each call is kept with its second, so that the
same calls can be made on a chain, in the same order, before the batch that answers them settles.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import NamedTuple

from bulkhead import signing
from bulkhead.engine.command import Clock, Submit
from bulkhead.keepers.event import VenueEvent
from bulkhead.lab.world import UNSIGNED, USD, World
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.config import BACKSTOP_ACCOUNT, VenueConfig
from bulkhead.ledger.state import Choice, Kind, MarginRule
from bulkhead.ledger.tx import (
    AssetLeg,
    Configure,
    Deposit,
    ForcedClose,
    ForcedWithdrawal,
    FundDeposit,
    Move,
    OracleReport,
    Order,
    PositionLeg,
    Refund,
    Register,
    Transfer,
    Withdrawal,
)
from bulkhead.units import AccountId, Felt, MarketId, Price, Quote, TimeMs, TimeS

MESSAGE_LIFE_S = 3_600
SIGNERS = 3


def secret_of(name: str) -> int:
    """The Stark key of somebody in a simulation: from his name, so that every run signs alike."""
    return signing.grind(int.from_bytes(sha256(f"bulkhead lab, {name}".encode()).digest(), "big"))


def owner_name(account_id: int) -> str:
    """Whose key an account has."""
    return "backstop" if account_id == BACKSTOP_ACCOUNT else f"owner {account_id}"


def with_keys(config: VenueConfig) -> VenueConfig:
    """A venue whose oracle signers and backstop have keys that can sign."""
    oracle = tuple(Felt(signing.public_key(secret_of(f"oracle {signer}"))) for signer in range(SIGNERS))
    backstop = Felt(signing.public_key(secret_of(owner_name(BACKSTOP_ACCOUNT))))
    return config._replace(oracle_keys=oracle, backstop_key=backstop)


class L1Call(NamedTuple):
    """What somebody did on L1: at which second since 1970, as the owner of which account, what, and with which words.

    `name` is a function of the contracts: deposit, deposit_for_insurance, request_withdrawal or request_close.
    """

    time_s: int
    owner: int
    name: str
    words: tuple[int, ...]


@dataclass(slots=True)
class SignedWorld(World):
    """A world of a venue that was made by `with_keys`. `address_of` tells the L1 address of an account's owner."""

    address_of: Callable[[int], int] = lambda account_id: account_id
    quiet: frozenset[int] = frozenset()  # steps at which the clock ticks and the oracle says nothing
    calls: list[L1Call] = field(default_factory=list)
    authority: Authority = field(init=False)
    _owners: dict[int, int] = field(default_factory=dict)  # account → the account whose key it has

    def __post_init__(self) -> None:
        self.authority = Authority(self.config)
        World.__post_init__(self)
        self.machine.authority.verify = True  # what is signed wrongly is refused here, not by a prover

    # -- signing ---------------------------------------------------------------------------------------------------

    def sign(self, account_id: int, message_hash: int) -> signing.Signature:
        """The signature of an account's owner."""
        return signing.sign(secret_of(owner_name(self._owners[account_id])), message_hash)

    def key(self, account_id: int) -> Felt:
        """The public key of an account's owner."""
        return Felt(signing.public_key(secret_of(owner_name(self._owners[account_id]))))

    def report(self, signer: int, sequence: int, prices: tuple[tuple[int, Price], ...]) -> OracleReport:
        """One signer's report."""
        report = World.report(self, signer, sequence, prices)
        message_hash = self.authority.report_hash(report, self.config.oracle_keys[signer])
        return report._replace(signature=signing.sign(secret_of(f"oracle {signer}"), message_hash))

    def order(self, account_id: int, market_id: int, size: int, price: int) -> Order:
        """A signed order."""
        order = World.order(self, account_id, market_id, size, price)
        return order._replace(signature=self.sign(account_id, self.authority.order_hash(order)))

    def _tick(self) -> None:
        """The clock alone at a quiet step."""
        if self.step in self.quiet:
            self.send(Clock(self.time_ms))
        else:
            World._tick(self)

    def expires(self) -> TimeS:
        """When a message signed now is no longer taken."""
        return TimeS(self.time_ms // 1000 + MESSAGE_LIFE_S)

    # -- signed messages -------------------------------------------------------------------------------------------

    def register(
        self, account_id: int, kind: Kind = Kind.MAIN, rule: MarginRule = MarginRule.LINEAR, parent_id: int = 0
    ) -> None:
        """A new account; an owner's accounts share the key of his main account."""
        self._owners[account_id] = parent_id or account_id
        new, parent, owner = AccountId(account_id), AccountId(parent_id), self.address_of(parent_id or account_id)
        message = Register(self.time_ms, new, kind, rule, self.key(account_id), owner, parent, USD, UNSIGNED)
        signature = self.sign(account_id, self.authority.register_hash(message))
        self.send(Submit(self.time_ms, replace(message, signature=signature)))

    def configure(self, account_id: int, choice: Choice) -> list[VenueEvent]:
        """A choice for one market."""
        message = Configure(
            self.time_ms, AccountId(account_id), choice, self.expires(), self._nonce(account_id), UNSIGNED
        )
        signature = self.sign(account_id, self.authority.configure_hash(message, self.key(account_id)))
        return self.submit(replace(message, signature=signature))

    def move(
        self, account_id: int, *, assets: tuple[AssetLeg, ...] = (), positions: tuple[PositionLeg, ...] = ()
    ) -> list[VenueEvent]:
        """Money and positions among accounts of one owner."""
        signer, nonce = AccountId(account_id), self._nonce(account_id)
        message = Move(self.time_ms, signer, assets, positions, (), self.expires(), nonce, UNSIGNED)
        signature = self.sign(account_id, self.authority.move_hash(message, self.key(account_id)))
        return self.submit(replace(message, signature=signature))

    def withdraw(self, account_id: int, amount: int) -> list[VenueEvent]:
        """Money to the owner's address on L1."""
        self._salt += 1
        recipient = self.address_of(self._owners[account_id])
        message = Withdrawal(
            self.time_ms, AccountId(account_id), USD, amount, recipient, self.expires(), self._salt, UNSIGNED
        )
        signature = self.sign(account_id, self.authority.withdrawal_hash(message, self.key(account_id)))
        return self.send(Submit(self.time_ms, replace(message, signature=signature)))

    def transfer(self, source: int, target: int, amount: int) -> list[VenueEvent]:
        """Money to somebody else's account."""
        self._salt += 1
        pair = AccountId(source), AccountId(target)
        message = Transfer(self.time_ms, *pair, USD, amount, self.expires(), self._salt, UNSIGNED)
        signature = self.sign(source, self.authority.transfer_hash(message, self.key(source)))
        return self.send(Submit(self.time_ms, replace(message, signature=signature)))

    def _nonce(self, account_id: int) -> int:
        return self.state.accounts[account_id].nonce + 1

    # -- from L1 ---------------------------------------------------------------------------------------------------

    def deposit(self, account_id: int, amount: int) -> None:
        """Money from the owner's address on L1."""
        self._call(account_id, "deposit", account_id, amount)
        deposit = Deposit(self.time_ms, self._number(), AccountId(account_id), USD, amount, self.address_of(account_id))
        self.send(Submit(self.time_ms, deposit))

    def insure(self, amount: int) -> None:
        """Money of the backstop's owner into the insurance fund."""
        self._call(BACKSTOP_ACCOUNT, "deposit_for_insurance", amount)
        depositor = self.address_of(BACKSTOP_ACCOUNT)
        self.send(Submit(self.time_ms, FundDeposit(self.time_ms, self._number(), USD, Quote(amount), depositor)))

    def misdirect(self, owner: int, account_id: int, amount: int) -> None:
        """A deposit for an account that does not exist, which goes back."""
        self._call(owner, "deposit", account_id, amount)
        target, depositor = AccountId(account_id), self.address_of(owner)
        self.send(Submit(self.time_ms, Refund(self.time_ms, self._number(), target, USD, amount, depositor)))

    def request_withdrawal(self, account_id: int, amount: int) -> ForcedWithdrawal:
        """Ask on L1 for a withdrawal; to be submitted after a later oracle tick."""
        included_ms = self._call(account_id, "request_withdrawal", account_id, amount)
        account, sender = AccountId(account_id), self.address_of(account_id)
        return ForcedWithdrawal(self.time_ms, self._turn(), included_ms, account, USD, amount, sender)

    def request_close(self, account_id: int, market_id: int) -> ForcedClose:
        """Ask on L1 for the closing of a position; to be submitted after a later oracle tick."""
        included_ms = self._call(account_id, "request_close", account_id, market_id)
        account, sender = AccountId(account_id), self.address_of(account_id)
        return ForcedClose(self.time_ms, self._turn(), included_ms, account, MarketId(market_id), sender)

    def _call(self, owner: int, name: str, *words: int) -> TimeMs:
        """Keep a call; a block of its own has it, a second after the one before if need be."""
        now_s = self.time_ms // 1000
        time_s = max(now_s, self.calls[-1].time_s + 1) if self.calls else now_s
        self.calls.append(L1Call(time_s, owner, name, words))
        return TimeMs(time_s * 1000)

    def _number(self) -> int:
        return self.state.counters.deposits + 1

    def _turn(self) -> int:
        """Place in the queue of forced requests."""
        return sum(call.name.startswith("request") for call in self.calls)
