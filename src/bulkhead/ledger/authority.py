"""Authority: message hashes and signature checks, the only place where the ledger asks who signed.

Hashes of orders, transfers and withdrawals are those of the client libraries (Starknet's SNIP-12 shape);
the venue's own messages (registration, configuration, move, prices) follow the same shape. A venue without proofs
takes two things more that client libraries sign: their onboarding, and ccxt's own forms of transfer and withdrawal.
Whichever form was signed, a transaction is known by the hash of the first, so that it happens once.
"""

from __future__ import annotations

from typing import Any

from bulkhead import signing
from bulkhead.ledger.config import VenueConfig
from bulkhead.ledger.state import Kind, MarginRule
from bulkhead.ledger.tx import Configure, Move, OracleReport, Order, Register, Transfer, Withdrawal
from bulkhead.signing import Signature
from bulkhead.units import Felt

MEMO_MAX = 200_000  # hashes remembered; the oldest half is forgotten when full


class Authority:
    """Hashes messages of one venue and verifies their signatures.

    `verify=False` is the named mode for replaying a journal, whose messages were verified before they were
    journalled, and for simulations, whose agents share no keys. Hashes are computed in either mode.
    """

    def __init__(self, config: VenueConfig, *, verify: bool = True) -> None:
        self.verify = verify
        self.domain = signing.Domain(chain_id=config.chain_id)
        self._markets = {terms.market_id: (terms.synthetic_id, terms.asset_id) for terms in config.markets}
        self._client_messages = config.client_messages
        self._assets = {terms.asset_id: terms.collateral_id for terms in config.assets}
        self._hashes: dict[Order, int] = {}
        self._verified: dict[tuple[int, int, Signature], bool] = {}

    def order_hash(self, order: Order) -> int:
        """Hash of a signed order (`reference`: SNIP-12 Order). Remembered, for an order may fill many times."""
        known = self._hashes.get(order)
        if known is not None:
            return known
        synthetic, asset = self._markets[order.market_id]
        quote_id = self._assets[asset]
        message_hash = signing.order_hash(
            self.domain,
            order.public_key,
            position_id=order.account_id,
            base_asset_id=synthetic,
            base_amount=int(order.base_amount),
            quote_asset_id=quote_id,
            quote_amount=int(order.quote_amount),
            fee_asset_id=quote_id,
            fee_amount=int(order.fee_amount),
            expiration_s=order.expiration_s,
            salt=order.salt,
        )
        _forget_half(self._hashes)
        self._hashes[order] = message_hash
        return message_hash

    def transfer_hash(self, tx: Transfer, public_key: Felt) -> int:
        """Hash of a transfer, as the wire has it."""
        return signing.transfer_hash(self.domain, public_key, **self._transferred(tx))

    def transfer_hashes(self, tx: Transfer, public_key: Felt) -> tuple[int, ...]:
        """Messages of which one must be signed; the first names the transfer, whichever it is.

        Their types' selectors differ, so nobody can be made to sign one for the other.
        """
        own = self.transfer_hash(tx, public_key)
        return (own, self.ccxt_transfer_hash(tx, public_key)) if self._takes_ccxt else (own,)

    def ccxt_transfer_hash(self, tx: Transfer, public_key: Felt) -> int:
        """Hash of a transfer, as ccxt signs it."""
        return signing.ccxt_transfer_hash(self.domain, public_key, **self._transferred(tx))

    def _transferred(self, tx: Transfer) -> dict[str, int]:
        return {
            "recipient_position_id": tx.target,
            "sender_position_id": tx.source,
            "collateral_id": self._assets[tx.asset_id],
            "amount": tx.amount,
            "expiration_s": tx.expiration_s,
            "salt": tx.salt,
        }

    def withdrawal_hash(self, tx: Withdrawal, public_key: Felt) -> int:
        """Hash of a withdrawal, as the wire has it."""
        return signing.withdrawal_hash(self.domain, public_key, **self._withdrawn(tx))

    def withdrawal_hashes(self, tx: Withdrawal, public_key: Felt) -> tuple[int, ...]:
        """Messages of which one must be signed, as of a transfer."""
        own = self.withdrawal_hash(tx, public_key)
        return (own, self.ccxt_withdrawal_hash(tx, public_key)) if self._takes_ccxt else (own,)

    def ccxt_withdrawal_hash(self, tx: Withdrawal, public_key: Felt) -> int:
        """Hash of a withdrawal, as ccxt signs it."""
        return signing.ccxt_withdrawal_hash(self.domain, public_key, **self._withdrawn(tx))

    def _withdrawn(self, tx: Withdrawal) -> dict[str, int]:
        return {
            "recipient": tx.recipient,
            "position_id": tx.account_id,
            "collateral_id": self._assets[tx.asset_id],
            "amount": tx.amount,
            "expiration_s": tx.expiration_s,
            "salt": tx.salt,
        }

    @property
    def _takes_ccxt(self) -> bool:
        return self.verify and self._client_messages  # where nothing is verified, the first hash is enough

    def register_hash(self, tx: Register) -> int:
        """Hash of a registration; its own key signs."""
        return signing.registration_hash(
            self.domain,
            tx.owner_key,
            account_id=tx.account_id,
            kind=tx.kind,
            rule=tx.rule,
            l1_owner=tx.l1_owner,
            parent_id=tx.parent_id,
            asset_id=tx.asset_id,
        )

    def agrees(self, tx: Register) -> bool:
        """The key of a new account has signed for it.

        Either the registration itself; or, of a plain main account, what the wire's client libraries sign to onboard:
        the L1 owner and the key, but not the account's number, which the venue gives. That one is a Pedersen hash, for
        which there is no circuit: a venue that settles with proofs asks for the first.
        """
        if self.is_signed(tx.owner_key, self.register_hash(tx), tx.signature):
            return True
        if not self._client_messages or tx.kind is not Kind.MAIN or tx.rule is not MarginRule.LINEAR or tx.parent_id:
            return False
        return self.is_signed(tx.owner_key, signing.onboarding_hash(tx.l1_owner, tx.owner_key), tx.signature)

    def configure_hash(self, tx: Configure, public_key: Felt) -> int:
        """Hash of a signed configuration."""
        return signing.configuration_hash(
            self.domain,
            public_key,
            account_id=tx.account_id,
            market_id=tx.choice.market_id,
            mode=tx.choice.mode,
            leverage=tx.choice.leverage,
            top_up_cap=int(tx.choice.top_up_cap),
            expiration_s=tx.expiration_s,
            nonce=tx.nonce,
        )

    def move_hash(self, tx: Move, public_key: Felt) -> int:
        """Hash of a move with all its legs."""
        return signing.move_hash(
            self.domain,
            public_key,
            account_id=tx.account_id,
            assets=[(leg.source, leg.target, leg.asset_id, leg.amount) for leg in tx.assets],
            positions=[(leg.source, leg.target, leg.market_id, int(leg.size)) for leg in tx.positions],
            choices=[
                (account_id, choice.market_id, choice.mode, choice.leverage, int(choice.top_up_cap))
                for account_id, choice in tx.choices
            ],
            expiration_s=tx.expiration_s,
            nonce=tx.nonce,
        )

    def report_hash(self, report: OracleReport, public_key: Felt) -> int:
        """Hash of one oracle signer's price vector; zero in a simulation, where nothing is verified by it."""
        if not self.verify:
            return 0
        return signing.prices_hash(
            self.domain,
            public_key,
            sequence=report.sequence,
            time_ms=report.time_ms,
            prices=[(feed, int(price)) for feed, price in report.prices],
        )

    def is_signed(self, public_key: Felt, message_hash: int, signature: Signature) -> bool:
        """The key signed the hash. Never raises, whatever the numbers; answers are remembered."""
        if not self.verify:
            return True
        question = (public_key, message_hash, signature)
        known = self._verified.get(question)
        if known is None:
            known = signing.verify(public_key, message_hash, signature.r, signature.s)
            self.remember(public_key, message_hash, signature, known)
        return known

    def is_one_signed(self, public_key: Felt, message_hashes: tuple[int, ...], signature: Signature) -> bool:
        """The key signed one of them."""
        return any(self.is_signed(public_key, one, signature) for one in message_hashes)

    def remember(self, public_key: Felt, message_hash: int, signature: Signature, is_valid: bool) -> None:
        """Keep an answer: of this authority itself, or of whoever has verified many signatures at once."""
        _forget_half(self._verified)
        self._verified[public_key, message_hash, signature] = is_valid


def _forget_half(memo: dict[Any, Any]) -> None:
    """Keep a memo bounded: the older half goes when it is full. Dictionaries keep their order of insertion."""
    if len(memo) >= MEMO_MAX:
        for key in list(memo)[: MEMO_MAX >> 1]:
            del memo[key]
