"""The prover under kill -9 in the middle of a proof: its workers end, and a second run finishes what was left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from bulkhead.node.proof_file import Proofs, read_proof
from bulkhead.node.proving import Prover
from bulkhead.node.workers import LocalPool
from tests.node.proving_world import PROFILE, journal

COMMAND = "from bulkhead.cli.main import main; main()"
PATIENCE_S = 120.0


def children(pid: int) -> set[int]:
    """Processes that this one started."""
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_prover_that_is_killed_is_resumed(tmp_path: Path) -> None:
    folder = tmp_path / "venue"
    shutil.copytree(journal(), folder)
    proofs = Proofs(folder / "proofs")
    arguments = ["prove", "--journal", str(folder), "--profile", PROFILE, "--threads", "1"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    prover = subprocess.Popen([sys.executable, "-c", COMMAND, *arguments], env=environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE_S
    while 2 not in proofs.proven(PROFILE):  # the third is begun as soon as the second is there
        assert prover.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    workers = children(prover.pid)
    prover.send_signal(signal.SIGKILL)
    prover.wait()
    assert workers and prover.returncode == -signal.SIGKILL
    while any(map(is_running, workers)):  # they end with whoever started them
        assert time.monotonic() < deadline
        time.sleep(0.01)
    there = {number: proofs.path(number, PROFILE) for number in proofs.proven(PROFILE)}
    assert 2 in there and 3 not in there
    kept = {number: (path.stat().st_ino, path.stat().st_mtime_ns) for number, path in there.items()}

    pool = LocalPool(1, 2)
    try:
        outcomes = {outcome.number: outcome for outcome in Prover(folder, PROFILE, pool).catch_up()}
    finally:
        pool.close()
    assert outcomes[2].seconds == 0 and outcomes[3].seconds > 0
    assert {number: (path.stat().st_ino, path.stat().st_mtime_ns) for number, path in there.items()} == kept
    for number in (2, 3):
        assert read_proof(proofs.path(number, PROFILE)).batch == number
