"""Onboarding: an owner's Ethereum key vouches for Stark keys and asks for accounts and API keys."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from eth_account import Account as Ethereum
from eth_account.messages import SignableMessage, encode_defunct, encode_typed_data

from bulkhead.api import errors, shapes
from bulkhead.api.bodies import AccountCreation, ApiKeyBody, OnboardBody, SignatureBody, SubAccountBody
from bulkhead.api.call import Call, Endpoint, whole
from bulkhead.api.errors import ApiError, bad, rejected
from bulkhead.api.signed import felt, signature_of
from bulkhead.engine.command import Submit
from bulkhead.engine.event import Rejected
from bulkhead.ledger.defaults import USD
from bulkhead.ledger.state import Kind, MarginRule
from bulkhead.ledger.tx import Register
from bulkhead.node.directory import SCOPES, Named, User
from bulkhead.reject import Reject
from bulkhead.signing import Signature, is_public_key
from bulkhead.units import AccountId, Felt, TimeMs

TIME_SLACK_S = 3_600
DESCRIPTION_MAX = 128
ACCOUNTS_PER_OWNER = 64
SIGNATURE_HEADER, TIME_HEADER, ACTIVE_HEADER = "L1_SIGNATURE", "L1_MESSAGE_TIME", "X-X10-ACTIVE-ACCOUNT"
SUBACCOUNT_PATH, KEY_PATH = "/auth/onboard/subaccount", "/api/v1/user/account/api-key"

_REGISTRATION = {
    "EIP712Domain": [{"name": "name", "type": "string"}],
    "AccountRegistration": [
        {"name": "accountIndex", "type": "int8"},
        {"name": "wallet", "type": "address"},
        {"name": "tosAccepted", "type": "bool"},
        {"name": "time", "type": "string"},
        {"name": "action", "type": "string"},
        {"name": "host", "type": "string"},
    ],
}


def registration_message(signing_domain: str, creation: AccountCreation) -> SignableMessage:
    """What an owner signs to register an account."""
    return encode_typed_data(
        full_message={
            "types": _REGISTRATION,
            "primaryType": "AccountRegistration",
            "domain": {"name": signing_domain},
            "message": {
                "accountIndex": creation.account_index,
                "wallet": creation.wallet,
                "tosAccepted": creation.tos_accepted,
                "time": creation.time,
                "action": creation.action,
                "host": creation.host,
            },
        }
    )


def signer_of(message: SignableMessage, signature: str) -> str:
    """The address that signed, in lower case; refused where nobody can have."""
    try:
        octets = bytes.fromhex(signature.removeprefix("0x"))
        if len(octets) != 65:
            raise ValueError("an Ethereum signature has 65 bytes")
        return str(Ethereum.recover_message(message, signature=octets)).lower()
    except Exception as error:  # the library has a dozen kinds for what strangers may send
        raise ApiError(401, errors.SIGNATURE, "the Ethereum signature cannot be read") from error


async def onboard(call: Call) -> dict[str, Any]:
    """An owner's first account. Asked again with the same key, it answers with what there is."""
    body = await call.body(OnboardBody)
    creation = body.account_creation
    _check_creation(call, creation, "REGISTER")
    if creation.account_index:
        raise bad("accountIndex must be 0; other accounts are made at /auth/onboard/subaccount")
    domain = call.api.node.settings.http.signing_domain
    if signer_of(registration_message(domain, creation), body.l1_signature) != creation.wallet.lower():
        raise ApiError(401, errors.SIGNATURE, "l1Signature is not of this wallet, over this account and this domain")
    call.api.node.store.check()  # a database that is known to be away is not waited for in the event loop
    user = call.api.node.directory.add_user(creation.wallet, int(call.api.node.clock_ms()))
    account_id = await _account(call, user, body.l2_key, body, "main")
    return {"l1Address": user.wallet, "defaultAccount": shapes.account_shape(call.api, account_id)}


