"""The same prover on a Ray cluster: here on one that lives on this machine for the length of the test."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from bulkhead.node.batches import batch_of
from bulkhead.node.cluster import ClusterError, ClusterPool
from bulkhead.node.proof_file import read_proof
from bulkhead.node.proving import Outcome, Prover
from bulkhead.node.vouch import check
from bulkhead.node.workers import Died, Progressed, Word
from tests.node.proving_world import PROFILE, journal


def provers() -> list[int]:
    """Processes of the cluster that are at work on a batch; Ray names them after the function."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"ray::work_remotely" in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def test_batches_are_proven_on_a_cluster_and_a_death_costs_only_one(tmp_path: Path) -> None:
    folder = tmp_path / "venue"
    shutil.copytree(journal(), folder)
    pool = ClusterPool("local", 2, 1)
    deaths: list[Died] = []
    killed: list[int] = []
    outcomes: dict[int, Outcome] = {}
    steps: set[str] = set()

    def report(word: Word | Outcome) -> None:
        if isinstance(word, Progressed):
            steps.add(word.step)
            for process in () if killed else provers()[:1]:
                os.kill(process, signal.SIGKILL)
                killed.append(process)
        if isinstance(word, Died):
            deaths.append(word)
        if isinstance(word, Outcome):
            outcomes[word.number] = word

    prover = Prover(folder, PROFILE, pool, report)
    try:
        prover.catch_up()
    finally:
        pool.close()
    assert len(killed) == len(deaths) == 1 and len(steps) > 1
    for number in (2, 3):
        path = outcomes[number].path
        assert path is not None
        assert check(read_proof(path), batch_of(folder, number).before.config, 10).said.batch == number


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:99999", "auto", "nonsense"])
def test_a_cluster_that_does_not_answer_is_named(address: str) -> None:
    with pytest.raises(ClusterError, match=f"no Ray cluster answers at {address}"):
        ClusterPool(address)
