"""An exchange with two proven batches whose deposits came from L1, and that L1: made once, copied for every test."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast
from unittest.mock import patch

from eth_account.signers.local import LocalAccount
from web3.providers import JSONBaseProvider
from web3.types import RPCEndpoint

from bulkhead.bridge.chain import Chain
from bulkhead.bridge.deploy import deploy
from bulkhead.bridge.embedded.node import Embedded, Genesis
from bulkhead.bridge.embedded.provider import EmbeddedProvider
from bulkhead.bridge.open import new_chain
from bulkhead.bridge.record import Deployment, read_record, write_record
from bulkhead.circuit.batch import SMALL
from bulkhead.engine.command import Submit
from bulkhead.node.batches import batch_of
from bulkhead.node.exchange import Answer
from bulkhead.node.on_chain import beginning_of, contracts_of
from bulkhead.node.proof_file import FOLDER, Proofs, write_proof
from bulkhead.node.prove_batch import prove_batch
from bulkhead.node.settlement import Settlement, Terms
from bulkhead.node.settling.events import Cause, Event, Fed, Idle, Included, Sent, Step, Waiting
from bulkhead.node.settling.intake import ExchangeIntake, Make
from bulkhead.reject import Reject
from bulkhead.units import TimeMs
from stark.parameters import PROFILES, Parameters
from tests.bridge.chains import CHAIN_ID, DEPLOYER, DEPOSITOR, ETHER, ROLES, on_anvil
from tests.node.proving_world import Venue
from tests.parse import START_MS
from tests.play import Player

QUICK = Parameters(log_blowup=2, queries=6, grinding_bits=4, log_final=4, part_queries=2)  # worth nothing, and fast
PROFILE = "quick"
PARTS = 3
BATCHES = 2
CALLS = PARTS + 1  # transactions of a batch: open with the last part and the page, answers, settle
START_S = START_MS // 1000
NOW_MS = START_MS + 3_600_000
DOLLAR = 1_000_000
NOBODY = 64 * 5_000  # an account that does not exist
RECIPIENT = "0x" + f"{0xABC:040x}"
TERMS = Terms(PROFILE, confirmations=1, stuck_ms=60_000)
SETTLER = DEPLOYER


class Ledgered(ExchangeIntake):
    """An intake of an exchange with the scripts' ledger beside it, which is told what came from L1."""

    def __init__(self, venue: Venue) -> None:
        super().__init__(venue.exchange, lambda: TimeMs(venue.now))
        self._venue = venue

    def submit(self, make: Make) -> Answer | Reject:
        """As the exchange does, and beside it."""
        outcome = super().submit(make)
        assert isinstance(outcome, Answer) and isinstance(outcome.command, Submit)
        assert Player.send(self._venue, outcome.command.transaction) == "ok"
        return outcome


class World(NamedTuple):
    """A chain with the contracts, and the folder of the exchange that settles there.

    `chain` is the embedded one, or anvil that was given its blocks.
    """

    folder: Path
    embedded: Embedded
    chain: Chain
    deployment: Deployment

    def service(self, **options: Any) -> Settlement:
        """A settlement service."""
        signer = cast(LocalAccount, options.pop("signer", SETTLER))
        given: dict[str, Any] = {"terms": TERMS, **options}
        return Settlement(self.folder, self.chain, self.deployment, signer, **given)

    def mine(self) -> None:
        """Make a block."""
        self.chain.ask("evm_mine")

    def sent(self, signer: LocalAccount = SETTLER) -> int:
        """How many transactions of an account are in blocks."""
        return self.chain.nonce(str(signer.address), "latest")

    def batches(self) -> int:
        """How many batches L1 has settled."""
        return int(self.deployment.contract(self.chain, "rollup").call("batches"))


def run(service: Settlement, now_ms: int = NOW_MS, most: int = 100) -> list[Event]:
    """Step until there is nothing to do; what was told, the end left out."""
    told: list[Event] = []
    for _ in range(most):
        event = service.step(now_ms)
        if isinstance(event, Idle):
            return told
        told.append(event)
    raise AssertionError(f"not idle after {most} steps: {told[-3:]}")


def calls(told: list[Event], kind: type[Sent] | type[Included]) -> list[tuple[Step, int, int]]:
    """Which transactions were told of."""
    return [(each.step, each.batch, each.part) for each in told if isinstance(each, kind)]


def expected(*numbers: int) -> list[tuple[Step, int, int]]:
    """The transactions of batches."""
    return [
        call
        for number in numbers
        for call in (
            (Step.OPEN, number, 0), *((Step.ANSWER, number, part) for part in range(PARTS - 1)),
            (Step.SETTLE, number, 0),
        )
    ]  # fmt: skip


def apart(number: int) -> list[tuple[Step, int, int]]:
    """The transactions of a batch whose pieces have no room beside one another."""
    return [
        (Step.OPEN, number, 0), *((Step.ANSWER, number, part) for part in range(PARTS)),
        (Step.PUBLISH, number, 0), (Step.SETTLE, number, 0),
    ]  # fmt: skip


def alone(made: World) -> None:
    """Leave one proof, for tests that need no more."""
    Proofs(made.folder / FOLDER).path(BATCHES, PROFILE).unlink()


def until_waiting(service: Settlement, now_ms: int = NOW_MS) -> list[Event]:
    """Step until a transaction waits for a block."""
    told = []
    while not isinstance(event := service.step(now_ms), Waiting):
        told.append(event)
    assert event.cause is Cause.INCLUSION, event
    return told


def contents(folder: Path) -> tuple[object, ...]:
    """All that the service of an exchange's folder remembers."""
    with closing(sqlite3.connect(folder / "settlement" / "state.sqlite")) as file:
        names = ("meta", "blocks", "told", "fed", "attempts", "outcomes")
        return tuple(tuple(file.execute(f"SELECT * FROM {name}")) for name in names)


