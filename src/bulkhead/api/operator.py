"""What runs beside the trading: health, figures, and the journal's word for what was done."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response

from bulkhead.api.call import Call, Endpoint


async def health(call: Call) -> Response:
    """Whether this node works; 503 and the parts that do not where it does not."""
    node = call.api.node
    failures = node.failures
    body: dict[str, Any] = {
        "status": "OK" if not failures else "ERROR",
        "data": {
            "sequence": node.exchange.sequence,
            "queue": node.writer.depth,
            "storeLag": node.store.lag,
            "batches": node.exchange.state.counters.batches,
            "chainId": node.exchange.state.config.chain_id,
            "prices": node.source.name,
            "time": int(node.clock_ms()),
            "brownOut": node.is_browned_out,
            "unproven": node.unproven,
            "final": node.progress.final,
        },
    }
    if failures:
        text = "; ".join(f"{part}: {reason}" for part, reason in failures.items())
        body["error"] = {"code": 1010, "message": text}
    return JSONResponse(body, 503 if failures else 200)


async def metrics(call: Call) -> Response:
    """Figures in Prometheus' format."""
    node = call.api.node
    node.metrics.depth.set(node.writer.depth)
    node.metrics.sequence.set(node.exchange.sequence)
    node.metrics.store_lag.set(node.store.lag)
    node.metrics.batches.set(node.exchange.state.counters.batches)
    node.metrics.unproven.set(node.unproven)
    if node.settles is not None:
        standing = node.settles.standing
        block = 0 if standing.last is None else standing.last.block
        node.metrics.settlement.set(standing.settled, standing.final, node.settles.gas, block)
    return Response(node.metrics.text(), media_type="text/plain; version=0.0.4")


ENDPOINTS = [
    Endpoint("GET", "/health", health, ""),
    Endpoint("GET", "/metrics", metrics, "", media="text/plain"),
]
