"""Batches on their way to L1 with their proofs and transactions; forced requests; and what an owner must have at hand
to leave when nobody answers here any more: the genesis and the record of the deployment.
"""

from __future__ import annotations

import asyncio
import json
from functools import lru_cache
from math import floor
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bulkhead.api import errors
from bulkhead.api.account import page
from bulkhead.api.call import Call, Endpoint, Page
from bulkhead.api.errors import ApiError
from bulkhead.api.numbers import money
from bulkhead.api.settlement import stage_of
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.journey import Journey, OnL1, Request, settling
from bulkhead.node.proof_file import FOLDER, ProofFileError, read_proof
from bulkhead.node.replay import GENESIS_FILE
from bulkhead.node.store import tables
from bulkhead.node.store.staging import Row

PAGE = 100
NEWEST = 1 << 62


async def batches(call: Call) -> Page:
    """Sealed batches, newest first, and how far each has come: SEALED, PROVEN, or FINAL on L1; when each step was
    reached, its proof (bytes, proven bits, seconds), and its transactions on L1 with their gas."""
    rows, cursor = await page(call, tables.batches, "batch", [], PAGE)
    return Page(await _shapes(call, rows), cursor)


async def batch(call: Call) -> dict[str, Any]:
    """One sealed batch, as the list of them has it."""
    number = call.path_id("batch")
    rows = await call.api.node.store.rows(select(tables.batches).where(tables.batches.c.batch == number))
    if not rows:
        raise ApiError(404, errors.NOT_ALLOWED, "no batch of this number is sealed")
    return (await _shapes(call, rows))[0]


async def _shapes(call: Call, rows: list[Row]) -> list[dict[str, Any]]:
    if not rows:
        return []
    node, numbers = call.api.node, [row["batch"] for row in rows]
    span, folder = range(min(numbers), max(numbers) + 1), node.settings.place

    def look() -> tuple[dict[int, list[OnL1]], dict[int, int], dict[int, dict[str, Any]]]:
        journey = Journey(folder)
        proofs = {number: found for number in numbers if (found := _proof(folder, number, node.exchange.state.config))}
        return journey.transactions(span), journey.finals(span), proofs

    transactions, finals, proofs = await asyncio.to_thread(look)
    took_s = {} if node.settles is None else node.settles.prover.took_s
    found = []
    for row in rows:
        number = row["batch"]
        proof = proofs.get(number)
        on_l1 = transactions.get(number, [])
        found.append(
            {
                "batch": number,
                "sealedTime": row["sealed_ms"],
                "firstSequence": row["sequence_first"],
                "lastSequence": row["sequence_last"],
                "commands": row["commands"],
                "status": node.progress.of(number),
                "l1": stage_of(node, number),
                "steps": _steps(row["sealed_ms"], proof, settling(on_l1), finals.get(number)),
                "proof": None if proof is None else {**proof, "seconds": took_s.get(number)},
                "transactions": [_transaction(one) for one in on_l1],
                "gasUsed": sum(one.gas_used for one in on_l1),
            }
        )
    return found


def _steps(sealed_ms: int, proof: dict[str, Any] | None, on_l1: OnL1 | None, final_ms: int | None) -> list[Any]:
    """What is behind a batch, in order, each with its time."""
    found: list[dict[str, Any]] = [{"stage": "SEALED", "time": sealed_ms}]
    if proof is not None:
        found.append({"stage": "PROVEN", "time": proof["time"]})
    if on_l1 is not None:
        found.append({"stage": "SETTLED", "time": on_l1.time_ms, "block": on_l1.block, "hash": on_l1.hash})
    if final_ms is not None:  # an embedded chain's blocks may be ahead of the clock: nothing is final before its block
        found.append({"stage": "FINAL", "time": max(final_ms, 0 if on_l1 is None else on_l1.time_ms)})
    return found


def _transaction(one: OnL1) -> dict[str, Any]:
    return {
        "step": one.step, "part": one.part, "hash": one.hash, "block": one.block, "gasUsed": one.gas_used,
        "succeeded": one.succeeded, "time": one.time_ms,
    }  # fmt: skip


