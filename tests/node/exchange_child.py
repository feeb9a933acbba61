"""A process that runs the exchange on commands from a pipe until it is killed, by its parent or by its own hand."""

from __future__ import annotations

from hashlib import sha256
from multiprocessing.connection import Connection
from pathlib import Path

from bulkhead.engine.command import Command
from bulkhead.keepers.event import VenueEvent
from bulkhead.node.exchange import Exchange
from bulkhead.node.records import COMMANDS
from bulkhead.reject import Reject
from bulkhead.units import TimeMs
from tests.node.exchange_world import small_config
from tests.node.journal_writer import arm


def said(command: Command, events: list[VenueEvent]) -> bytes:
    """What an acknowledgement promises: this command, with these consequences."""
    return sha256(COMMANDS.encode(command) + repr(events).encode()).digest()


def serve(pipe: Connection, folder: Path, time_ms: int, kind: str, budget: int) -> None:
    """Commit each group that arrives and answer it. A group is (snapshot afterwards, commands); to be killed at it."""
    arm(kind, budget)
    exchange = Exchange.open(folder, small_config(), TimeMs(time_ms), verify=False)
    pipe.send("open")
    while True:
        has_snapshot, group = pipe.recv()
        for data in group:
            assert not isinstance(exchange.submit(COMMANDS.decode(data)), Reject)
        pipe.send([(answer.sequence, said(answer.command, answer.events)) for answer in exchange.commit()])
        if has_snapshot:
            exchange.snapshot()
