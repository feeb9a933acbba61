"""Money between accounts and out: transfers, withdrawals to L1, the test network's faucet, and what is not offered."""

from __future__ import annotations

from typing import Any

from bulkhead.api import errors
from bulkhead.api.bodies import TransferBody, WithdrawalBody
from bulkhead.api.call import Call, Endpoint, Page
from bulkhead.api.errors import ApiError, bad, rejected
from bulkhead.api.numbers import decimal
from bulkhead.api.settlement import claim_on_l1
from bulkhead.api.signed import felt, integer, signature_of
from bulkhead.engine.command import Submit
from bulkhead.engine.event import Rejected, StateChanged
from bulkhead.ledger.config import AssetTerms
from bulkhead.ledger.tx import Deposit, Transfer, Withdrawal
from bulkhead.limits import ACCOUNT_ID_BITS, EXPIRY_GRACE_S, L1_ADDRESS_BITS
from bulkhead.node.directory import TRADE, WITHDRAW
from bulkhead.node.exchange import Answer
from bulkhead.node.store.tables import place_id
from bulkhead.reject import Reject
from bulkhead.signing import SigningError, verify, whole_amount
from bulkhead.units import AccountId, TimeMs, TimeS

ACCOUNT_LIMIT = 1 << ACCOUNT_ID_BITS
CCXT_SIGNED = (
    "ccxt signs a message of its own here, which no proof of this venue can check; sign the wire's "
    "(bulkhead.client.Signer does) and give ccxt its settlement in params['settlement']: docs/node.md"
)
OWN_CHAIN = "STRK"  # as client libraries call the chain on which the exchange settles
NO_BRIDGE = f"there is no bridge to other chains; withdraw with chainId {OWN_CHAIN}"


async def transfer(call: Call) -> dict[str, Any]:
    """A transfer to any other account, signed by the sender."""
    body = await call.body(TransferBody)
    signed = body.settlement
    source = integer(_first(body.from_vault, body.from_account, "fromVault"), "fromVault", ACCOUNT_LIMIT)
    target = integer(_first(body.to_vault, body.to_account, "toVault"), "toVault", ACCOUNT_LIMIT)
    asset = _asset(call, body.transferred_asset)
    amount = _amount(body.amount, asset)
    _match("amount", amount, signed.amount)
    _match("sender", source, signed.sender_position_id)
    _match("receiver", target, signed.receiver_position_id)
    _match("asset", int(asset.collateral_id), felt(signed.asset_id, "assetId"))
    if source != call.account_id:
        raise ApiError(403, errors.VAULT, f"the API key is of account {call.account_id}")
    if felt(signed.sender_public_key, "senderPublicKey") != call.account.owner_key:
        raise ApiError(400, errors.PUBLIC_KEY, "senderPublicKey is not the key of the sender")
    receiver = call.api.state.accounts.get(target)
    if receiver is None:
        raise ApiError(404, errors.ACCOUNT_NOT_FOUND, f"there is no account {target}")
    if felt(signed.receiver_public_key, "receiverPublicKey") != receiver.owner_key:
        raise ApiError(400, errors.PUBLIC_KEY, "receiverPublicKey is not the key of the receiver")
    salt, expiration = _salt(signed.nonce), _expiration(signed.expiration_timestamp)
    signature = signature_of(signed.signature)

    def make(now: TimeMs) -> Submit:
        return Submit(
            now,
            Transfer(
                now, AccountId(source), AccountId(target), asset.asset_id, amount, TimeS(expiration), salt, signature
            ),
        )

    answer = await call.api.node.writer.send(make)
    if answer is Reject.WRONG_SIGNATURE:
        tx = make(TimeMs(0)).transaction
        assert isinstance(tx, Transfer)
        authority, key = call.api.node.exchange.machine.authority, call.account.owner_key
        theirs = authority.ccxt_transfer_hash(tx, key)
        raise _unsigned(call, authority.transfer_hash(tx, key), amount, verify(key, theirs, *signature))
    event = accepted(answer)
    return {"validSignature": True, "id": place_id(event.number, 0)}


