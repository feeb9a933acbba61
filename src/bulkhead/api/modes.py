"""Margin modes, signed by the trader: configuration of a market, moves between compartments, strategy accounts."""

from __future__ import annotations

from typing import Any

from bulkhead.api import errors, shapes
from bulkhead.api.bodies import ChoiceBody, ConfigurationBody, MoveBody, MovePlan, StrategyBody
from bulkhead.api.call import Call, Endpoint
from bulkhead.api.errors import ApiError, bad, rejected
from bulkhead.api.money import accepted
from bulkhead.api.numbers import decimal, money
from bulkhead.api.signed import signature_of
from bulkhead.engine.command import Submit
from bulkhead.ledger.state import Choice, Kind, MarginRule, Mode
from bulkhead.ledger.tx import AssetLeg, Configure, Move, PositionLeg, Register
from bulkhead.limits import ACCOUNT_ID_BITS
from bulkhead.node.directory import TRADE, WITHDRAW, Named
from bulkhead.reject import Reject
from bulkhead.signing import SigningError, whole_amount
from bulkhead.units import AccountId, MarketId, Quote, Size, TimeMs, TimeS

MODES = {"cross": Mode.CROSS, "isolated": Mode.ISOLATED}
STRATEGY_INDEX = 1_000  # strategies have no Ethereum-derived key; their indices begin here, out of wallets' way


async def configuration(call: Call) -> dict[str, Any]:
    """What was signed so far, and what the next message must carry."""
    account = call.account
    return {
        "accountId": account.account_id,
        "nextNonce": account.nonce + 1,
        "choices": [_choice_shape(call, choice) for choice in account.choices],
    }


def _choice_shape(call: Call, choice: Choice) -> dict[str, Any]:
    wire = call.api.markets.by_id.get(int(choice.market_id))
    return {
        "market": "" if wire is None else wire.terms.name,
        "marginMode": choice.mode.name.lower(),
        "leverage": choice.leverage,
        "topUpCap": money(int(choice.top_up_cap)),
    }


async def configure(call: Call) -> dict[str, Any]:
    """Choose mode, leverage and top-up cap of a market. `market` empty: the top-up of a strategy itself."""
    body = await call.body(ConfigurationBody)
    choice = _choice(call, body.market, body.margin_mode, body.leverage, body.top_up_cap)
    account_id, signature = call.account_id, signature_of(body.signature)

    def make(now: TimeMs) -> Submit:
        return Submit(now, Configure(now, account_id, choice, TimeS(body.expiration), body.nonce, signature))

    answer = await call.api.node.writer.send(make)
    if answer is Reject.WRONG_SIGNATURE:
        tx = make(TimeMs(0)).transaction
        assert isinstance(tx, Configure)
        raise _unsigned(call, call.api.node.exchange.machine.authority.configure_hash(tx, call.account.owner_key))
    accepted(answer)
    return {"market": body.market, "marginMode": body.margin_mode, "leverage": body.leverage}


def _choice(call: Call, market: str, mode: str, leverage: int, cap: str) -> Choice:
    market_id = MarketId(call.api.market(market).terms.market_id) if market else MarketId(0)
    return Choice(market_id, MODES[mode], leverage, Quote(_micro(cap, "topUpCap")))


def _micro(text: str, name: str) -> int:
    try:
        return whole_amount(decimal(text, name), 1_000_000)
    except SigningError as error:
        raise bad(f"{name}: {error}") from error


async def move(call: Call) -> dict[str, Any]:
    """Money and positions among the owner's accounts, and new modes, all or nothing: adding and removing isolated
    margin, rebalancing strategies, switching the mode of an open position."""
    body = await call.body(MoveBody)
    assets, positions, choices = legs_of(call, body)
    account_id, signature = call.account_id, signature_of(body.signature)

    def make(now: TimeMs) -> Submit:
        until = TimeS(body.expiration)
        return Submit(now, Move(now, account_id, assets, positions, choices, until, body.nonce, signature))

    answer = await call.api.node.writer.send(make)
    if answer is Reject.WRONG_SIGNATURE:
        tx = make(TimeMs(0)).transaction
        assert isinstance(tx, Move)
        raise _unsigned(call, call.api.node.exchange.machine.authority.move_hash(tx, call.account.owner_key))
    return {"receipt": accepted(answer).receipt}


