"""A journal with sealed batches of signed transactions, and one of its batches proven once for all tests."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from bulkhead.engine.command import SealBatch, Submit
from bulkhead.ledger.tx import Transaction
from bulkhead.node.batches import batch_of
from bulkhead.node.exchange import Exchange
from bulkhead.node.proof_file import ProofFile
from bulkhead.node.prove_batch import prove_batch
from bulkhead.reject import Reject
from bulkhead.units import TimeMs
from tests.circuit.batches import PROVABLE
from tests.parse import START_MS
from tests.play import Player

PROFILE = "test"
START = "register maker ok; register taker ok; deposit maker 1000 ok; deposit taker 50 ok"
SECOND = "wait 3s; deposit taker 0.000001 ok; withdraw maker 250 ok; transfer maker taker 100 ok"
THIRD = "wait 1s; deposit maker 7 ok; withdraw taker 50 ok"


class Venue(Player):
    """A running exchange that is spoken to in the ledger's scripts: what a ledger beside it accepted, it is sent."""

    def __init__(self, folder: Path):
        super().__init__(PROVABLE)
        self.exchange = Exchange.open(folder, self.config, TimeMs(START_MS))

    def send(self, transaction: Transaction) -> str:
        said = super().send(transaction)
        if said == "ok":
            assert not isinstance(self.exchange.submit(Submit(transaction.time_ms, transaction)), Reject)
            self.exchange.commit()
        return said

    def batch(self, script: str) -> None:
        """Play lines, then end the batch."""
        for line in script.split(";"):
            self.play(line)
        self.seal()

    def seal(self) -> None:
        """End a batch."""
        self.exchange.submit(SealBatch(TimeMs(self.now)))
        self.exchange.commit()


def write_journal(folder: Path, scripts: Iterable[str] = (START, SECOND, THIRD)) -> Venue:
    """An exchange that goes on, with a batch for each script."""
    venue = Venue(folder)
    for script in scripts:
        venue.batch(script)
    return venue


@cache
def journal() -> Path:
    """A folder with an exchange of three batches, which has stopped. Not to be written to."""
    folder = Path(tempfile.mkdtemp(prefix="bulkhead-proving-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    write_journal(folder).exchange.close()
    return folder


@cache
def proven() -> ProofFile:
    """The second batch, proven in this process."""
    return prove_batch(batch_of(journal(), 2), PROFILE, 2, lambda step, share: STEPS_TOLD.append((step, share)))


STEPS_TOLD: list[tuple[str, float]] = []
"""What was told of that proof's steps."""
