"""Signatures of a trader's Stark key: orders, margin modes, moves, transfers, withdrawals, strategies."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from bulkhead.client.models import Contract
from bulkhead.ledger.state import Kind, MarginRule, Mode
from bulkhead.limits import ACCOUNT_ID_BITS, CHILDREN_PER_ACCOUNT
from bulkhead.signing import (
    Domain,
    OrderTerms,
    Signature,
    SigningError,
    configuration_hash,
    exact,
    move_hash,
    order_amounts,
    order_hash,
    public_key,
    registration_hash,
    sign,
    signed_expiration_s,
    transfer_hash,
    whole_amount,
    withdrawal_hash,
)

SALT_LIMIT = 1 << 63
MAIN_ACCOUNTS = (1 << ACCOUNT_ID_BITS) >> (CHILDREN_PER_ACCOUNT.bit_length() - 1)
MONEY = 1_000_000  # smallest units of a dollar
TRANSFER_S, WITHDRAWAL_S, CONFIGURATION_S = 21 * 86_400, 15 * 86_400, 86_400
MODES = {"cross": Mode.CROSS, "isolated": Mode.ISOLATED}


class AssetLeg(NamedTuple):
    """Dollars of a move, from one account of the owner to another."""

    source: int
    target: int
    amount: Decimal


class PositionLeg(NamedTuple):
    """A part of a position of a move; the size has the position's sign."""

    source: int
    target: int
    market: str
    size: Decimal


class ModeChoice(NamedTuple):
    """A margin mode that a move sets."""

    account: int
    market: str
    mode: str
    leverage: int = 0
    top_up_cap: Decimal = Decimal(0)


class MarketIds(NamedTuple):
    """A market's number in signed messages, and its smallest units."""

    market_id: int
    resolution: int


def decimal_text(value: Decimal) -> str:
    """Without an exponent."""
    return format(value, "f")


def new_salt() -> int:
    """A number that no other message of this account has."""
    return secrets.randbelow(SALT_LIMIT)


def new_account_id() -> int:
    """An id for an account of one's own: nobody is asked, and with a million accounts one in sixty is taken."""
    return CHILDREN_PER_ACCOUNT * (1 + secrets.randbelow(MAIN_ACCOUNTS - 1))


