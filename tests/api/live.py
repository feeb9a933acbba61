"""A node with its interface on a port of 127.0.0.1, in a thread of its own, and traders who sign."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from eth_account import Account as Ethereum
from eth_account.messages import encode_defunct

from bulkhead.api.bodies import AccountCreation
from bulkhead.api.onboarding import KEY_PATH, SUBACCOUNT_PATH, registration_message
from bulkhead.api.serve import Address, serve
from bulkhead.node import logs
from bulkhead.node.app import Node, open_node
from bulkhead.node.settings import ClockSettings, FaucetSettings, HttpSettings, LimitSettings, Settings, VenueSettings
from bulkhead.signing import (
    Domain,
    OrderTerms,
    exact,
    onboarding_hash,
    order_amounts,
    order_hash,
    public_key,
    sign,
    signed_expiration_s,
    transfer_hash,
    withdrawal_hash,
)
from tests.api.remote import CHAIN, Remote

logs.set_up()
PRICES = {"BTC-USD": 60_000.0, "ETH-USD": 3_000.0, "XRP-USD": 0.6, "LTC-USD": 80.0, "EOS-USD": 1.0}
salts = itertools.count(1)


class Fixed:
    """Prices that a test sets."""

    name = "fixed"

    def __init__(self) -> None:
        self.now = dict(PRICES)

    async def prices(self) -> dict[str, float]:
        return dict(self.now)

    async def close(self) -> None:
        return None


def settings_for(folder: Path, **limits: int) -> Settings:
    """A quick test venue with a faucet."""
    return Settings(
        folder=str(folder),
        venue=VenueSettings(chain_id=CHAIN, oracle_signers=1),
        http=HttpSettings(port=0, signing_domain="ours.example"),
        limits=LimitSettings(**{"requests_per_minute": 1_000_000, "burst": 1_000_000, **limits}),
        clock=ClockSettings(interval_s=0.2, batch_s=1.0),
        faucet=FaucetSettings(enabled=True, dollars=100_000, pause_s=0.0),
    )


class Live:
    """A running node. `on_loop` runs something where its objects live."""

    def __init__(self, settings: Settings, source: Fixed) -> None:
        self.settings = settings
        self.source = source
        self.url = ""
        self.node: Node
        self._clients: list[httpx.Client] = []
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._problem: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(60)
        if self._problem is not None:
            raise self._problem

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as problem:  # told to the test that waits
            self._problem = problem
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.node = open_node(self.settings, source=self.source)
        await serve(self.node, ready=self._listening, stop=self._stop, takes_signals=False)

    def _listening(self, address: Address) -> None:
        self.url = address.url
        self._ready.set()

    def on_loop(self, question: Callable[[], Any]) -> Any:
        """Run a function in the node's event loop."""

        async def ask() -> Any:
            return question()

        return asyncio.run_coroutine_threadsafe(ask(), self._loop).result(30)

    def client(self) -> httpx.Client:
        """A client that is closed with the node."""
        made = httpx.Client(base_url=self.url, timeout=20)
        self._clients.append(made)
        return made

    def stop(self) -> None:
        """End in order."""
        for client in self._clients:
            client.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive()


def most(live: Live, price: int) -> str:
    """What a client signs of the first market for a whole position: fifty times the largest."""
    wire = live.node.exchange.state.config.markets[0]
    lots = int(wire.tiers[-1].bound) * 50 * wire.resolution // (price * 1_000_000)
    return f"{lots // wire.resolution}.{lots % wire.resolution:06d}"


