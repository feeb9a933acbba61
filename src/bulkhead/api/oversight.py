"""What an operator looks at, and anybody may: the oracle's signers, the machine's load, checks of liquidations."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

from sqlalchemy import select

from bulkhead.api import errors
from bulkhead.api.call import Call, Endpoint
from bulkhead.api.errors import ApiError
from bulkhead.api.evidence import liquidation_shape
from bulkhead.keepers.recompute import recompute
from bulkhead.ledger.commitment import config_root
from bulkhead.node.store import tables
from bulkhead.node.store.held import WITNESSES
from bulkhead.rules.prices import is_fresh, quorum

QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


async def oracle(call: Call) -> dict[str, Any]:
    """The oracle's signers, when each signed the last accepted report, and each market's price with its age."""
    state, node = call.api.state, call.api.node
    now_ms = int(node.clock_ms())
    signers = []
    for place, key in enumerate(state.config.oracle_keys):
        sequence, time_ms = node.metrics.signers.get(place, (None, None))
        age_ms = None if time_ms is None else max(0, now_ms - time_ms)
        signers.append({"signer": place, "key": hex(key), "sequence": sequence, "time": time_ms, "ageMs": age_ms})
    feeds = []
    for wire in call.api.markets.all:
        market = state.markets[wire.terms.market_id]
        most_ms = wire.terms.price_age_max_ms
        feeds.append(
            {
                "market": wire.terms.name,
                "price": wire.index_price(int(market.price)),
                "time": int(market.price_ms),
                "ageMs": max(0, now_ms - int(market.price_ms)),
                "ageMaxMs": most_ms,
                "isFresh": int(market.price) > 0 and is_fresh(market.price_ms, state.time_ms, most_ms),
            }
        )
    return {
        "sequence": state.oracle.sequence,
        "time": int(state.oracle.time_ms),
        "ageMs": max(0, now_ms - int(state.oracle.time_ms)),
        "quorum": quorum(len(state.config.oracle_keys)),
        "signers": signers,
        "feeds": feeds,
        "source": node.source.name,
    }


async def operator(call: Call) -> dict[str, Any]:
    """Load and health of the node: queues, what is taken while it is browned out, commands and fills a second over the
    last minute, seconds that answers took (commands apart from questions), and how far the prover is behind."""
    node = call.api.node
    recent, limits = node.metrics.recent, node.settings.limits
    commands, fills = recent.rates()
    settles = node.settles
    proving = None if settles is None else settles.prover.proving
    return {
        "time": int(node.clock_ms()),
        "sequence": node.exchange.sequence,
        "failures": [{"part": part, "reason": reason} for part, reason in node.failures.items()],
        "queue": node.writer.depth,
        "queueMax": limits.queue_max,
        "storeLag": node.store.deriver.sequence - node.store.written,
        "brownOut": {
            "isOn": node.is_browned_out,
            "depth": limits.brown_out_depth,
            "batches": limits.brown_out_batches or None,
        },
        "throughput": {"commands": f"{commands:.3f}", "fills": f"{fills:.3f}", "spanSeconds": recent.SPAN_S},
        "latency": _quantiles(call, is_command=True),
        "readLatency": _quantiles(call, is_command=False),
        "prover": {
            "runs": settles is not None,
            "sealed": node.exchange.state.counters.batches,
            "unproven": node.unproven,
            "proving": None if proving is None else {
                "batch": proving.batch, "step": proving.step, "share": f"{proving.share:.3f}",
            },
            "starts": 0 if settles is None else settles.prover.starts,
            "unprovable": [] if settles is None else [
                {"batch": number, "reason": reason} for number, reason in sorted(settles.prover.unprovable.items())
            ],
        },
        "configuration": hex(config_root(call.api.state.config)),
        "accounts": len(call.api.state.accounts),
        "filledOrders": len(call.api.state.filled),
        "filledOrdersMax": call.api.state.config.filled_orders_max,
    }  # fmt: skip


def _quantiles(call: Call, *, is_command: bool) -> dict[str, str | None]:
    """In seconds, of the last few thousand answers over HTTP."""
    found = call.api.node.metrics.recent.quantiles(list(QUANTILES.values()), is_command=is_command)
    if found is None:
        return dict.fromkeys(QUANTILES)
    return {name: f"{seconds:.6f}" for name, seconds in zip(QUANTILES, found, strict=True)}


async def check_liquidation(call: Call) -> dict[str, Any]:
    """Anybody's liquidation step, recomputed now from its witness with the rules alone: `faults` is empty when they
    agree. Accounts are not named; `digest` is the SHA-256 of the witness, which its owner can ask for."""
    query = select(tables.liquidations).where(tables.liquidations.c.step_id == call.path_id("id"))
    rows = await call.api.node.store.rows(query)
    if not rows:
        raise ApiError(404, errors.NOT_ALLOWED, "there is no such liquidation")
    data = rows[0]["witness"]
    faults = await asyncio.to_thread(lambda: recompute(WITNESSES.decode(data)))
    shape = liquidation_shape(call, rows[0])
    del shape["accountId"], shape["holderId"]
    return {**shape, "faults": faults, "digest": sha256(data).hexdigest(), "bytes": len(data)}


ENDPOINTS = [
    Endpoint("GET", "/api/v1/info/oracle", oracle, ""),
    Endpoint("GET", "/api/v1/info/operator", operator, ""),
    Endpoint("GET", "/api/v1/info/liquidations/{id}/check", check_liquidation, ""),
]