class Signer:
    """One account's key in one exchange's domain. The key stays here. `now_s` is the clock that expiries count from."""

    def __init__(
        self, domain: Domain, account_id: int, private_key: int, now_s: Callable[[], float] = time.time
    ) -> None:
        self.domain = domain
        self.account_id = account_id
        self.key = public_key(private_key)
        self.now_s = now_s
        self._private = private_key

    def of(self, account_id: int) -> Signer:
        """The same key for another account of the owner."""
        return Signer(self.domain, account_id, self._private, self.now_s)

    def _sign(self, message: int) -> dict[str, str]:
        signature: Signature = sign(self._private, message)
        return {"r": hex(signature.r), "s": hex(signature.s)}

    # -- orders ------------------------------------------------------------------------------------------------------

    def settlement(
        self,
        contract: Contract,
        terms: tuple[bool, Decimal, Decimal],
        fee: Decimal,
        nonce: int,
        expiry_ms: int,
    ) -> tuple[int, dict[str, Any]]:
        """The hash of an order, and the part of its body that carries the signature. `terms`: is it a buy, quantity,
        price. Raises SigningError for what cannot be signed."""
        is_buy, quantity, price = terms
        collateral = int(contract.collateral_id, 16)
        amounts = order_amounts(
            OrderTerms(
                is_buy,
                exact(decimal_text(quantity)),
                exact(decimal_text(price)),
                exact(decimal_text(fee)),
                exact("0"),
                contract.synthetic_resolution,
                contract.collateral_resolution,
            )
        )
        message = order_hash(
            self.domain,
            self.key,
            position_id=self.account_id,
            base_asset_id=int(contract.synthetic_id, 16),
            base_amount=amounts.base_amount,
            quote_asset_id=collateral,
            quote_amount=amounts.quote_amount,
            fee_asset_id=collateral,
            fee_amount=amounts.fee_amount,
            expiration_s=signed_expiration_s(expiry_ms),
            salt=nonce,
        )
        return message, {
            "signature": self._sign(message),
            "starkKey": hex(self.key),
            "collateralPosition": str(self.account_id),
        }

    # -- margin modes ------------------------------------------------------------------------------------------------

    def configuration(
        self, market_id: int, mode: str, leverage: int, top_up_cap: Decimal, nonce: int
    ) -> dict[str, Any]:
        """What is added to a body that chooses a mode."""
        expiration = int(self.now_s()) + CONFIGURATION_S
        message = configuration_hash(
            self.domain,
            self.key,
            account_id=self.account_id,
            market_id=market_id,
            mode=MODES[mode],
            leverage=leverage,
            top_up_cap=units_of(top_up_cap),
            expiration_s=expiration,
            nonce=nonce,
        )
        return {"expiration": expiration, "nonce": nonce, "signature": self._sign(message)}

    def move(
        self,
        assets: Sequence[AssetLeg],
        positions: Sequence[PositionLeg],
        choices: Sequence[ModeChoice],
        markets: dict[str, MarketIds],
        nonce: int,
    ) -> dict[str, Any]:
        """The body of a move. `markets` has every market that is named."""
        expiration = int(self.now_s()) + CONFIGURATION_S
        lots = [lots_of(leg, markets) for leg in positions]
        message = move_hash(
            self.domain,
            self.key,
            account_id=self.account_id,
            assets=[(leg.source, leg.target, 1, units_of(leg.amount)) for leg in assets],
            positions=[
                (leg.source, leg.target, markets[leg.market].market_id, size)
                for leg, size in zip(positions, lots, strict=True)
            ],
            choices=[
                (one.account, markets[one.market].market_id, MODES[one.mode], one.leverage, units_of(one.top_up_cap))
                for one in choices
            ],
            expiration_s=expiration,
            nonce=nonce,
        )
        legs = legs_of(assets, positions, choices, markets)
        return {**legs, "expiration": expiration, "nonce": nonce, "signature": self._sign(message)}

    def strategy(self, account_id: int, l1_owner: int) -> dict[str, str]:
        """The signature of a strategy account's registration."""
        return self._registration(account_id, Kind.STRATEGY, self.account_id, l1_owner)

    def main(self, l1_owner: int) -> dict[str, str]:
        """The signature of this account's own registration, which a circuit can check."""
        return self._registration(self.account_id, Kind.MAIN, 0, l1_owner)

    def _registration(self, account_id: int, kind: Kind, parent_id: int, l1_owner: int) -> dict[str, str]:
        message = registration_hash(
            self.domain,
            self.key,
            account_id=account_id,
            kind=kind,
            rule=MarginRule.LINEAR,
            l1_owner=l1_owner,
            parent_id=parent_id,
            asset_id=1,
        )
        return self._sign(message)

    # -- money -------------------------------------------------------------------------------------------------------

    def transfer(self, target: int, target_key: int, amount: Decimal) -> dict[str, Any]:
        """The body of a transfer to any other account."""
        salt, expiration, units = new_salt(), int(self.now_s()) + TRANSFER_S, units_of(amount)
        message = transfer_hash(
            self.domain,
            self.key,
            recipient_position_id=target,
            sender_position_id=self.account_id,
            collateral_id=1,
            amount=units,
            expiration_s=expiration,
            salt=salt,
        )
        settlement = {
            "amount": units,
            "assetId": "0x1",
            "expirationTimestamp": expiration,
            "nonce": salt,
            "receiverPositionId": target,
            "receiverPublicKey": hex(target_key),
            "senderPositionId": self.account_id,
            "senderPublicKey": hex(self.key),
            "signature": self._sign(message),
        }
        return {
            "fromVault": self.account_id,
            "toVault": target,
            "amount": decimal_text(amount),
            "transferredAsset": "0x1",
            "settlement": settlement,
        }

    def withdrawal(self, recipient: int, amount: Decimal) -> dict[str, Any]:
        """The body of a withdrawal to an address on L1."""
        salt, expiration, units = new_salt(), int(self.now_s()) + WITHDRAWAL_S, units_of(amount)
        message = withdrawal_hash(
            self.domain,
            self.key,
            recipient=recipient,
            position_id=self.account_id,
            collateral_id=1,
            amount=units,
            expiration_s=expiration,
            salt=salt,
        )
        settlement = {
            "recipient": hex(recipient),
            "positionId": self.account_id,
            "collateralId": "0x1",
            "amount": units,
            "expiration": {"seconds": expiration},
            "salt": salt,
            "signature": self._sign(message),
        }
        return {
            "accountId": self.account_id,
            "amount": decimal_text(amount),
            "description": None,
            "settlement": settlement,
            "chainId": "STRK",
            "asset": "USD",
        }


def legs_of(
    assets: Sequence[AssetLeg],
    positions: Sequence[PositionLeg],
    choices: Sequence[ModeChoice],
    markets: dict[str, MarketIds],
) -> dict[str, Any]:
    """What a move does, as its body says it. Raises SigningError for an amount that is no whole number of units."""
    return {
        "assets": [{"source": leg.source, "target": leg.target, "amount": units_of(leg.amount)} for leg in assets],
        "positions": [
            {
                "source": leg.source,
                "target": leg.target,
                "market": leg.market,
                "lots": lots_of(leg, markets),
            }
            for leg in positions
        ],
        "choices": [
            {
                "account": one.account,
                "market": one.market,
                "marginMode": one.mode,
                "leverage": one.leverage,
                "topUpCap": decimal_text(one.top_up_cap),
            }
            for one in choices
        ],
    }


def lots_of(leg: PositionLeg, markets: dict[str, MarketIds]) -> int:
    """A leg's size in lots of its market. SigningError where it is not whole: what is signed is what was meant."""
    lots = leg.size * markets[leg.market].resolution
    if lots % 1:
        raise SigningError(f"{leg.size} is not a whole number of lots of {leg.market}")
    return int(lots)


def units_of(amount: Decimal) -> int:
    """Dollars in smallest units. SigningError where they are no whole number, or negative."""
    return whole_amount(exact(decimal_text(amount)), MONEY)
