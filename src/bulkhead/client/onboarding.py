"""Onboarding: an Ethereum key vouches for Stark keys, and asks for accounts and API keys. The key stays here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from eth_account import Account as Ethereum
from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data
from eth_account.signers.local import LocalAccount

from bulkhead.client.exchange import Exchange
from bulkhead.client.models import Account, Onboarded
from bulkhead.client.signer import Signer, new_account_id
from bulkhead.client.trader import Trader
from bulkhead.signing import onboarding_hash, private_key_from_ethereum, public_key, sign

SUBACCOUNT_PATH, KEY_PATH = "/auth/onboard/subaccount", "/api/v1/user/account/api-key"
KEY_NAME_DIGITS = 16  # of a key's SHA-256: its name at the exchange, which keeps no key
_DERIVATION = [
    {"name": "accountIndex", "type": "int8"},
    {"name": "wallet", "type": "address"},
    {"name": "tosAccepted", "type": "bool"},
]
_REGISTRATION = [
    *_DERIVATION,
    {"name": "time", "type": "string"},
    {"name": "action", "type": "string"},
    {"name": "host", "type": "string"},
]


class Access(NamedTuple):
    """What opens an account: keep both keys secret."""

    account_id: int
    api_key: str
    private_key: int


class Owner:
    """Whoever has an Ethereum key, at one exchange. Stark keys are derived from it, so that it can make them again."""

    def __init__(self, exchange: Exchange, ethereum_key: str) -> None:
        self.exchange = exchange
        self._ethereum: LocalAccount = Ethereum.from_key(ethereum_key)

    @property
    def wallet(self) -> str:
        """The address on L1."""
        return str(self._ethereum.address)

    async def onboard(self, index: int = 0, description: str = "") -> Access:
        """The account of an index (0: the main one), made if there is none, with a new API key.

        Raises Refused; 409 for an index whose account has another Stark key.
        """
        secret = await self.private_key(index)
        if index == 0:
            account = await self._register(secret)
        else:
            account = await self._add(index, secret, description or f"account {index}")
        return Access(account.l2_vault, await self.api_key(account.id, description or "client"), secret)

    async def trader(self, index: int = 0) -> Trader:
        """The account of an index, ready to trade."""
        access = await self.onboard(index)
        return await self.exchange.trader(access.api_key, access.private_key)

    async def private_key(self, index: int) -> int:
        """The Stark key of an index, as wallets derive it."""
        message = {"accountIndex": index, "wallet": self.wallet, "tosAccepted": True}
        typed = await self._typed("AccountCreation", _DERIVATION, message)
        return private_key_from_ethereum(self._signed(typed))

    async def api_key(
        self,
        account_id: int,
        description: str,
        *,
        scopes: Sequence[str] = ("read", "trade", "withdraw"),
        expires_ms: int = 0,
        addresses: Sequence[str] = (),
    ) -> str:
        """A new API key of an account, for what it needs and no more: scopes, a last moment (0: none), and the
        addresses or networks that it may be used from (none: all)."""
        headers = {**self._headers(KEY_PATH), "X-X10-ACTIVE-ACCOUNT": str(account_id)}
        body = {
            "description": description,
            "scopes": list(scopes),
            "expiresAt": expires_ms,
            "addresses": list(addresses),
        }
        made = await self.exchange.transport.ask("POST", KEY_PATH, dict[str, Any], body=body, headers=headers)
        return str(made["key"])

    async def revoke(self, account_id: int, api_key: str) -> None:
        """Take an API key back. Raises Refused (404) where the account has none like it."""
        headers = {**self._headers(KEY_PATH), "X-X10-ACTIVE-ACCOUNT": str(account_id)}
        name = sha256(api_key.encode()).hexdigest()[:KEY_NAME_DIGITS]
        await self.exchange.transport.ask("DELETE", f"{KEY_PATH}/{name}", dict[str, Any], headers=headers)

    async def accounts(self) -> list[Account]:
        """Every account of this wallet."""
        headers = self._headers("/api/v1/user/accounts")
        return await self.exchange.transport.ask("GET", "/auth/accounts", list[Account], headers=headers)

    # -- messages ----------------------------------------------------------------------------------------------------

    async def _register(self, secret: int) -> Account:
        creation = self._creation(0, "REGISTER")
        typed = await self._typed("AccountRegistration", _REGISTRATION, creation)
        body = {
            "l1Signature": self._signed(typed),
            "l2Key": hex(public_key(secret)),
            "l2Signature": self._agreement(secret),
            "accountCreation": creation,
            "referralCode": None,
            **await self._registration(secret),
        }
        return (await self.exchange.transport.ask("POST", "/auth/onboard", Onboarded, body=body)).default_account

    async def _add(self, index: int, secret: int, description: str) -> Account:
        """Another account; the one there is, where there is one with this key."""
        key = hex(public_key(secret))
        for account in await self.accounts():
            if account.account_index == index and int(account.l2_key, 16) == int(key, 16):
                return account
        body = {
            "l2Key": key,
            "l2Signature": self._agreement(secret),
            "accountCreation": self._creation(index, "CREATE_SUB_ACCOUNT"),
            "description": description,
            **await self._registration(secret),
        }
        headers = self._headers(SUBACCOUNT_PATH)
        return await self.exchange.transport.ask("POST", SUBACCOUNT_PATH, Account, body=body, headers=headers)

    def _creation(self, index: int, action: str) -> dict[str, Any]:
        return {
            "accountIndex": index,
            "wallet": self.wallet,
            "tosAccepted": True,
            "time": self._now(),
            "action": action,
            "host": self.exchange.transport.url,
        }

    async def _typed(self, name: str, fields: list[dict[str, str]], message: dict[str, Any]) -> SignableMessage:
        domain = (await self.exchange.domain()).signing_domain
        return encode_typed_data(
            full_message={
                "types": {"EIP712Domain": [{"name": "name", "type": "string"}], name: fields},
                "primaryType": name,
                "domain": {"name": domain},
                "message": message,
            }
        )

    def _agreement(self, secret: int) -> dict[str, str]:
        signature = sign(secret, onboarding_hash(int(self.wallet, 16), public_key(secret)))
        return {"r": hex(signature.r), "s": hex(signature.s)}

    async def _registration(self, secret: int) -> dict[str, Any]:
        """What the ledger is told, signed: a venue that settles with proofs takes no other word for an account."""
        account_id = new_account_id()
        signer = Signer((await self.exchange.domain()).named, account_id, secret)
        return {"accountId": account_id, "registrationSignature": signer.main(int(self.wallet, 16))}

    def _headers(self, path: str) -> dict[str, str]:
        now = self._now()
        return {"L1_SIGNATURE": self._signed(encode_defunct(text=f"{path}@{now}")), "L1_MESSAGE_TIME": now}

    def _signed(self, message: SignableMessage) -> str:
        return "0x" + bytes(self._ethereum.sign_message(message).signature).hex()

    def _now(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.exchange.transport.clock.signing_s()))
