"""Writes a world's commands into a journal, so that `bulkhead replay` can come to the same root from the disk alone."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from bulkhead.engine.command import Command
from bulkhead.keepers.event import VenueEvent
from bulkhead.lab.world import World
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.records import COMMANDS
from bulkhead.node.replay import GENESIS_FILE, open_journal, write_genesis
from bulkhead.units import TimeMs

GROUP = 1_024


class Scribe:
    """A listener. Commands are durable in groups: a simulation acknowledges nothing to anybody."""

    def __init__(self, folder: Path, config: VenueConfig, time_ms: TimeMs) -> None:
        if (folder / GENESIS_FILE).is_file():
            shutil.rmtree(folder)  # an earlier run of the same demo; nothing else holds a genesis
        self.journal = open_journal(folder, write_genesis(folder, config, time_ms))
        self.waiting = 0

    def heard(self, world: World, command: Command, events: Sequence[VenueEvent]) -> None:
        """Append one command."""
        self.journal.append(COMMANDS.encode(command))
        self.waiting += 1
        if self.waiting == GROUP:
            self.journal.commit()
            self.waiting = 0

    def tick(self, world: World) -> None:
        """Nothing happens at a tick that no command says."""

    def close(self) -> None:
        """Make the rest durable."""
        self.journal.commit()
        self.journal.close()