def legs_of(
    call: Call, body: MovePlan
) -> tuple[tuple[AssetLeg, ...], tuple[PositionLeg, ...], tuple[tuple[AccountId, Choice], ...]]:
    """What a move's body names, as the ledger has it."""
    asset_id = call.api.state.config.assets[0].asset_id
    assets = tuple(
        AssetLeg(_account(leg.source), _account(leg.target), asset_id, leg.amount) for leg in body.assets
    )
    positions = tuple(
        PositionLeg(
            _account(leg.source),
            _account(leg.target),
            MarketId(call.api.market(leg.market).terms.market_id),
            Size(leg.lots),
        )
        for leg in body.positions
    )
    return assets, positions, tuple((_account(one.account), _of(call, one)) for one in body.choices)


def _account(account_id: int) -> AccountId:
    if account_id >= 1 << ACCOUNT_ID_BITS:
        raise bad("an account id has 32 bits")
    return AccountId(account_id)


def _of(call: Call, one: ChoiceBody) -> Choice:
    return _choice(call, one.market, one.margin_mode, one.leverage, one.top_up_cap)


def _unsigned(call: Call, message_hash: int) -> ApiError:
    expected = {"hash": hex(message_hash), "chainId": call.api.state.config.chain_id}
    error = rejected(Reject.WRONG_SIGNATURE, "signed over other numbers, or by another key", expected=[expected])
    error.debug = f"expected hash={expected['hash']}"
    return error


# -- strategies ------------------------------------------------------------------------------------------------------


async def strategies(call: Call) -> dict[str, Any]:
    """Strategy accounts below this one, each with what it is worth; and the id that the next one would have."""
    found = [
        strategy_shape(call, account_id)
        for account_id, account in sorted(call.api.state.accounts.items())
        if account.kind is Kind.STRATEGY and account.parent_id == call.account_id
    ]
    return {"strategies": found, "nextAccountId": call.api.node.next_account_id()}


def strategy_shape(call: Call, account_id: int) -> dict[str, Any]:
    """A strategy: its account and its balance."""
    shape = shapes.account_shape(call.api, account_id)
    return {**shape, "balance": shapes.balance_shape(call.api, account_id)}


async def add_strategy(call: Call) -> dict[str, Any]:
    """A strategy account of the same key. Its registration is signed over the id, so a taken id is asked for again."""
    body = await call.body(StrategyBody)
    parent, account_id = call.account, _account(body.account_id)
    if len(body.description) > 128:
        raise ApiError(400, errors.DESCRIPTION, "description: at most 128 characters")
    signature = signature_of(body.signature)

    def make(now: TimeMs) -> Submit:
        return Submit(
            now,
            Register(
                now, account_id, Kind.STRATEGY, MarginRule.LINEAR, parent.owner_key, parent.l1_owner,
                parent.account_id, parent.asset_id, signature,
            ),
        )  # fmt: skip

    node = call.api.node
    node.store.check()
    async with node.one_at_a_time:
        accepted(await node.writer.send(make))
        named = node.directory.account(parent.account_id)
        if named is not None:
            index = STRATEGY_INDEX + len(node.directory.accounts_of(named.user_id))
            now = int(node.clock_ms())
            key = int(parent.owner_key)
            node.directory.add_account(Named(account_id, named.user_id, index, body.description, key, now))
    return strategy_shape(call, account_id)


async def strategy_key(call: Call) -> dict[str, Any]:
    """An API key of a strategy, for clients that know only accounts: they trade it as any other account."""
    account_id = call.path_id("account_id")
    account = call.api.state.accounts.get(account_id)
    if account is None or account.kind is not Kind.STRATEGY or account.parent_id != call.account_id:
        raise ApiError(404, errors.ACCOUNT_NOT_FOUND, "there is no such strategy of this account")
    node = call.api.node
    if len(node.directory.keys_of(account_id)) >= node.settings.limits.api_keys_per_account:
        raise ApiError(422, errors.NOT_ALLOWED, "this account has as many API keys as it may")
    assert call.key is not None, "the route asks for a key"
    scopes = call.key.scopes
    networks = [str(network) for network in call.key.networks]
    expires_ms = call.key.expires_ms
    now = int(node.clock_ms())
    node.store.check()
    key = node.directory.add_key(
        account_id, "strategy", now, scopes=scopes, networks=networks, expires_ms=expires_ms
    )
    return {"key": key, "accountId": account_id}


ENDPOINTS = [
    Endpoint("GET", "/api/v1/user/configuration", configuration),
    Endpoint("POST", "/api/v1/user/configuration", configure, TRADE, ConfigurationBody),
    Endpoint("POST", "/api/v1/user/move", move, WITHDRAW, MoveBody),
    Endpoint("GET", "/api/v1/user/strategies", strategies),
    Endpoint("POST", "/api/v1/user/strategies", add_strategy, TRADE, StrategyBody, is_for_calm=True),
    Endpoint("POST", "/api/v1/user/strategies/{account_id}/api-key", strategy_key, WITHDRAW),
]
