"""Claims on L1: what custody has paid is what withdrawals say, and what L1 takes back goes back."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import inspect, select, update

from bulkhead.ledger.authority import Authority
from bulkhead.node import finality
from bulkhead.node.claims import CLAIMABLE, COMPLETED, IN_PROGRESS, Withdrawals, of_status, status_of, with_claims
from bulkhead.node.exchange import Exchange
from bulkhead.node.finality import Progress, claims_from, noted
from bulkhead.node.replay import read_genesis
from bulkhead.node.settling.events import Reorganised
from bulkhead.node.settling.store import FOLDER, SCHEMA
from bulkhead.node.settling.watch import Watch
from bulkhead.node.store.database import Database
from bulkhead.node.store.keeper import Store, rows_of
from bulkhead.node.store.rebuild import catch_up
from bulkhead.node.store.staging import Row, Staged
from bulkhead.node.store.tables import claims, operations
from bulkhead.units import TimeMs
from tests.bridge.chains import DEPOSITOR, STRANGER
from tests.node.exchange_world import small_config
from tests.node.settling_world import BATCHES, DOLLAR, NOW_MS, RECIPIENT, TERMS, World, run, world
from tests.programs import L1_KINDS

pytestmark = pytest.mark.usefixtures("settling_profile")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at whenever somebody asks."""
    monkeypatch.setattr(finality, "AGE_S", -1.0)