class Trader:
    """An owner with an Ethereum key who has onboarded, and signs."""

    def __init__(self, live: Live | Remote, seed: int) -> None:
        self.live = live
        self.ethereum = Ethereum.from_key(seed.to_bytes(32, "big"))
        self.private = 1_000_003 * seed + 17
        self.key = public_key(self.private)
        self.domain = Domain(CHAIN)
        self.http = live.client()
        made = self.onboard()
        assert made.status_code == 200, made.text
        self.vault = made.json()["data"]["defaultAccount"]["l2Vault"]
        self.api_key = self.ask_key(self.vault).json()["data"]["key"]
        self.http.headers["X-Api-Key"] = self.api_key

    # -- onboarding --------------------------------------------------------------------------------------------------

    def creation(self, index: int, action: str) -> dict[str, Any]:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        wallet = self.ethereum.address
        return {
            "accountIndex": index, "wallet": wallet, "tosAccepted": True, "time": now, "action": action,
            "host": self.live.url,
        }  # fmt: skip

    def agreement(self, private: int) -> dict[str, str]:
        r, s = sign(private, onboarding_hash(int(self.ethereum.address, 16), public_key(private)))
        return {"r": hex(r), "s": hex(s)}

    def onboard(self, **changes: Any) -> httpx.Response:
        creation = self.creation(0, "REGISTER")
        named = AccountCreation(
            account_index=0, wallet=creation["wallet"], tos_accepted=True, time=creation["time"],
            action=creation["action"], host=creation["host"],
        )  # fmt: skip
        signed = self.ethereum.sign_message(registration_message("ours.example", named))
        body = {
            "l1Signature": signed.signature.hex(),
            "l2Key": hex(self.key),
            "l2Signature": self.agreement(self.private),
            "accountCreation": creation,
            "referralCode": None,
        }
        return self.http.post("/auth/onboard", json={**body, **changes})

    def headers(self, path: str) -> dict[str, str]:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        signed = self.ethereum.sign_message(encode_defunct(text=f"{path}@{now}"))
        return {"L1_SIGNATURE": signed.signature.hex(), "L1_MESSAGE_TIME": now}

    def ask_key(self, account_id: int, **body: Any) -> httpx.Response:
        headers = {**self.headers(KEY_PATH), "X-X10-ACTIVE-ACCOUNT": str(account_id)}
        return self.http.post(KEY_PATH, json={"description": "test", **body}, headers=headers)

    def subaccount(self, index: int, private: int) -> httpx.Response:
        body = {
            "l2Key": hex(public_key(private)),
            "l2Signature": self.agreement(private),
            "accountCreation": self.creation(index, "CREATE_SUB_ACCOUNT"),
            "description": f"sub {index}",
        }
        return self.http.post(SUBACCOUNT_PATH, json=body, headers=self.headers(SUBACCOUNT_PATH))

    # -- asking ------------------------------------------------------------------------------------------------------

    def get(self, path: str, **query: Any) -> Any:
        answer = self.http.get(f"/api/v1{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def claim(self) -> int:
        answer = self.http.post("/api/v1/user/claim", json={})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["data"]["id"])

    # -- orders ------------------------------------------------------------------------------------------------------

    def settlement(self, terms: tuple[bool, str, str], fee: str, nonce: int, expiry_ms: int, market: str) -> Any:
        is_buy, quantity, price = terms
        resolution, synthetic = MARKETS[market]
        amounts = order_amounts(
            OrderTerms(is_buy, exact(quantity), exact(price), exact(fee), exact("0"), resolution, 1_000_000)
        )
        message = order_hash(
            self.domain, self.key, position_id=self.vault, base_asset_id=synthetic, base_amount=amounts.base_amount,
            quote_asset_id=1, quote_amount=amounts.quote_amount, fee_asset_id=1, fee_amount=amounts.fee_amount,
            expiration_s=signed_expiration_s(expiry_ms), salt=nonce,
        )  # fmt: skip
        r, s = sign(self.private, message)
        return message, {
            "signature": {"r": hex(r), "s": hex(s)},
            "starkKey": hex(self.key),
            "collateralPosition": str(self.vault),
        }

    def order(
        self,
        side: str,
        quantity: str,
        price: str,
        *,
        market: str = "BTC-USD",
        fee: str = "0.0005",
        life_s: int = 3_600,
        **changes: Any,
    ) -> dict[str, Any]:
        """A signed limit order; changes are made after signing, so they may spoil it."""
        nonce, expiry_ms = next(salts), (int(time.time()) + life_s) * 1000
        message, settlement = self.settlement((side == "BUY", quantity, price), fee, nonce, expiry_ms, market)
        body = {
            "id": str(message), "market": market, "type": "LIMIT", "side": side, "qty": quantity, "price": price,
            "reduceOnly": False, "postOnly": False, "timeInForce": "GTT", "expiryEpochMillis": expiry_ms, "fee": fee,
            "nonce": str(nonce), "selfTradeProtectionLevel": "ACCOUNT", "settlement": settlement,
        }  # fmt: skip
        return {**body, **changes}

    def leg(self, side: str, quantity: str, price: str, trigger: str, parent: dict[str, Any]) -> dict[str, Any]:
        """A take-profit or stop-loss with the parent's nonce and expiry."""
        terms = (side == "BUY", quantity, price)
        nonce, expiry_ms, market = int(parent["nonce"]), parent["expiryEpochMillis"], parent["market"]
        _, settlement = self.settlement(terms, parent["fee"], nonce, expiry_ms, market)
        return {
            "triggerPrice": trigger, "triggerPriceType": "INDEX", "price": price, "priceType": "MARKET",
            "settlement": settlement,
        }  # fmt: skip

    def place(self, body: dict[str, Any]) -> httpx.Response:
        return self.http.post("/api/v1/user/order", json=body)

    def placed(self, side: str, quantity: str, price: str, **changes: Any) -> int:
        answer = self.place(self.order(side, quantity, price, **changes))
        assert answer.status_code == 200, answer.text
        return int(answer.json()["data"]["id"])

    def signature(self, message: int) -> dict[str, str]:
        r, s = sign(self.private, message)
        return {"r": hex(r), "s": hex(s)}

    # -- money -------------------------------------------------------------------------------------------------------

    def transfer(self, other: Trader, amount: int, **changes: Any) -> dict[str, Any]:
        nonce, expiration = next(salts), int(time.time()) + 21 * 86_400
        message = transfer_hash(
            self.domain, self.key, recipient_position_id=other.vault, sender_position_id=self.vault, collateral_id=1,
            amount=amount, expiration_s=expiration, salt=nonce,
        )  # fmt: skip
        r, s = sign(self.private, message)
        settlement = {
            "amount": amount, "assetId": "0x1", "expirationTimestamp": expiration, "nonce": nonce,
            "receiverPositionId": other.vault, "receiverPublicKey": hex(other.key), "senderPositionId": self.vault,
            "senderPublicKey": hex(self.key), "signature": {"r": hex(r), "s": hex(s)},
        }  # fmt: skip
        dollars = f"{amount // 1_000_000}.{amount % 1_000_000:06d}"
        body = {
            "fromVault": self.vault, "toVault": other.vault, "amount": dollars, "transferredAsset": "0x1",
            "settlement": settlement,
        }  # fmt: skip
        return {**body, **changes}

    def withdrawal(self, amount: int, **changes: Any) -> dict[str, Any]:
        nonce, expiration = next(salts), int(time.time()) + 15 * 86_400
        recipient = int(self.ethereum.address, 16)
        message = withdrawal_hash(
            self.domain, self.key, recipient=recipient, position_id=self.vault, collateral_id=1, amount=amount,
            expiration_s=expiration, salt=nonce,
        )  # fmt: skip
        r, s = sign(self.private, message)
        settlement = {
            "recipient": hex(recipient), "positionId": self.vault, "collateralId": "0x1", "amount": amount,
            "expiration": {"seconds": expiration}, "salt": nonce, "signature": {"r": hex(r), "s": hex(s)},
        }  # fmt: skip
        dollars = f"{amount // 1_000_000}.{amount % 1_000_000:06d}"
        body = {
            "accountId": self.vault, "amount": dollars, "description": None, "settlement": settlement,
            "chainId": "STRK", "quoteId": None, "asset": "USD",
        }  # fmt: skip
        return {**body, **changes}


def synthetic_of(symbol: str) -> int:
    return int.from_bytes(f"{symbol}-6".encode().ljust(15, b"\0"), "big")


MARKETS = {
    "BTC-USD": (1_000_000, synthetic_of("BTC")),
    "ETH-USD": (100_000, synthetic_of("ETH")),
    "XRP-USD": (10, synthetic_of("XRP")),
}