async def withdraw(call: Call) -> int:
    """A withdrawal to the owner's address on L1. It can be claimed there when its batch has settled."""
    body = await call.body(WithdrawalBody)
    signed = body.settlement
    asset = call.api.state.config.assets[0]
    if body.asset is not None and body.asset != asset.name:
        raise ApiError(400, errors.WRONG_ASSET, f"only {asset.name} can be withdrawn")
    if body.chain_id not in (None, OWN_CHAIN):
        raise ApiError(422, errors.NOT_ALLOWED, NO_BRIDGE)  # whoever names another chain does not wait for it on L1
    amount = _amount(body.amount, asset)
    account_id = integer(signed.position_id, "positionId", ACCOUNT_LIMIT)
    _match("amount", amount, signed.amount)
    if body.account_id is not None:
        _match("account", account_id, body.account_id)
    _match("asset", int(asset.collateral_id), felt(signed.collateral_id, "collateralId"))
    if account_id != call.account_id:
        raise ApiError(403, errors.VAULT, f"the API key is of account {call.account_id}")
    recipient = felt(signed.recipient, "recipient")
    if not 0 < recipient < 1 << L1_ADDRESS_BITS:
        raise ApiError(400, errors.ADDRESS, "recipient must be an Ethereum address")
    salt, expiration = _salt(signed.salt), _expiration(signed.expiration.seconds)
    if expiration < call.api.sequencer.time_ms // 1000 + EXPIRY_GRACE_S:
        raise ApiError(400, errors.EXPIRY_NEAR, "a withdrawal must not expire within 14 days")
    signature = signature_of(signed.signature)

    def make(now: TimeMs) -> Submit:
        own, until = AccountId(account_id), TimeS(expiration)
        return Submit(now, Withdrawal(now, own, asset.asset_id, amount, recipient, until, salt, signature))

    answer = await call.api.node.writer.send(make)
    if answer is Reject.WRONG_SIGNATURE:
        tx = make(TimeMs(0)).transaction
        assert isinstance(tx, Withdrawal)
        authority, key = call.api.node.exchange.machine.authority, call.account.owner_key
        theirs = authority.ccxt_withdrawal_hash(tx, key)
        raise _unsigned(call, authority.withdrawal_hash(tx, key), amount, verify(key, theirs, *signature))
    return place_id(accepted(answer).number, 0)


def _first(one: int | str | None, other: int | str | None, name: str) -> int | str:
    found = other if one is None else one
    if found is None:
        raise bad(f"{name} is missing")
    return found


def _asset(call: Call, name: str) -> AssetTerms:
    """Collateral by its name, or by the identity that is signed."""
    for asset in call.api.state.config.assets:
        if name == asset.name or (name.startswith("0x") and felt(name, "transferredAsset") == int(asset.collateral_id)):
            return asset
    raise ApiError(400, errors.WRONG_ASSET, "transferredAsset is no collateral")


def _amount(text: str, asset: AssetTerms) -> int:
    try:
        amount = whole_amount(decimal(text, "amount"), asset.resolution)
    except SigningError as error:
        raise ApiError(400, errors.MISMATCH, f"amount: {error}, and that is what is signed") from error
    if not 0 < amount < 1 << 63:
        raise ApiError(400, errors.AMOUNT, "amount must be above zero")
    return amount


def _match(what: str, stated: int, signed: int | str) -> None:
    """The body and what was signed say the same."""
    if int(stated) != int(signed):
        raise ApiError(400, errors.MISMATCH, f"{what}: the request says {stated}, the settlement {signed}")


def _salt(value: int | str) -> int:
    return integer(value, "nonce", 1 << 64)


def _expiration(value: int | str) -> int:
    return integer(value, "expiration", 1 << 40)


