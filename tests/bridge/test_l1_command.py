"""`bulkhead l1`: from an exchange's folder to contracts on a chain, looked at later, and from another process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import stark.estimate
from bulkhead import private
from bulkhead.bridge.artifacts import write_system
from bulkhead.bridge.chain import Chain
from bulkhead.bridge.open import NotHere, open_chain
from bulkhead.bridge.record import read_record
from bulkhead.circuit.venue import provable
from bulkhead.cli.main import app
from bulkhead.ledger.batch import Sealer
from bulkhead.ledger.defaults import default_config
from bulkhead.ledger.state import genesis
from bulkhead.node.replay import write_genesis
from bulkhead.units import Felt, TimeMs
from tests.bridge.chains import DEPLOYER, KINDS, START_S, running
from tests.bridge.world import system

CONFIG = default_config((Felt(2), Felt(3), Felt(4)), Felt(5))
TIME_MS = TimeMs(1_790_000_000_000)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An exchange that has not begun, and the contracts of a small key."""
    for name in ("BULKHEAD_L1", "BULKHEAD_L1_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    write_genesis(tmp_path / "exchange", CONFIG, TIME_MS)
    write_system(tmp_path / "contracts.json", system())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_shapes_are_chosen_by_name_and_refused_where_they_do_not_fit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is compiled or deployed."""
    write_genesis(folder / "provable", provable(CONFIG), TIME_MS)
    deploying = ["l1", "deploy", "--exchange", "provable"]
    told = run(*deploying, "--shape", "small", "--shape", "huge", code=1)
    assert "'huge' is no shape of a batch; there are small, middle, large" in told
    monkeypatch.setattr(stark.estimate, "memory_bytes", lambda: 4 << 30)
    told = run(*deploying, "--shape", "large", code=1)
    assert "--shape large: the key of shape large needs" in told and "and there are 4.0 GiB" in told
    assert not (folder / "l1/deployment.json").exists()


DEPLOY = ["l1", "deploy", "--exchange", "exchange", "--artifacts", "contracts.json"]


def run(*arguments: str, code: int = 0) -> str:
    """What a command says, with the status that is expected."""
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == code, result.output
    return result.output


def test_deploy_and_status(folder: Path) -> None:
    told = run(*DEPLOY, "--fee", "1000")
    assert "no key was named: made one in l1/chain.key" in told and "deployed Rollup at 0x" in told
    assert (folder / "l1/chain.key").stat().st_mode & 0o777 == 0o600
    record = read_record(folder / "l1/deployment.json")
    told = run("l1", "status")
    state = Sealer(genesis(CONFIG, TIME_MS)).root
    for expected in (
        record.token.address, record.custody.address, record.rollup.address, record.door(1, 7).reader.address,
        f"{state:#066x}", f"{TIME_MS:,}", "1,000", f"key 0x{record.door(1, 7).key}", "0 smallest units of the token",
    ):  # fmt: skip
        assert expected in told
    assert "is there: it is of a deployment" in run(*DEPLOY, code=1)
    again = run(*DEPLOY, "--overwrite", "--token", record.token.address)
    assert "deployed Token" not in again
    assert read_record(folder / "l1/deployment.json").token == record.token
    assert read_record(folder / "l1/deployment.json").rollup != record.rollup


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "embedded"])
def test_a_node_by_url(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(kind) as chain:
        url = str(chain.provider.endpoint_uri)  # type: ignore[attr-defined]
        monkeypatch.setenv("BULKHEAD_L1", url)
        assert "give --key-file, or set BULKHEAD_L1_KEY" in run(*DEPLOY, code=1)
        private.write(folder / "key", b"0x12")
        assert "not a private key" in run(*DEPLOY, "--key-file", "key", code=1)
        monkeypatch.setenv("BULKHEAD_L1_KEY", DEPLOYER.key.hex())
        run(*DEPLOY)
        assert read_record(folder / "l1/deployment.json").deployer == DEPLOYER.address
        assert "smallest units" in run("l1", "status")
        # The reader of the record is not the one that the rollup takes any more: said aloud, and by the exit status.
        path = folder / "l1/deployment.json"
        record = read_record(path)
        text = path.read_text().replace(record.door(1, 7).reader.address, record.token.address)
        path.write_text(text)
        told = run("l1", "status", code=1)
        assert "not the record's reader" in told and "another contract than the one of the record" in told
    assert "no answer to eth_chainId" in run("l1", "status", code=1)


def test_what_is_missing_is_named(folder: Path) -> None:
    assert "holds no exchange" in run("l1", "deploy", "--exchange", "nowhere", "--artifacts", "contracts.json", code=1)
    told = run("l1", "deploy", "--exchange", "exchange", "--artifacts", "nothing.json", code=1)
    assert "holds no compiled contracts" in told
    assert "no embedded chain is here" in run("l1", "status", code=1)
    told = run("l1", "deploy", "--exchange", "exchange", "--profile", "x", code=1)
    assert "is no profile; there are standard" in told
    told = run("l1", "deploy", "--exchange", "exchange", "--escape", "x", code=1)
    assert "an escape of 'x' statements: there are usual, large ones" in told
    told = run("l1", "deploy", "--exchange", "exchange", code=1)
    assert "exchange: a venue that settles with proofs has" in told and not (folder / "l1").exists()
    for option in ("--council", "--token"):
        for text in ("0x12", "0x" + "aB" * 20):
            assert f"{option}: {text!r} is no address" in run(*DEPLOY, option, text, code=1)
    assert "is a node already" in run("l1", "serve", "--l1", "http://127.0.0.1:1", code=1)
    (folder / "l1").mkdir(exist_ok=True)
    (folder / "l1/chain.sqlite").write_text("something else, and longer than a header of a database would be" * 20)
    assert "not an embedded chain, or damaged" in run("l1", "status", code=1)


def test_serve_is_reached_from_another_process(folder: Path) -> None:
    run(*DEPLOY)
    command = [sys.executable, "-m", "bulkhead.cli.main", "l1", "serve", "--port", "0", "--block-s", "1"]
    command[1:3] = ["-c", "from bulkhead.cli.main import main; main()"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        chain = Chain.connect(line.split()[-1])
        record = read_record(folder / "l1/deployment.json")
        assert record.contract(chain, "rollup").call("batches") == 0
        assert "is open in another process" in run("l1", "serve", code=1)
        assert "Addresses" in run("l1", "status")  # reading does not need the writer's leave
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0


def test_a_python_that_is_too_new_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As on Python 3.13, where the specification is not installed."""
    for name in [name for name in sys.modules if name.startswith("bulkhead.bridge.embedded")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ethereum", None)
    for name in [name for name in sys.modules if name.startswith("ethereum.")]:
        monkeypatch.delitem(sys.modules, name)
    with (
        pytest.raises(NotHere, match="needs Python 3.11 or 3.12"),
        open_chain(str(tmp_path / "chain"), lambda: START_S),
    ):
        pass
