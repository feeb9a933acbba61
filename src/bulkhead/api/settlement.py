"""Where batches stand on L1, as the node's settlement service has looked it up; and the faucet by way of L1."""

from __future__ import annotations

import asyncio
from typing import Any

from bulkhead.api import errors
from bulkhead.api.call import Api, Call, Endpoint
from bulkhead.api.errors import ApiError
from bulkhead.bridge.errors import ChainError
from bulkhead.bridge.proposals import Kind, Proposal
from bulkhead.bridge.record import Proposed
from bulkhead.node.app import Node
from bulkhead.node.succession import digest_of
from bulkhead.units import AccountId


def stage_of(node: Node, batch: int) -> dict[str, Any] | None:
    """How far a sealed batch is on L1: `published` of `parts` transactions of its proof, while it is being settled.

    None where the batch is open, or where this node settles nothing.
    """
    if node.settles is None or not batch:
        return None
    found = node.settles.status(batch)
    return {"stage": found.stage.upper(), "published": found.published, "parts": found.parts}


async def final(api: Api, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Shapes, each with its `finality`: how far the command that it came of is on the way to L1."""
    await api.ends.look(api.node)
    for shape in found:
        shape["finality"] = api.node.progress.of(api.ends.batch_of(shape["sequence"]))
    return found


async def settlement(call: Call) -> dict[str, Any]:
    """How many batches are sealed, proven, settled on L1 and final; what is being proven; the last L1 transaction."""
    node = call.api.node
    sealed = node.exchange.state.counters.batches
    found: dict[str, Any] = {
        "sealed": sealed,
        "proven": sealed - node.unproven,
        "final": node.progress.final,
        "settles": node.settles is not None,
    }
    if node.settles is None:
        return found
    standing, proving, deployment = node.settles.standing, node.settles.prover.proving, node.settles.deployment
    last = standing.last
    return {
        **found,
        "final": standing.final,
        "settled": standing.settled,
        "proving": None if proving is None else {
            "batch": proving.batch, "step": proving.step, "share": f"{proving.share:.3f}"
        },
        "waiting": standing.waiting or None,
        "halted": standing.halted or None,
        "lastTransaction": None if last is None else {
            "step": last.step, "batch": last.batch, "hash": last.hash, "block": last.block, "gasUsed": last.gas_used
        },
        "chain": deployment.chain_id,
        "contracts": {
            "rollup": deployment.rollup.address, "custody": deployment.custody.address,
            "token": deployment.token.address,
        },
    }  # fmt: skip


async def proposals(call: Call) -> list[dict[str, Any]]:
    """What L1's council has announced, the newest first: other verifiers, or another council. Whoever asks to leave by
    force before `leaveBefore` is out before it can happen. `follows` says whether this exchange goes on under it; null
    where nobody here knows."""
    settles = call.api.node.settles
    if settles is None:
        return []
    own = digest_of(call.api.state.config), settles.deployment.state_version
    known = {each.door.reader.address: each for each in settles.proposed}
    return [_proposal(one, known.get(one.address), own) for one in reversed(settles.standing.proposals)]


def _proposal(one: Proposal, later: Proposed | None, own: tuple[str, int]) -> dict[str, Any]:
    is_council = one.kind is Kind.COUNCIL
    return {
        "id": f"0x{one.id}",
        "kind": one.kind.upper(),
        "stage": one.stage.upper(),
        "address": one.address,
        "version": None if is_council else one.version,
        "shape": None if is_council else one.shape,
        "fromBatch": None if is_council else one.from_batch,
        "proposedTime": 1000 * one.proposed_s,
        "readyTime": 1000 * one.ready_s,
        "untilTime": 1000 * one.until_s,
        "leaveBefore": 1000 * one.leave_before_s,
        "configuration": None if later is None else later.configuration,
        "changes": [] if later is None else list(later.changes),
        "follows": True if is_council else None if later is None else (later.configuration, later.state_version) == own,
    }


async def claim_on_l1(call: Call, account_id: AccountId, amount: int) -> dict[str, Any]:
    """Have the faucet deposit on L1: the place in custody's queue. The account is credited when that is confirmed."""
    assert call.api.node.settles is not None, "whoever settles nothing has another faucet"
    faucet = call.api.node.settles.faucet
    if faucet is None:
        raise ApiError(422, errors.NOT_ALLOWED, "there is no faucet here")
    try:
        made = await asyncio.to_thread(faucet.deposit, int(account_id), amount)
    except ChainError as error:
        raise ApiError(503, errors.MAINTENANCE, f"L1: {error}") from error
    return {"id": made.number, "l1Transaction": made.hash}


ENDPOINTS = [
    Endpoint("GET", "/api/v1/info/settlement", settlement, ""),
    Endpoint("GET", "/api/v1/info/proposals", proposals, ""),
]