@pytest.fixture(params=L1_KINDS)
def at(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """Two proven batches, and a chain that makes a block for each transaction."""
    with world(tmp_path, request.param) as made:
        yield made


class Tables:
    """Derived tables of an exchange's folder, and who follows its settlement. `told` are statuses that were told."""

    def __init__(self, folder: Path, file: Path) -> None:
        self.folder, self.told = folder, []  # type: tuple[Path, list[str]]
        self.database = Database(f"sqlite:///{file}")
        config = read_genesis(folder).config
        exchange = Exchange.open(folder, config, TimeMs(0))
        catch_up(exchange.journal, self.database)
        exchange.close()
        self.store = Store(self.database, config, Authority(config, verify=False))
        self.begin()

    def begin(self) -> None:
        """As a node that starts."""
        self.withdrawals = Withdrawals(self.store, lambda: Progress(self.folder))
        self.withdrawals.listeners.append(self._hear)

    def _hear(self, rows: list[Row]) -> None:
        self.told += [status_of(row, self.withdrawals.settled) for row in rows]

    def look(self) -> Row:
        """The one withdrawal, with its status."""
        settled = asyncio.run(self.withdrawals.look())
        query = with_claims().where(operations.c.type == "SLOW_WITHDRAWAL")
        [row] = rows_of(self.database, query)
        status = status_of(row, settled)
        matching = [one for one in (IN_PROGRESS, CLAIMABLE, COMPLETED) if self._count(one, settled)]
        assert matching == [status], "the condition and the word are one"
        return {**row, "status": status}

    def _count(self, status: str, settled: int) -> int:
        asked = of_status(status, settled)
        return len(rows_of(self.database, with_claims().where(operations.c.type == "SLOW_WITHDRAWAL", asked)))


def claim(at: World, recipient: str) -> Any:
    """Anybody may; the receipt."""
    return at.deployment.contract(at.chain, "custody").transact(STRANGER, "claim", recipient)


def test_a_withdrawal_is_completed_by_its_claim_and_goes_back_with_l1(at: World, tmp_path: Path) -> None:
    here = Tables(at.folder, tmp_path / "derived.sqlite")
    assert here.look()["status"] == IN_PROGRESS
    beginning = at.chain.ask("evm_snapshot")
    with at.service() as service:
        while at.batches() < 1:
            service.step(NOW_MS)
        claim(at, str(DEPOSITOR.address))  # a refund of batch 1, before batch 2 has settled
        run(service)
        assert here.look()["status"] == CLAIMABLE and here.told == [CLAIMABLE]
        unclaimed = at.chain.ask("evm_snapshot")
        receipt = claim(at, RECIPIENT)
        run(service)
        row = here.look()
        assert (row["status"], row["claim_block"]) == (COMPLETED, receipt.block) and here.told[1:] == [COMPLETED]
        block = at.chain.block(receipt.block)
        assert block is not None and row["claim_ms"] == 1000 * block.time_s
        assert row["claim_hash"] == f"0x{receipt.hash.hex()}"
        found = claims_from(at.folder, 0)
        assert found is not None
        assert [(one.recipient, one.amount, one.batch) for one in found] == [
            (str(DEPOSITOR.address).lower(), 3 * DOLLAR, 1), (RECIPIENT, 250 * DOLLAR, 2)
        ]  # fmt: skip
        at.chain.ask("evm_revert", unclaimed)
        unclaimed = at.chain.ask("evm_snapshot")  # a node goes back to one once
        assert any(isinstance(each, Reorganised) for each in run(service))
        assert here.look()["status"] == CLAIMABLE and here.told[2:] == [CLAIMABLE]
        at.mine()
        again = claim(at, RECIPIENT)
        run(service)
        assert (row := here.look())["status"] == COMPLETED and row["claim_block"] == again.block == receipt.block + 1
        at.chain.ask("evm_revert", beginning)
        while at.batches() < 1:  # the whole history again, without claims
            service.step(NOW_MS)
        assert here.look()["status"] == IN_PROGRESS and here.told[3:] == [COMPLETED, IN_PROGRESS]
        run(service)
        assert here.look()["status"] == CLAIMABLE and here.told[5:] == [CLAIMABLE]


class Paid(NamedTuple):
    """An embedded L1 where both batches are settled and the withdrawal is claimed; `seen`: whether the claim was, in
    its block and in each of the two after it, by a service that asks for three."""

    at: World
    seen: list[bool]


@pytest.fixture(scope="module")
def paid(settling_profile: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paid]:
    with world(tmp_path_factory.mktemp("paid")) as at:
        seen = []
        with at.service(terms=TERMS._replace(confirmations=3)) as service:
            while at.batches() < BATCHES:
                service.step(NOW_MS)
            claim(at, RECIPIENT)
            for _ in range(3):
                run(service)
                found = noted(at.folder)
                seen.append(found is not None and found.claim > 0)
                at.mine()
        yield Paid(at, seen)


def test_a_claim_counts_when_so_many_blocks_hold_it(paid: Paid) -> None:
    assert paid.seen == [False, False, True]


def test_claims_in_blocks_that_an_older_version_read_are_caught_up_on(
    paid: Paid, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at, before = paid.at, noted(paid.at.folder)
    with closing(sqlite3.connect(at.folder / FOLDER / "state.sqlite")) as file:
        file.execute("DELETE FROM told WHERE kind = 'claimed'")
        file.execute("DELETE FROM meta WHERE name = 'claims to'")
        file.commit()
    here = Tables(at.folder, tmp_path / "derived.sqlite")
    assert here.look()["status"] == CLAIMABLE
    monkeypatch.setattr("bulkhead.node.settling.watch.BLOCKS_MAX", 5)  # in several steps
    with at.service() as service:
        assert len(run(service)) > 2
        assert here.look()["status"] == COMPLETED and noted(at.folder) == before
        assert run(service) == [], "and read once"


def test_tables_that_are_made_anew_or_begin_late_have_the_same_claims(paid: Paid, tmp_path: Path) -> None:
    here = Tables(paid.at.folder, tmp_path / "derived.sqlite")
    assert here.look()["status"] == COMPLETED
    kept = rows_of(here.database, select(claims))
    with here.database.engine.begin() as connection:
        connection.execute(update(claims).values(recipient=f"0x{7:040x}"))
    here.begin()
    assert here.look()["status"] == COMPLETED and rows_of(here.database, select(claims)) == kept
    here.database.forget()
    late = Tables(paid.at.folder, tmp_path / "derived.sqlite")
    assert late.look()["status"] == COMPLETED and rows_of(late.database, select(claims)) == kept


def test_notes_that_cannot_be_read_change_nothing(paid: Paid, tmp_path: Path) -> None:
    folder = paid.at.folder
    here = Tables(folder, tmp_path / "derived.sqlite")
    progress = Progress(folder)
    here.withdrawals = Withdrawals(here.store, lambda: progress)
    assert here.look()["status"] == COMPLETED and progress.final == BATCHES
    path = folder / FOLDER / "state.sqlite"
    octets = path.read_bytes()
    path.write_bytes(b"no database at all" * 100)
    try:
        assert claims_from(folder, 0) is None and noted(folder) is None
        assert progress.final == BATCHES and here.look()["status"] == COMPLETED
    finally:
        path.write_bytes(octets)
    assert here.look()["status"] == COMPLETED


class _Logged:
    """A contract that has told what a test says, in blocks that last a second each."""

    def __init__(self, *events: tuple[str, int, int, dict[str, Any]]) -> None:
        self.events = [_Event(*one) for one in events]


class _Log:
    def __init__(self, block: int, place: int) -> None:
        self.block, self.place, self.transaction = block, place, bytes([block, place])


class _Event:
    def __init__(self, name: str, block: int, place: int, values: dict[str, Any]) -> None:
        self.name, self.values, self.log = name, values, _Log(block, place)


def test_in_one_block_the_order_of_logs_decides_what_a_claim_pays(tmp_path: Path) -> None:
    """Before the batch that settles in its block, a claim pays what was owed before."""

    class Chain:
        def block(self, number: int) -> Any:
            return type("Block", (), {"time_s": number})

    class Kept:
        def settled_before(self, block: int) -> int:
            return {9: 3}[block]

    told = _Logged(
        ("Claimed", 9, 7, {"recipient": RECIPIENT, "amount": 5}),
        ("Claimed", 9, 5, {"recipient": RECIPIENT, "amount": 4}),
        ("Settled", 9, 6, {"number": 4}),
    )
    watch: Any = Watch.__new__(Watch)
    watch.chain, watch.store = Chain(), Kept()
    found = watch._claims(9, told.events)
    assert [(one.body["amount"], one.body["batches"]) for one in found] == [(4, 3), (5, 4)]
    assert [one.number for one in found] == [9 << 24 | 5, 9 << 24 | 7]


def test_a_database_of_an_older_version_gets_the_table(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    url = f"sqlite:///{tmp_path / 'derived.sqlite'}"
    made = Database(url)
    config = Config()
    config.set_main_option("script_location", "src/bulkhead/node/store/migrations")
    with made.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0002")
    assert "claims" not in inspect(made.engine).get_table_names()
    made.close()
    again = Database(url)
    looked = inspect(again.engine)
    assert "claims" in looked.get_table_names()
    names = {one["name"] for one in looked.get_indexes("operations")}
    assert {"operations_of_account", "operations_of_recipient", "operations_by_sequence"} == names
    again.close()


def test_a_recipient_of_many_claims_and_one_of_none(tmp_path: Path) -> None:
    """Each withdrawal has the first claim after its batch, and nobody else's."""
    folder = tmp_path / "exchange"
    exchange = Exchange.open(folder, small_config(), TimeMs(1))
    exchange.close()
    here = Tables(folder, tmp_path / "derived.sqlite")
    one, other = f"0x{1:040x}", f"0x{2:040x}"
    paying = {10: one, 20: other, 25: one, 30: one, 35: one}
    rows = [_operation(sequence, recipient) for sequence, recipient in paying.items()]
    ends = [{"batch": each, "sealed_ms": 0, "sequence_first": 0, "sequence_last": 10 * each, "commands": 1}
            for each in (1, 2, 3)]  # fmt: skip
    here.database.write(Staged({"operations": rows, "batches": ends}, {}))
    (folder / FOLDER).mkdir()
    with closing(sqlite3.connect(folder / FOLDER / "state.sqlite")) as file:
        file.executescript(SCHEMA)
        file.execute("INSERT INTO told VALUES ('settled', 3, 30, '{}')")
        for block, batch in ((12, 1), (33, 3), (34, 3)):
            body = {"recipient": one, "amount": 1, "batches": batch, "time_s": block, "transaction": hex(block)}
            row = ("claimed", block << 24, block, json.dumps(body))
            file.execute("INSERT INTO told VALUES (?, ?, ?, ?)", row)
        file.commit()
    settled = asyncio.run(here.withdrawals.look())
    found = rows_of(here.database, with_claims().order_by(operations.c.sequence))
    told = [(row["sequence"], status_of(row, settled), row["claim_block"]) for row in found]
    assert told == [
        (10, COMPLETED, 12), (20, CLAIMABLE, None), (25, COMPLETED, 33), (30, COMPLETED, 33), (35, IN_PROGRESS, None)
    ]  # fmt: skip


def _operation(sequence: int, recipient: str) -> Row:
    return {
        "operation_id": sequence, "account_id": 128, "type": "SLOW_WITHDRAWAL", "status": IN_PROGRESS, "amount": -1,
        "fee": 0, "asset_id": 1, "counterparty_id": 0, "recipient": recipient, "hash": "", "time_ms": 0,
        "sequence": sequence,
    }  # fmt: skip