def _unsigned(call: Call, message_hash: int, amount: int, is_ccxt: bool) -> ApiError:
    """The refusal of a signature, with what it should have signed; ccxt's own message is named as such."""
    expected = {"hash": hex(message_hash), "amount": str(amount), "chainId": call.api.state.config.chain_id}
    debug = "expected " + "; ".join(f"{name}={value}" for name, value in expected.items())
    why = CCXT_SIGNED if is_ccxt else "signed over other numbers, or by another key"
    error = rejected(Reject.WRONG_SIGNATURE, why, expected=[expected])
    error.debug = debug
    return error


def accepted(answer: Answer | Reject) -> StateChanged:
    """The ledger's acceptance, or why it refused."""
    if isinstance(answer, Reject):
        raise rejected(answer)
    for event in answer.events:
        if isinstance(event, StateChanged):
            return event
        if isinstance(event, Rejected):
            raise rejected(event.reason)
    raise rejected(Reject.WRONG_KIND)


async def claim(call: Call) -> dict[str, Any]:
    """Play money, on a test network. Where batches settle it comes by way of L1: `id` is then custody's number."""
    node, faucet = call.api.node, call.api.node.settings.faucet
    if not faucet.enabled:
        raise ApiError(422, errors.NOT_ALLOWED, "there is no faucet here")
    account, now_s = call.account, int(node.clock_ms()) / 1000
    wait_s = node.faucet_times.get(account.l1_owner or account.account_id, 0.0) + faucet.pause_s - now_s
    if wait_s > 0:
        raise ApiError(429, errors.NOT_ALLOWED, "claimed a moment ago", headers={"Retry-After": str(int(wait_s) + 1)})
    amount = faucet.dollars * 1_000_000
    if node.settles is not None:  # numbers of deposits are L1's
        node.faucet_times[account.l1_owner or account.account_id] = now_s  # before: it waits for a block
        return await claim_on_l1(call, call.account_id, amount)
    event = await node_deposit(call, call.account_id, amount)
    node.faucet_times[account.l1_owner or account.account_id] = now_s
    return {"id": place_id(event.number, 0)}


async def node_deposit(call: Call, account_id: AccountId, amount: int) -> StateChanged:
    """A deposit that this node makes up. One at a time, for places in the queue are numbered."""
    node = call.api.node
    asset_id = call.api.state.config.assets[0].asset_id
    async with node.one_at_a_time:

        def make(now: TimeMs) -> Submit:
            number = node.exchange.state.counters.deposits + 1
            return Submit(now, Deposit(now, number, account_id, asset_id, amount))

        return accepted(await node.writer.send(make))


async def bridge_config(call: Call) -> dict[str, Any]:
    """No bridge to other chains: withdrawals go to Ethereum themselves."""
    return {"chains": []}


async def bridge_quote(call: Call) -> None:
    """There is nothing to quote."""
    raise ApiError(422, errors.NOT_ALLOWED, NO_BRIDGE)


async def vault(call: Call) -> None:
    """There is no vault."""
    raise ApiError(422, errors.NOT_ALLOWED, "vaults are not offered")


async def builder_trades(call: Call) -> Page:
    """Nobody is paid a builder's fee here, so there is no such trade."""
    return Page([], None)


ENDPOINTS = [
    Endpoint("POST", "/api/v1/user/transfer/onchain", transfer, WITHDRAW, TransferBody),
    Endpoint("POST", "/api/v1/user/transfer", transfer, WITHDRAW, TransferBody),
    Endpoint("POST", "/api/v1/user/withdrawal", withdraw, WITHDRAW, WithdrawalBody),
    Endpoint("POST", "/api/v1/user/claim", claim, TRADE, is_for_calm=True),
    Endpoint("GET", "/api/v1/user/bridge/config", bridge_config),
    Endpoint("GET", "/api/v1/user/bridge/quote", bridge_quote, query=("chainIn", "chainOut", "amount")),
    Endpoint("POST", "/api/v1/user/bridge/quote", bridge_quote, TRADE, query=("id",)),
    Endpoint("POST", "/api/v1/vault/user/deposits", vault, WITHDRAW),
    Endpoint("POST", "/api/v1/vault/user/withdrawals", vault, WITHDRAW),
    Endpoint("GET", "/api/v1/builder/trades", builder_trades, query=("cursor", "limit")),
]
