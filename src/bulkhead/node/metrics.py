"""Figures of a running node, for Prometheus. One registry for each node, so that two in a process do not mix."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bulkhead.engine.event import Rejected, Traded
from bulkhead.node.exchange import Answer

LATENCY_S = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


class SettlementGauges:
    """Of a node that settles."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._settled = Gauge("bulkhead_settled_batches", "Batches settled on L1", registry=registry)
        self._final = Gauge("bulkhead_final_batches", "Batches final on L1", registry=registry)
        self._gas = Gauge("bulkhead_l1_gas", "Gas of this run's settlement transactions", registry=registry)
        self._block = Gauge("bulkhead_l1_block", "The block of the last settlement transaction", registry=registry)

    def set(self, settled: int, final: int, gas: int, block: int) -> None:
        """What they show when somebody asks."""
        for gauge, value in ((self._settled, settled), (self._final, final), (self._gas, gas), (self._block, block)):
            gauge.set(value)


class Metrics:
    """Counted as groups are handled; gauges are set when somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.commands = Counter("bulkhead_commands", "Commands handled", ["kind"], registry=self.registry)
        self.rejects = Counter("bulkhead_rejects", "Commands refused", ["reason"], registry=self.registry)
        self.trades = Counter("bulkhead_trades", "Fills", registry=self.registry)
        self.requests = Counter("bulkhead_requests", "HTTP answers", ["method", "status"], registry=self.registry)
        self.latency = Histogram(
            "bulkhead_request_seconds", "HTTP requests", buckets=LATENCY_S, registry=self.registry
        )
        self.depth = Gauge("bulkhead_queue", "Commands that wait for the writer", registry=self.registry)
        self.sequence = Gauge("bulkhead_sequence", "The last command handled", registry=self.registry)
        self.store_lag = Gauge("bulkhead_store_lag", "Commands not in derived tables yet", registry=self.registry)
        self.batches = Gauge("bulkhead_batches", "Sealed batches", registry=self.registry)
        self.settlement = SettlementGauges(self.registry)
        self.unproven = Gauge("bulkhead_unproven_batches", "Sealed batches without a proof", registry=self.registry)

    def heard(self, answers: Sequence[Answer]) -> None:
        """Count a group."""
        for answer in answers:
            self.commands.labels(type(answer.command).__name__).inc()
            for event in answer.events:
                if type(event) is Traded:
                    self.trades.inc()
                elif type(event) is Rejected:
                    self.rejects.labels(event.reason.name).inc()

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