class Killed(BaseException):
    """The process is gone."""


class Relaying(JSONBaseProvider):
    """A node that hands on what it is asked to another."""

    def __init__(self, made: World) -> None:
        super().__init__()
        self._node = made.chain.provider

    def make_request(self, method: RPCEndpoint, params: Any) -> Any:
        """As that node."""
        return self._node.make_request(method, params)


class Killing(Relaying):
    """The node of a process that dies once at each moment: after every write, before and after every sending."""

    def __init__(self, made: World) -> None:
        super().__init__(made)
        self._folder = made.folder
        self._moments: set[object] = set()

    def make_request(self, method: RPCEndpoint, params: Any) -> Any:
        """As the node."""
        if method != "eth_sendRawTransaction":
            return super().make_request(method, params)
        self._die("before", params[0])
        answer = super().make_request(method, params)
        self._die("after", params[0])
        return answer

    def written(self) -> None:
        """Something is on the disk: the moment is what the disk holds now."""
        self._die(contents(self._folder))

    def _die(self, *moment: object) -> None:
        if moment not in self._moments:
            self._moments.add(moment)
            raise Killed


@contextmanager
def quick_profile(base: Path) -> Iterator[None]:
    """While inside, there is a profile for tests of the chain, and `proven` in pytest's folder `base`.

    Processes that share the tests share that folder's parent: what one of them has proven, the others find.
    """
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with patch.dict(PROFILES, {PROFILE: QUICK}), (root / "settling.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (root / "settling").exists():
            unfinished = root / "settling.part"
            _prove(unfinished)
            unfinished.rename(root / "settling")
        fcntl.flock(lock, fcntl.LOCK_UN)
        PROVEN.append(root / "settling")
        yield
        PROVEN.pop()


PROVEN: list[Path] = []
"""The folder with exchange, chain and record that every test gets a copy of."""


@contextmanager
def world(folder: Path, kind: str = "embedded", *, automine: bool = True) -> Iterator[World]:
    """A copy of what was made once, two batches proven and nothing of them on L1. `kind`: one of L1_KINDS."""
    made = PROVEN[-1]
    for name in ("exchange", "chain.sqlite", "deployment.json"):
        if (made / name).is_dir():
            shutil.copytree(made / name, folder / name)
        else:
            shutil.copy(made / name, folder / name)
    with opened(folder, automine=automine) as found:
        if kind == "embedded":
            yield found
        else:
            with on_anvil(found.embedded, automine=automine) as chain:
                yield found._replace(chain=chain)


@contextmanager
def opened(folder: Path, *, automine: bool = True, begin: Genesis | None = None) -> Iterator[World]:
    """The world in a folder."""
    embedded = Embedded.open(folder / "chain.sqlite", lambda: START_S, begin, automine=automine)
    try:
        chain = Chain(EmbeddedProvider(embedded))
        record = folder / "deployment.json"
        deployment = read_record(record) if record.exists() else cast(Deployment, None)
        yield World(folder / "exchange", embedded, chain, deployment)
    finally:
        embedded.close()


def _prove(folder: Path) -> None:
    """Make it, the way an operator does."""
    venue = Venue(folder / "exchange")
    for line in ("register maker ok", "register taker ok"):
        venue.play(line)
    begin = new_chain({str(role.address): 1000 * ETHER for role in ROLES}, START_S, CHAIN_ID)
    with opened(folder, begin=begin) as found:
        deployment = _deployed(found.chain, venue)
        write_record(folder / "deployment.json", deployment)
        accounts = [venue.names.account(name) for name in ("maker", "taker")]
        maker, taker = ((account, amount * DOLLAR) for account, amount in zip(accounts, (1000, 50), strict=True))
        fund(found.chain, deployment, [maker, (NOBODY, 3 * DOLLAR), (0, 5 * DOLLAR), taker])
        with Settlement(
            folder / "exchange", found.chain, deployment, SETTLER, intake=Ledgered(venue), terms=TERMS
        ) as service:
            told = [each.transaction for each in run(service) if isinstance(each, Fed)]
    assert told == ["Deposit", "Refund", "FundDeposit", "Deposit"]
    venue.seal()
    venue.batch("wait 3s; withdraw maker 250 ok; transfer maker taker 100 ok")
    venue.exchange.close()
    proofs = Proofs(folder / "exchange" / FOLDER)
    proofs.folder.mkdir()
    for number in range(1, BATCHES + 1):
        made = prove_batch(batch_of(folder / "exchange", number), PROFILE, 2, lambda step, share: None)
        write_proof(proofs.path(number, PROFILE), made)
    shutil.rmtree(folder / "exchange" / "settlement")


def fund(chain: Chain, deployment: Deployment, deposits: list[tuple[int, int]]) -> None:
    """Deposits by the depositor: accounts and amounts; account 0 is the insurance fund."""
    token, custody = (deployment.contract(chain, name) for name in ("token", "custody"))
    token.transact(DEPOSITOR, "mint", DEPOSITOR.address, sum(amount for _, amount in deposits))
    token.transact(DEPOSITOR, "approve", custody.address, 1 << 255)
    for account, amount in deposits:
        if account:
            custody.transact(DEPOSITOR, "deposit", account, amount)
        else:
            custody.transact(DEPOSITOR, "deposit_for_insurance", amount)


def _deployed(chain: Chain, venue: Venue) -> Deployment:
    """As `bulkhead l1 deploy` does it."""
    system = contracts_of(venue.config, SMALL, PROFILE)
    beginning = beginning_of(venue.config, TimeMs(START_MS), council=str(DEPLOYER.address), fee=1000)
    return deploy(chain, DEPLOYER, [system], beginning)