async def subaccount(call: Call) -> dict[str, Any]:
    """Another account of an owner, with a key of its own; 409 where the index has one."""
    body = await call.body(SubAccountBody)
    creation = body.account_creation
    user = _owner(call, SUBACCOUNT_PATH)
    _check_creation(call, creation, "CREATE_SUB_ACCOUNT")
    if creation.wallet.lower() != user.wallet.lower():
        raise ApiError(403, errors.ADDRESS, "accountCreation.wallet is not who signed L1_SIGNATURE")
    if len(body.description) > DESCRIPTION_MAX:
        raise ApiError(400, errors.DESCRIPTION, f"description: at most {DESCRIPTION_MAX} characters")
    if call.api.node.directory.by_index(user.user_id, creation.account_index) is not None:
        raise ApiError(409, errors.NOT_ALLOWED, f"account {creation.account_index} exists already")
    account_id = await _account(call, user, body.l2_key, body, body.description)
    return shapes.account_shape(call.api, account_id)


async def _account(
    call: Call, user: User, l2_key: str, body: OnboardBody | SubAccountBody, description: str
) -> AccountId:
    """Register an account in the ledger and write down whose it is."""
    node, index = call.api.node, body.account_creation.account_index
    key = Felt(felt(l2_key, "l2Key"))
    if not is_public_key(key):
        raise ApiError(400, errors.PUBLIC_KEY, "l2Key is no Stark public key")
    node.store.check()
    async with node.one_at_a_time:
        known = node.directory.by_index(user.user_id, index)
        if known is not None:
            if known.l2_key != key:
                raise ApiError(409, errors.PUBLIC_KEY, f"account {index} exists already, with another key")
            return AccountId(known.account_id)
        if len(node.directory.accounts_of(user.user_id)) >= ACCOUNTS_PER_OWNER:
            raise ApiError(422, errors.NOT_ALLOWED, f"an owner has at most {ACCOUNTS_PER_OWNER} accounts")
        account_id = _chosen(call, body)
        wallet = int(user.wallet, 16)
        found = call.api.state.accounts.get(account_id)
        if found is None or (found.owner_key, found.l1_owner) != (key, wallet):
            # Otherwise it was journalled, and the node was killed before it was written down whose it is.
            await _register(call, account_id, key, wallet, body)
        now = int(node.clock_ms())
        node.directory.add_account(Named(account_id, user.user_id, index, description, key, now))
    return account_id


def _chosen(call: Call, body: OnboardBody | SubAccountBody) -> AccountId:
    """The next free id; of a registration that was signed, the one it was signed for."""
    key, node = felt(body.l2_key, "l2Key"), call.api.node
    for account_id, account in call.api.state.accounts.items():
        if account.owner_key == key and account.kind is Kind.MAIN and node.directory.account(account_id) is None:
            return AccountId(account_id)
    if body.registration_signature is None or body.account_id is None:
        return node.next_account_id()
    return AccountId(body.account_id)


async def _register(
    call: Call, account_id: AccountId, key: Felt, wallet: int, body: OnboardBody | SubAccountBody
) -> None:
    if call.api.node.is_browned_out:  # who is here already gets in, and may cancel
        raise errors.browned_out(call.api.node.unsettled)
    given: SignatureBody | None = body.registration_signature
    if given is None and call.api.node.settings.venue.settles:
        text = "this venue settles with proofs: registrationSignature and accountId are needed (see /openapi.json)"
        raise ApiError(422, errors.SIGNATURE, text)
    signature: Signature = signature_of(body.l2_signature if given is None else given)

    def make(now: TimeMs) -> Submit:
        return Submit(
            now,
            Register(now, account_id, Kind.MAIN, MarginRule.LINEAR, key, wallet, AccountId(0), USD, signature),
        )

    answer = await call.api.node.writer.send(make)
    if isinstance(answer, Reject):
        raise rejected(answer, "l2Signature must be the Stark key's over Pedersen(wallet, key)")
    for event in answer.events:
        if isinstance(event, Rejected):
            raise rejected(event.reason)


