"""The batch prover: resumes, counts deaths, holds up nothing, and never proves twice what is on the disk."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkhead.circuit.frame import Mismatch
from bulkhead.circuit.trace import Tables
from bulkhead.circuit.venue import NotProvable
from bulkhead.ledger.tx import Deposit
from bulkhead.node import prove_batch
from bulkhead.node.batches import JournalledBatch, batch_of
from bulkhead.node.cluster import ClusterError, ClusterPool
from bulkhead.node.proof_file import ProofFileError, read_proof, write_proof
from bulkhead.node.prove_batch import Unprovable
from bulkhead.node.proving import ATTEMPTS_MAX, Outcome, Prover, lag
from bulkhead.node.vouch import check
from bulkhead.node.workers import Died, Job, LocalPool, Progressed, Proven, Refused, Word, Worker, work
from tests.node.proving_world import PROFILE, SECOND, STEPS_TOLD, THIRD, Venue, journal, proven, write_journal


class ToldPool:
    """A pool of two places that proves nothing: it says what a test tells it to, and a batch unspoken of is proven."""

    def __init__(self, told: dict[int, list[Word]] | None = None):
        self.told = told or {}
        self.started: list[JournalledBatch] = []
        self.running: list[int] = []
        self.most = 0

    @property
    def free(self) -> int:
        return 2 - len(self.running)

    def start(self, batch: JournalledBatch, profile: str) -> None:
        assert profile == PROFILE and self.free
        self.started.append(batch)
        self.running.append(batch.number)
        self.most = max(self.most, len(self.running))

    def wait(self, timeout_s: float) -> list[Word]:
        number = self.running[-1]  # the later one is done first
        words = self.told.get(number)
        if words:
            word = words.pop(0)
        else:
            batch = next(batch for batch in self.started if batch.number == number)
            word = Proven(number, proven()._replace(batch=number, history=batch.chain))
        if not isinstance(word, Progressed):
            self.running.remove(number)
        return [word]

    def close(self) -> None:
        self.running.clear()


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    """An exchange that runs, with three batches."""
    made = write_journal(tmp_path / "venue")
    yield made
    made.exchange.close()


@pytest.fixture
def folder(venue: Venue) -> Path:
    """Its folder."""
    return venue.exchange.journal.directory


def numbers(outcomes: list[Outcome]) -> dict[int, bool]:
    """Of each batch whether it was proven now."""
    assert all(outcome.path is not None for outcome in outcomes)
    return {outcome.number: outcome.seconds > 0 for outcome in outcomes}


def test_batches_are_proven_beside_a_running_exchange_and_never_twice(venue: Venue, folder: Path) -> None:
    pool = ToldPool()
    prover = Prover(folder, PROFILE, pool)
    assert prover.lag() == lag(folder, 3, PROFILE) == 3
    assert numbers(prover.catch_up()) == {1: True, 2: True, 3: True}
    assert pool.most == 2 and prover.lag() == 0
    venue.batch("wait 1s; deposit maker 3 ok")
    assert prover.lag() == lag(folder, venue.exchange.state.counters.batches, PROFILE) == 1
    assert numbers(prover.catch_up()) == {4: True}
    assert prover.catch_up() == []
    again = Prover(folder, PROFILE, ToldPool({number: [Died(number, "must not be started")] for number in range(9)}))
    assert numbers(again.catch_up()) == dict.fromkeys((1, 2, 3, 4), False)
    assert numbers([again.prove(3)]) == {3: False}
    assert Prover(folder, "standard", ToldPool()).lag() == 4  # another profile is another proof


def test_a_prover_begins_at_a_snapshot_behind_which_all_is_unproven(venue: Venue, folder: Path) -> None:
    prover = Prover(folder, PROFILE, ToldPool())
    prover.catch_up()
    venue.exchange.snapshot()
    venue.batch("wait 1s; deposit maker 3 ok")
    prover.catch_up()
    venue.batch("wait 1s; deposit maker 4 ok")
    venue.batch("wait 1s; deposit maker 5 ok")
    again = Prover(folder, PROFILE, ToldPool())
    assert again.lag() == 2
    assert numbers(again.catch_up()) == {5: True, 6: True}  # of those before, it was enough to see the files


def test_a_batch_without_a_proof_holds_up_no_other_and_stays_visible(folder: Path) -> None:
    heard: list[Word | Outcome] = []
    pool = ToldPool({2: [Progressed(2, "tables", 0.0), Refused(2, "no circuit")]})
    prover = Prover(folder, PROFILE, pool, heard.append)
    found = {outcome.number: outcome for outcome in prover.catch_up()}
    assert found[2].path is None and found[2].reason == "no circuit"
    assert found[1].path and found[3].path
    assert prover.lag() == 1
    assert heard.index(Progressed(2, "tables", 0.0)) < heard.index(Refused(2, "no circuit")) < heard.index(found[2])
    assert len(pool.started) == 3  # trying again would not help


def test_a_death_costs_the_batch_an_attempt(folder: Path) -> None:
    death = Died(2, "its process ended with exit status -9")
    pool = ToldPool({2: [death] * (ATTEMPTS_MAX - 1)})
    assert numbers(Prover(folder, PROFILE, pool).catch_up()) == {1: True, 2: True, 3: True}
    assert [batch.number for batch in pool.started].count(2) == ATTEMPTS_MAX
    shutil.rmtree(folder / "proofs")
    pool = ToldPool({2: [death] * ATTEMPTS_MAX})
    found = {outcome.number: outcome for outcome in Prover(folder, PROFILE, pool).catch_up()}
    assert found[2].path is None and found[2].reason == f"{death.reason}, 3 times"
    assert found[3].path is not None


def test_proofs_of_another_history_are_not_taken_for_this_ones(folder: Path) -> None:
    prover = Prover(folder, PROFILE, ToldPool())
    with prover.proofs.locked():
        write_proof(prover.proofs.path(2, PROFILE), proven()._replace(history=bytes(32)))
    with pytest.raises(ProofFileError, match="of another history than this journal's: move it away"):
        prover.catch_up()


def test_one_prover_works_on_a_journal(folder: Path) -> None:
    prover = Prover(folder, PROFILE, ToldPool())
    with prover.proofs.locked(), pytest.raises(ProofFileError, match="another prover"):
        Prover(folder, PROFILE, ToldPool()).catch_up()
    assert len(prover.catch_up()) == 3


def test_it_follows_the_exchange(venue: Venue, folder: Path) -> None:
    prover = Prover(folder, PROFILE, ToldPool())
    looks = iter(range(3))

    def is_over() -> bool:
        look = next(looks, None)
        if look is not None:
            venue.batch(f"wait 1s; deposit maker {look + 1} ok")
        return look is None

    prover.follow(0.0, is_over)
    assert prover.proofs.proven(PROFILE) == set(range(1, 7))


# --- one batch --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_proven_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = batch_of(journal(), 2)
    for raised, reason in (
        (NotProvable("transaction 0 of the batch: Register has no circuit yet"), "Register has no circuit yet"),
        (Mismatch("record 5, word 3: the ledger has 1"), "record 5, word 3"),
        (ValueError("40 deposits: a batch of this shape holds 16"), "no shape of the circuit holds the batch .40 dep"),
    ):

        def fail(*_: object, raised: Exception = raised) -> Tables:
            raise raised

        monkeypatch.setattr(prove_batch, "tables_of", fail)
        with pytest.raises(Unprovable, match=reason):
            prove_batch.prove_batch(batch, PROFILE, 1, lambda step, share: None)
    monkeypatch.undo()

    answer = work(Job(batch, PROFILE, 1, 1 << 20), lambda word: None)
    assert isinstance(answer, Refused) and "GiB and there are 0.0 GiB" in answer.reason
    monkeypatch.setattr(prove_batch, "prove", lambda *_, **__: bytes(100))
    answer = work(Job(batch, PROFILE, 1), lambda word: None)
    assert isinstance(answer, Refused) and "ledger and circuit disagree" in answer.reason
    monkeypatch.setattr(prove_batch, "prove", lambda *_, **__: 1 / 0)
    answer = work(Job(batch, PROFILE, 1), lambda word: None)
    assert answer == Refused(2, "the prover failed: ZeroDivisionError: division by zero")


def test_the_smallest_shape_that_holds_a_batch_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    small = prove_batch.SHAPES[0]
    tiny, larger = small._replace(number=7, log_rules=1), small._replace(number=8, log_rules=small.log_rules + 1)
    monkeypatch.setattr(prove_batch, "SHAPES", (larger, small, tiny))
    batch = batch_of(journal(), 2)
    shape, _ = prove_batch.fill(batch, "onchain")
    assert shape == small
    for chosen, expected in (((larger, small, tiny), small), ((larger,), larger), ((tiny, larger), larger)):
        assert prove_batch.fill(batch, "onchain", 1, chosen)[0] == expected
    answer = work(Job(batch, "onchain", 1, 1, (tiny,)), lambda word: None)
    assert isinstance(answer, Refused) and "no shape of the circuit holds the batch" in answer.reason


def test_steps_are_told_in_order_and_end_near_the_whole() -> None:
    assert proven().batch == 2
    shares = [share for _, share in STEPS_TOLD]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] == 1.0
    assert list(dict.fromkeys(step for step, _ in STEPS_TOLD))[:3] == ["tables", "key", "2 trace"]


def test_a_cluster_needs_ray_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match="pip install 'bulkhead.cluster.'"):
        ClusterPool("auto")


def test_pools_have_room() -> None:
    for make in (LocalPool, lambda *sizes: ClusterPool("auto", *sizes)):
        for sizes in ((0, 1), (1, 0), (-1, 1)):
            with pytest.raises(ValueError, match="prove nothing"):
                make(*sizes)


# --- processes that are killed ----------------------------------------------------------------------------------------


def test_a_worker_that_is_killed_mid_proof_costs_only_its_batch(tmp_path: Path) -> None:
    shutil.copytree(journal(), tmp_path / "venue")
    folder = tmp_path / "venue"
    pool = LocalPool(1, 2)
    killed: list[int] = []
    outcomes: dict[int, Outcome] = {}
    deaths: list[Died] = []

    def report(word: Word | Outcome) -> None:
        if isinstance(word, Progressed) and word.step.startswith("2") and not killed:
            process = pool.busy[word.number].process
            assert process.pid is not None and process.pid != os.getpid()
            os.kill(process.pid, signal.SIGKILL)
            killed.append(word.number)
        if isinstance(word, Died):
            deaths.append(word)
        if isinstance(word, Outcome):
            outcomes[word.number] = word

    prover = Prover(folder, PROFILE, pool, report)
    try:
        prover.prove(2)
        (process,) = [worker.process for worker in pool.idle]  # a second one, kept for another batch
    finally:
        pool.close()
    assert not process.is_alive()
    assert killed == [2] and deaths == [Died(2, "its process ended with exit status -9")]
    path = outcomes[2].path
    assert path is not None
    assert check(read_proof(path), batch_of(folder, 2).before.config, 10).said.batch == 2
    assert prover.lag() == 2


def test_a_worker_that_died_idle_costs_an_attempt_and_no_more(tmp_path: Path) -> None:
    shutil.copytree(journal(), tmp_path / "venue", ignore=shutil.ignore_patterns("proofs"))
    pool, died = LocalPool(1, 2), Worker()
    died.process.kill()
    died.process.join()
    pool.idle.append(died)
    try:
        outcome = Prover(tmp_path / "venue", PROFILE, pool).prove(1)
    finally:
        pool.close()
    assert outcome.path is not None or "has no circuit yet" in outcome.reason


def test_deposits_of_the_fixture_are_what_the_prover_sees() -> None:
    for number, script in ((2, SECOND), (3, THIRD)):
        batch = batch_of(journal(), number)
        assert sum(isinstance(each, Deposit) for each in batch.transactions) == script.count("deposit")