def _proof(folder: Path, number: int, config: VenueConfig) -> dict[str, Any] | None:
    """The proof of a batch on the disk, that of most bits where there are several."""
    found = [
        _read(path, path.stat().st_mtime_ns, config) for path in (folder / FOLDER).glob(f"batch-{number:010d}.*.proof")
    ]
    return max(found, key=lambda one: one["bits"] or 0.0, default=None)


@lru_cache(maxsize=4_096)
def _read(path: Path, written_ns: int, config: VenueConfig) -> dict[str, Any]:
    """What a file says, and what its profile is worth; nothing of it is verified here."""
    known: dict[str, Any] = {"profile": path.name.split(".")[1], "time": written_ns // 1_000_000}
    try:
        record = read_proof(path)
    except ProofFileError as error:
        return {**known, "bytes": path.stat().st_size, "bits": None, "fault": str(error)}
    bits = bits_of(config, record.shape, record.profile)
    return {**known, "profile": record.profile, "bytes": len(record.proof), "bits": bits, "key": record.key.hex()}


@lru_cache(maxsize=16)
def bits_of(config: VenueConfig, heights: tuple[int, ...], profile: str) -> float | None:
    """Proven bits of a profile for the venue's circuit in a shape; None where this program has no such circuit."""
    from bulkhead.circuit.batch import shape_named  # here, for what proves takes seconds to import
    from bulkhead.circuit.venue import NotProvable
    from bulkhead.node.prove_batch import system_for
    from stark.parameters import PROFILES
    from stark.security import proven_bits, shape_of

    shape = shape_named(heights)
    if shape is None or profile not in PROFILES:
        return None
    try:
        system = system_for(config, shape)
    except NotProvable:
        return None
    return floor(10 * proven_bits(PROFILES[profile], shape_of(system, shape.log_heights)).bits) / 10


async def forced(call: Call) -> Page:
    """Forced requests of L1's queue, newest first: WAITING, DONE, or FAILED by a named rule. None where nothing
    settles."""
    before, limit = call.number("cursor", NEWEST), call.limit(PAGE)
    journey = Journey(call.api.node.settings.place)
    found = await asyncio.to_thread(journey.requests, before, limit)
    done = call.api.state.counters.forced
    rows = [_request(call, one, done) for one in found]
    return Page(rows, found[-1].number if len(found) == limit else None)


def _request(call: Call, one: Request, done: int) -> dict[str, Any]:
    state = "WAITING" if one.number > done else "FAILED" if one.failed else "DONE"
    wire = call.api.markets.by_id.get(one.subject) if one.kind == "CLOSE" else None
    return {
        "number": one.number,
        "kind": one.kind,
        "accountId": one.account_id,
        "amount": money(one.subject) if one.kind == "WITHDRAWAL" else None,
        "market": None if wire is None else wire.terms.name,
        "sender": one.sender,
        "state": state,
        "reason": one.failed or None,
        "block": one.block,
        "includedTime": one.included_ms,
        "answeredTime": one.answered_ms or None,
    }


async def genesis(call: Call) -> dict[str, Any]:
    """The bytes of the exchange's genesis in hexadecimal: its configuration and first moment. Keep them; with L1 alone
    they are enough to rebuild the state and to leave."""
    path = call.api.node.settings.place / GENESIS_FILE
    return {"file": GENESIS_FILE, "bytes": (await asyncio.to_thread(path.read_bytes)).hex()}


async def deployment(call: Call) -> dict[str, Any]:
    """The record of the contracts that this exchange settles with. Check their code on L1 before they are trusted."""
    node = call.api.node
    if node.settles is None:
        raise ApiError(404, errors.NOT_ALLOWED, "this exchange settles nothing, so it has no contracts")
    text = await asyncio.to_thread(Path(node.settings.settlement.record).read_text, "utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


ENDPOINTS = [
    Endpoint("GET", "/api/v1/info/batches", batches, "", query=("cursor", "limit")),
    Endpoint("GET", "/api/v1/info/batches/{batch}", batch, ""),
    Endpoint("GET", "/api/v1/info/forced", forced, "", query=("cursor", "limit")),
    Endpoint("GET", "/api/v1/info/genesis", genesis, ""),
    Endpoint("GET", "/api/v1/info/deployment", deployment, ""),
]
