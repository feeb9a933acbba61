"""Proof of solvency: what custody holds beside what is owed, as a total under which everybody finds his own part."""

from __future__ import annotations

from typing import Any

from bulkhead.api import errors
from bulkhead.api.call import Call, Endpoint
from bulkhead.api.errors import ApiError
from bulkhead.api.numbers import money
from bulkhead.limits import CHILDREN_PER_ACCOUNT
from bulkhead.node.liabilities import Node, Part


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


def _sibling(node: Node) -> dict[str, str]:
    return {"digest": node.digest.hex(), "total": money(node.total)}


ENDPOINTS = [
    Endpoint("GET", "/api/v1/info/solvency", solvency, ""),
    Endpoint("GET", "/api/v1/user/solvency", own_solvency, query=("sequence",)),
]