def _check_creation(call: Call, creation: AccountCreation, action: str) -> None:
    if creation.action != action:
        raise bad(f"accountCreation.action must be {action}")
    if not creation.tos_accepted:
        raise ApiError(400, errors.NOT_ALLOWED, "the terms were not accepted")
    _check_time(call, creation.time)
    public = call.api.node.settings.http.public_url
    if public and creation.host.rstrip("/") != public.rstrip("/"):
        raise ApiError(400, errors.NOT_ALLOWED, f"accountCreation.host must be {public}")


def _check_time(call: Call, text: str) -> None:
    """Signed lately: an old signature that somebody has seen asks for nothing any more."""
    try:
        signed = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise bad("the time must be UTC, as 2026-01-31T23:59:59Z") from error
    if abs(signed.timestamp() - int(call.api.node.clock_ms()) / 1000) > TIME_SLACK_S:
        raise ApiError(401, errors.SIGNATURE, "the message was signed too long ago, or in the future")


def _owner(call: Call, path: str) -> User:
    """Who signed the request's path and time."""
    signature, text = call.request.headers.get(SIGNATURE_HEADER, ""), call.request.headers.get(TIME_HEADER, "")
    if not signature or not text:
        raise ApiError(401, errors.SIGNATURE, f"{SIGNATURE_HEADER} and {TIME_HEADER} are needed")
    if len(text) > 40 or len(signature) > 140:
        raise bad("the headers are too long")
    _check_time(call, text)
    user = call.api.node.directory.user(signer_of(encode_defunct(text=f"{path}@{text}"), signature))
    if user is None:
        raise ApiError(404, errors.CLIENT_NOT_FOUND, "nobody with this wallet has onboarded here")
    return user


async def add_key(call: Call) -> dict[str, Any]:
    """A new API key of one of the owner's accounts. It is shown once, here."""
    body = await call.body(ApiKeyBody)
    if len(body.description) > DESCRIPTION_MAX:
        raise ApiError(400, errors.DESCRIPTION, f"description: at most {DESCRIPTION_MAX} characters")
    user = _owner(call, KEY_PATH)
    named = _active(call, user)
    node = call.api.node
    if len(node.directory.keys_of(named.account_id)) >= node.settings.limits.api_keys_per_account:
        raise ApiError(422, errors.NOT_ALLOWED, "this account has as many API keys as it may")
    node.store.check()
    scopes = SCOPES if body.scopes is None else tuple(body.scopes)
    try:
        key = node.directory.add_key(
            named.account_id,
            body.description,
            int(node.clock_ms()),
            scopes=scopes,
            networks=body.addresses or (),
            expires_ms=body.expires_at or 0,
        )
    except ValueError as error:
        raise bad(f"addresses: {error}") from error
    return {"key": key}


async def delete_key(call: Call) -> dict[str, Any]:
    """Take a key back, by its id."""
    user = _owner(call, KEY_PATH)
    call.api.node.store.check()
    if not call.api.node.directory.revoke(_active(call, user).account_id, call.path("key_id")):
        raise ApiError(404, errors.NOT_ALLOWED, "there is no such key")
    return {}


async def owner_accounts(call: Call) -> list[dict[str, Any]]:
    """Every account of an owner, asked with the owner's signature instead of a key."""
    user = _owner(call, "/api/v1/user/accounts")
    return [shapes.account_shape(call.api, one.account_id) for one in call.api.node.directory.accounts_of(user.user_id)]


def _active(call: Call, user: User) -> Named:
    """The account that the request names; it must be the owner's."""
    named = call.api.node.directory.account(whole(call.request.headers.get(ACTIVE_HEADER, ""), ACTIVE_HEADER))
    if named is None or named.user_id != user.user_id:
        raise ApiError(404, errors.ACCOUNT_NOT_FOUND, f"{ACTIVE_HEADER} names no account of this wallet")
    return named


ENDPOINTS = [
    Endpoint("POST", "/auth/onboard", onboard, "", OnboardBody),
    Endpoint("POST", SUBACCOUNT_PATH, subaccount, "", SubAccountBody),
    Endpoint("POST", KEY_PATH, add_key, "", ApiKeyBody),
    Endpoint("DELETE", KEY_PATH + "/{key_id}", delete_key, ""),
    Endpoint("GET", "/auth/accounts", owner_accounts, ""),
]
