"""Figures of a running node, for Prometheus. One registry for each node, so that two in a process do not mix."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bulkhead.engine.command import Prices
from bulkhead.engine.event import PricesAccepted, Rejected, Traded
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


class Recent:
    """The last minute's work and the last answers, for people who look at them now. Bounded."""

    SPAN_S, ANSWERS = 60, 4_096

    def __init__(self) -> None:
        self._began_s = time.monotonic()
        self._counts: deque[tuple[int, int, int]] = deque(maxlen=self.SPAN_S)  # second, commands, fills
        self._took: deque[tuple[float, bool]] = deque(maxlen=self.ANSWERS)  # seconds, and whether it was a command

    def count(self, commands: int, fills: int) -> None:
        """What one group held."""
        now = int(time.monotonic())
        if self._counts and self._counts[-1][0] == now:
            _, before, filled = self._counts.pop()
            commands, fills = commands + before, fills + filled
        self._counts.append((now, commands, fills))

    def took(self, seconds: float, *, is_command: bool) -> None:
        """An answer over HTTP."""
        self._took.append((seconds, is_command))

    def rates(self) -> tuple[float, float]:
        """Commands and fills a second, over the last minute or since the start."""
        now_s = time.monotonic()
        first = int(now_s) - self.SPAN_S
        rows = [row for row in self._counts if row[0] > first]
        span_s = max(1.0, min(float(self.SPAN_S), now_s - self._began_s))
        return sum(row[1] for row in rows) / span_s, sum(row[2] for row in rows) / span_s

    def quantiles(self, shares: Sequence[float], *, is_command: bool) -> list[float] | None:
        """Seconds that so large a share of the last answers took no longer than; None where there was none."""
        found = sorted(seconds for seconds, each in self._took if each is is_command)
        return [found[min(len(found) - 1, int(share * len(found)))] for share in shares] if found else None


class Metrics:
    """Counted as groups are handled; gauges are set when somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.recent = Recent()
        self.signers: dict[int, tuple[int, int]] = {}  # oracle signer: sequence and time of his last accepted report
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
        fills = 0
        for answer in answers:
            self.commands.labels(type(answer.command).__name__).inc()
            for event in answer.events:
                if type(event) is Traded:
                    fills += 1
                elif type(event) is Rejected:
                    self.rejects.labels(event.reason.name).inc()
                elif type(event) is PricesAccepted and isinstance(answer.command, Prices):
                    for report in answer.command.reports:
                        self.signers[report.signer] = (report.sequence, int(report.time_ms))
        self.trades.inc(fills)
        self.recent.count(len(answers), fills)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
