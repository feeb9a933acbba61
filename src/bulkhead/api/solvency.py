"""Proof of solvency: what custody holds beside what is owed, as a total under which everybody finds his own part; and
the same of a batch that is settled, where everybody's part is held to the one state that L1 has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bulkhead.api import errors
from bulkhead.api.call import Call, Endpoint
from bulkhead.api.errors import ApiError
from bulkhead.api.numbers import money
from bulkhead.ledger.state import child_id
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.node.liabilities import Node, NotOpen, Part
from bulkhead.units import MarketId

if TYPE_CHECKING:  # what is proven takes seconds to import
    from bulkhead.node.openings import Opened, Openings


async def solvency(call: Call) -> dict[str, Any]:
    """What custody holds beside what it owes. `accounts` and `funds` differ from `custody` by what rounding took, and
    by nothing else; `liabilities` is the root of a tree of sums over all accounts, where debts to the venue count as
    nothing: `GET /user/solvency` has the way from one's own accounts to it."""
    return (await call.api.moments.newest(call.api.node)).sums


async def own_solvency(call: Call) -> dict[str, Any]:
    """This account and its isolated positions in the tree of `GET /info/solvency`, whose moment `sequence` names: leaf,
    place and siblings of each. Whoever finds his leaf under the published root is counted in its total."""
    asked = call.number("sequence", 0)
    moment = call.api.moments.at(asked) if asked else await call.api.moments.newest(call.api.node)
    if moment is None:
        raise ApiError(404, errors.NOT_ALLOWED, f"nothing is kept of {asked}; leave sequence out for the newest")
    family = range(call.account_id, call.account_id + CHILDREN_PER_ACCOUNT)
    found = [part for one in family if (part := moment.owed.part(one)) is not None]
    root = moment.owed.root
    return {
        "sequence": moment.sequence,
        "root": root.digest.hex(),
        "total": money(root.total),
        "parts": [_part(part) for part in found],
    }


async def settled_solvency(call: Call) -> dict[str, Any]:
    """What S of the newest final batch is made of, as L1 has it: `parts` hash to `state`, and `markets`, `money` and
    `counters` to parts of it. `liabilities` is the tree of sums over that state's accounts. Its salts follow from the
    state, so whoever rebuilds that from L1 finds the same root: it is one for everybody."""
    try:
        return _opened(await _openings(call).newest(call.api.node.progress.final))
    except NotOpen as error:
        raise _not_open(error) from error


async def own_settled_solvency(call: Call) -> dict[str, Any]:
    """The same, with this account and its isolated position in every market: the words that S binds (none of one that
    is not there), the path to the root of accounts, and the place in the tree of sums."""
    markets = [int(wire.terms.market_id) for wire in call.api.markets.all]
    numbers = [int(call.account_id), *(int(child_id(call.account_id, MarketId(one))) for one in markets)]
    try:
        opened, places = await _openings(call).family(call.api.node.progress.final, numbers)
    except NotOpen as error:
        raise _not_open(error) from error
    found = []
    for one in places:
        part = opened.owed.part(one.account_id)
        found.append(
            {
                "accountId": one.account_id,
                "words": {str(number): hex(word) for number, word in one.words.items()},
                "path": [hex(node) for node in one.path],
                "owed": None if part is None else _counted(part),
            }
        )
    return {**_opened(opened), "accounts": found}


def _not_open(error: NotOpen) -> ApiError:
    return ApiError(503, errors.MAINTENANCE, str(error), headers={"Retry-After": "10"})


def _openings(call: Call) -> Openings:
    settles = call.api.node.settles
    if settles is None:
        raise ApiError(404, errors.NOT_ALLOWED, "this exchange settles nothing, so L1 has no state of it")
    return settles.openings


def _opened(opened: Opened) -> dict[str, Any]:
    root = opened.owed.root
    return {
        "batch": opened.batch,
        "state": hex(opened.state),
        "parts": [hex(part) for part in opened.parts],
        "markets": [hex(word) for word in opened.markets],
        "money": [hex(word) for word in opened.money],
        "counters": [hex(word) for word in opened.counters],
        "liabilities": {"root": root.digest.hex(), "total": money(root.total), "accounts": opened.owed.count},
    }


def _part(part: Part) -> dict[str, Any]:
    owed = part.owed
    return {
        "accountId": owed.account_id,
        "ownerKey": hex(owed.owner_key),
        "owed": money(owed.amount),
        "salt": owed.salt.hex(),
        "place": part.place,
        "path": [_sibling(node) for node in part.path],
    }


def _counted(part: Part) -> dict[str, Any]:
    path = [_sibling(node) for node in part.path]
    return {"amount": money(part.owed.amount), "place": part.place, "path": path}


def _sibling(node: Node) -> dict[str, str]:
    return {"digest": node.digest.hex(), "total": money(node.total)}


ENDPOINTS = [
    Endpoint("GET", "/api/v1/info/solvency", solvency, ""),
    Endpoint("GET", "/api/v1/info/solvency/settled", settled_solvency, ""),
    Endpoint("GET", "/api/v1/user/solvency/settled", own_settled_solvency),
    Endpoint("GET", "/api/v1/user/solvency", own_solvency, query=("sequence",)),
]
