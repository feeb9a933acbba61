"""An owner's compartments: every account below the key's, what it holds and asks, how far it is from a margin call, and
what it could lose; and a move between them, judged before it is signed.
"""

from __future__ import annotations

from typing import Any

from bulkhead.api import shapes
from bulkhead.api.bodies import MovePlan
from bulkhead.api.call import Api, Call, Endpoint
from bulkhead.api.modes import legs_of
from bulkhead.api.numbers import Wire, money, ratio, scaled
from bulkhead.api.previews import stress_shape
from bulkhead.engine.stress import Stress, every, together, worst_of
from bulkhead.fixed import FRACTION_BITS
from bulkhead.keepers.condition import condition_of
from bulkhead.keepers.distance import Distance, distances
from bulkhead.ledger.accounts import check_prices, health_of, liquidation_price, settled
from bulkhead.ledger.authority import Authority
from bulkhead.ledger.draft import Draft
from bulkhead.ledger.move import move
from bulkhead.ledger.state import Account, Kind, State
from bulkhead.ledger.tx import Move
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.reject import Reject
from bulkhead.rules.terms import Position
from bulkhead.signing import Signature
from bulkhead.units import AccountId, Fraction, Quote, TimeS

USED_PLACES = 6
BASIS_POINT_PLACES = 4
PLAN_S = 3_600


async def compartments(call: Call) -> dict[str, Any]:
    """The key's account, its isolated positions, and each strategy below it with its own: value against initial,
    maintenance and close-out requirement, distance to margin calls as a move of all its markets, worst stresses;
    `together` has what all of them lose in each joint move of the grid, worst first."""
    api, state = call.api, call.api.state
    found = [settled(state, account)[0] for account in below(state, call.account.account_id)]
    draft = Draft(state)
    risked = [
        list(every(draft, account, Quote(0), _taker(api, account))) if account.positions else [] for account in found
    ]
    return {
        "accountId": int(call.account_id),
        "time": int(api.sequencer.time_ms),
        "compartments": [_compartment(api, draft, one, risks) for one, risks in zip(found, risked, strict=True)],
        "together": [stress_shape(one) for one in together(risked)],
    }


def _taker(api: Api, account: Account) -> Fraction:
    """What closing costs: the rate of the account that signs."""
    return api.sequencer.taker_rate(int(account.account_id) & -CHILDREN_PER_ACCOUNT)


def below(state: State, account_id: AccountId) -> list[Account]:
    """A signable account and everything below it: children by market, then strategies, each with its children."""
    heads = [account_id]
    heads += [
        AccountId(one)
        for one, account in sorted(state.accounts.items())
        if account.kind is Kind.STRATEGY and account.parent_id == account_id
    ]
    ids = [head + place for head in heads for place in range(CHILDREN_PER_ACCOUNT)]
    return [state.accounts[one] for one in ids if one in state.accounts]


def _compartment(api: Api, draft: Draft, account: Account, risked: list[Stress]) -> dict[str, Any]:
    """One account with everything it risks."""
    account_id, is_child = int(account.account_id), account.kind is Kind.CHILD
    standing = api.node.exchange.machine.venue.liquidator.watch.standing(account_id)
    named = None if is_child else api.node.directory.account(account_id)
    head = account_id & -CHILDREN_PER_ACCOUNT
    has_prices = check_prices(draft, account) is None
    found = {
        "accountId": account_id,
        "parentId": int(account.parent_id),
        "kind": account.kind.name,
        "marginRule": account.rule.name,
        "name": "" if named is None else named.description,
        "market": api.markets.by_id[account_id - head].terms.name if is_child else "",
        **health_shape(api.state, account),
        "call": standing.call,
        "hasFreshPrices": has_prices,
        "toppedUp": money(int(account.topped_up)),
        "positions": [_held(api, account, position) for position in account.positions],
        "distances": [_distance(one) for one in distances(draft, account)] if account.positions else [],
        "worst": [stress_shape(one) for one in worst_of(risked, Quote(0))],
    }
    if is_child:
        return found
    worth = shapes.worth_of(api, account_id)
    return {**found, "free": money(max(0, worth.free)), "withdrawable": money(worth.withdrawable)}


