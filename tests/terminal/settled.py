"""A venue that seems to settle, on a real L1 whose contracts are those of `tests.node.escape_world`: for the terminal's
screens. What the node tells of proving is set here; deposits, forced requests, freezing and leaving are real.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import msgspec

from bulkhead.bridge.embedded.provider import serving
from bulkhead.bridge.record import Proposed, write_record
from bulkhead.circuit.batch import SMALL
from bulkhead.node.finality import Progress
from bulkhead.node.proof_file import ProofFile, write_proof
from bulkhead.node.replay import write_genesis
from bulkhead.node.settings import SettlementSettings
from bulkhead.node.settling.child import Proving
from bulkhead.node.settling.events import BatchStatus, Stage, Step
from bulkhead.node.settling.store import FOLDER, SCHEMA
from bulkhead.node.settling.thread import LastTransaction, Standing
from bulkhead.node.settling.watch import PLACE_BITS
from tests.api.live import Live
from tests.node.escape_world import World, story, world

STEPS = (Step.OPEN, Step.ANSWER, Step.ANSWER, Step.ANSWER, Step.ANSWER, Step.SETTLE)
GAS = (1_913_402, 4_310_877, 5_120_038, 5_093_771, 4_921_760, 5_530_214)
BLOCK = 70  # of the first batch's first
PROOF_BYTES = 384_000
PROVING_S = 20.25  # and a second more for each batch
OWNER_SEED = 0x22  # the depositor of `tests.bridge.chains` as an owner of the terminal's key store
TERMINAL = (
    "import bulkhead.client.l1 as l1; from tests.node.escape_world import TERMS; l1.Terms = lambda: TERMS; "
    "from bulkhead.cli.main import main; main()"
)
"""The terminal's command with an escape of the size that these contracts verify: the usual one takes gigabytes."""


class Settles:
    """What `node.settles` tells, as a test sets it."""

    def __init__(self, here: World) -> None:
        self.deployment = here.deployment
        self.standing = Standing()
        self.prover = SimpleNamespace(proving=Proving(4, "fold", 0.62), starts=1, unprovable={}, took_s={})
        self.failures: dict[str, str] = {}
        self.faucet, self.gas = None, 0
        self.proposed: tuple[Proposed, ...] = ()

    def status(self, number: int) -> BatchStatus:
        """Of a batch."""
        if number <= self.standing.final:
            return BatchStatus(number, Stage.FINAL)
        return self.standing.status(number)

    async def stop(self) -> None:
        """Nothing runs."""


class Settled(NamedTuple):
    """The node, its L1, and where that is served."""

    live: Live
    here: World
    settles: Settles
    url: str
    folder: Path


@contextmanager
def settled(live: Live, folder: Path) -> Iterator[Settled]:
    """While inside. `folder` gets genesis and record of the contracts' own exchange, which the node hands out."""
    write_genesis(folder, story().config, story().time_ms)
    with world() as here, serving(here.embedded) as url:
        here.settle()
        write_record(folder / "deployment.json", here.deployment)
        made: Any = Settles(here)

        def become() -> None:
            settlement = SettlementSettings(l1=url, record=str(folder / "deployment.json"))
            live.node.settings = msgspec.structs.replace(live.node.settings, folder=str(folder), settlement=settlement)
            live.node.progress = Progress(folder)
            live.node.settles = made

        live.on_loop(become)
        yield Settled(live, here, made, url, folder)


def first_block(number: int) -> int:
    """Of a batch's transactions."""
    return BLOCK + len(STEPS) * (number - 1)


def gas_of(number: int) -> list[int]:
    """Of each of a batch's transactions."""
    return [gas + 1_013 * number for gas in GAS]


def note_settled(folder: Path, number: int, *, is_asked: bool = True) -> None:
    """What a prover and a settlement service leave in a folder for a batch: a proof, and the notes of what L1 took."""
    (folder / "proofs").mkdir(exist_ok=True)
    proof = ProofFile(1, number, "x", 1, b"h", SMALL.words(), "onchain", b"k", (1, 2), bytes(PROOF_BYTES))
    write_proof(folder / "proofs" / f"batch-{number:010d}.onchain.proof", proof)
    (folder / FOLDER).mkdir(exist_ok=True)
    now_s, first = int(time.time()), len(STEPS) * number
    with closing(sqlite3.connect(folder / FOLDER / "state.sqlite")) as file:
        file.executescript(SCHEMA)
        for place, (step, gas) in enumerate(zip(STEPS, gas_of(number), strict=True)):
            part = max(0, place - 1) if step is Step.ANSWER else 0
            digest = sha256(bytes([number, place])).digest()
            block = first_block(number) + place
            row = ("0xme", first + place, digest, str(step), number, part, block, gas, 1, now_s + 1)
            file.execute("INSERT INTO included VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        file.execute("INSERT INTO told VALUES ('settled', ?, ?, '{}')", (number, first_block(number) + len(STEPS) - 1))
        file.execute("INSERT INTO finals VALUES (?, ?)", (number, 1000 * (now_s + 2)))
        if is_asked:
            asked = {"kind": 1, "account": 128, "subject": 5_000_000, "sender": "0x" + "1" * 40}
            asked["included_ms"] = 1000 * now_s
            file.execute("INSERT INTO told VALUES ('request', 1, ?, ?)", (BLOCK, json.dumps(asked)))
        file.commit()


def note_claimed(folder: Path, batch: int, recipient: str) -> None:
    """What a settlement service notes of a claim, in the block after a batch has settled."""
    block = first_block(batch) + len(STEPS)
    body = {"recipient": recipient, "amount": 1, "batches": batch, "time_s": int(time.time()) + 3}
    row = (block << PLACE_BITS, block, json.dumps({**body, "transaction": "0x" + "d" * 64}))
    with closing(sqlite3.connect(folder / FOLDER / "state.sqlite")) as file:
        file.execute("INSERT INTO told VALUES ('claimed', ?, ?, ?)", row)
        file.commit()


def at_batch(found: Settled, number: int) -> None:
    """So many batches are final; the next ones are on their way."""
    for each in range(1, number + 1):
        note_settled(found.folder, each, is_asked=each == 1)
    block = first_block(number) + len(STEPS) - 1
    last = LastTransaction("settle", number, "0x" + "c" * 64, block, gas_of(number)[-1])
    found.settles.prover.took_s = {each: PROVING_S + each for each in range(1, number + 1)}
    found.settles.prover.proving = Proving(number + 2, "fold", 0.62)
    published = BatchStatus(number + 1, Stage.PUBLISHED, 2, 5)
    found.settles.standing = Standing(number + 3, number, number, (published,), "", "", last)