def health_shape(state: State | Draft, account: Account) -> dict[str, Any]:
    """What an account is worth, rounded down, and what is asked of it, rounded up; `used` is maintenance over value."""
    health = health_of(state, account)
    value = int(health.value) >> FRACTION_BITS
    initial, maintenance, close_out = (
        -(-int(one) >> 2 * FRACTION_BITS) for one in (health.initial, health.maintenance, health.close_out)
    )
    return {
        "balance": money(int(account.balance)),
        "value": money(value),
        "initial": money(initial),
        "maintenance": money(maintenance),
        "closeOut": money(close_out),
        "used": ratio(maintenance, value, USED_PLACES) if value > 0 else None,
        "condition": condition_of(health).name,
    }


def _held(api: Api, account: Account, position: Position) -> dict[str, Any]:
    wire: Wire = api.markets.by_id[int(position.market_id)]
    size, price = int(position.size), int(api.state.markets[position.market_id].price)
    closed_at = liquidation_price(api.state, account, position.market_id)
    worth = size * price
    return {
        "market": wire.terms.name,
        "size": wire.size(size),
        "lots": size,
        "value": money(abs(worth) >> FRACTION_BITS),
        "openPrice": wire.average(int(position.cost), size),
        "indexPrice": wire.index_price(price),
        "liquidationPrice": None if closed_at is None else wire.index_price(int(closed_at)),
        "unrealisedPnl": money((worth >> FRACTION_BITS) - int(position.cost)),
    }


def _distance(one: Distance) -> dict[str, Any]:
    fall, rise = (None if move is None else scaled(move, BASIS_POINT_PLACES) for move in (one.fall_bp, one.rise_bp))
    return {"level": one.level, "fall": fall, "rise": rise}


async def plan_move(call: Call) -> dict[str, Any]:
    """A move as the ledger would judge it now, unsigned and not done: `reject` says why it would be refused, and
    `before` and `after` what each account that it touches holds and asks."""
    body = await call.body(MovePlan)
    assets, positions, choices = legs_of(call, body)
    account, now = call.account, call.api.sequencer.time_ms
    until = TimeS(now // 1000 + PLAN_S)
    planned = Move(now, account.account_id, assets, positions, choices, until, account.nonce + 1, Signature(1, 1))
    named = {account.account_id, *(one for one, _ in choices)}
    named |= {one for leg in assets for one in (leg.source, leg.target)}
    named |= {one for leg in positions for one in (leg.source, leg.target)}
    before, draft, state = Draft(call.api.state), Draft(call.api.state), call.api.state
    draft.time_ms = now
    outcome = move(draft, planned, Authority(state.config, verify=False))
    reject = outcome if isinstance(outcome, Reject) else call.api.sequencer.objection(planned)
    own = sorted(one for one in named if _is_own(draft, account, one))
    return {
        "reject": None if reject is None else reject.name,
        "before": [_judged(before, one) for one in own],
        "after": [] if isinstance(outcome, Reject) else [_judged(draft, one) for one in own],
    }


def _is_own(draft: Draft, signer: Account, account_id: int) -> bool:
    """Of others nothing is told."""
    found = draft.account(account_id)
    return found is not None and found.owner_key == signer.owner_key


def _judged(draft: Draft, account_id: int) -> dict[str, Any]:
    account = draft.account(account_id)
    if account is None:
        return {"accountId": account_id, "isThere": False}
    return {"accountId": account_id, "isThere": True, **health_shape(draft, settled(draft, account)[0])}


ENDPOINTS = [
    Endpoint("GET", "/api/v1/user/compartments", compartments),
    Endpoint("POST", "/api/v1/user/move/preview", plan_move, body=MovePlan),
]
