"""`bulkhead prove` and `bulkhead verify`, as a user and an attacker of the verifier type them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bulkhead.cli.main import app
from bulkhead.ledger.config import VenueConfig
from bulkhead.node.proof_file import Proofs, read_proof, write_proof
from bulkhead.node.records import GENESIS
from bulkhead.node.replay import GENESIS_FILE, read_genesis
from tests.node.proving_world import journal, proven


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An exchange whose second batch is proven."""
    folder = tmp_path / "venue"
    shutil.copytree(journal(), folder, ignore=shutil.ignore_patterns("proofs"))
    proofs = Proofs(folder / "proofs")
    with proofs.locked():
        write_proof(proofs.path(2, "test"), proven())
    return folder


def proof_in(folder: Path) -> Path:
    return folder / "proofs" / "batch-0000000002.test.proof"


def test_verify_says_what_is_proven_of_which_venue(folder: Path) -> None:
    result = run("verify", proof_in(folder), "--bits", 10)
    assert result.exit_code == 0, result.output
    record = proven()
    for words in (
        "'BH_1337_local'",
        f"{record.config:#066x}",
        "2, with 3 transactions",
        "2023-11-14 22:13:20 UTC to 2023-11-14 22:13:23 UTC",
        f"{record.statement[0]:#066x}",
        "account 320 is credited 0.000001 USD",
        "0xabc on L1 is paid 250.000000 USD",
        f"{len(record.proof):,} bytes",
        record.key.hex(),
        "11.9 bits, proven (profile test)",
        "verified in",
    ):
        assert words in result.output, words


def test_verify_takes_the_venue_from_a_journal_or_a_file(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone.proof"
    shutil.copy(proof_in(folder), alone)
    result = run("verify", alone, "--bits", 10)
    assert result.exit_code == 1 and "--journal FOLDER or --config FILE" in result.output
    for option in (("--journal", folder), ("--config", folder / GENESIS_FILE)):
        assert run("verify", alone, *option, "--bits", 10).exit_code == 0
    both = run("verify", alone, "--journal", folder, "--config", folder / GENESIS_FILE)
    assert both.exit_code == 1 and "name the venue twice" in both.output
    nowhere = run("verify", alone, "--journal", tmp_path / "nowhere")
    assert nowhere.exit_code == 1 and "cannot be read" in nowhere.output


def test_verify_refuses_with_a_reason(folder: Path, tmp_path: Path) -> None:
    weak = run("verify", proof_in(folder))
    assert weak.exit_code == 1 and "worth 11.9 bits, and 100 are asked for" in weak.output
    record = read_proof(proof_in(folder))
    spoilt = tmp_path / "spoilt.proof"
    write_proof(spoilt, record._replace(proof=record.proof[:-32]))
    false = run("verify", spoilt, "--journal", folder, "--bits", 10)
    assert false.exit_code == 1 and "refused: the proof does not hold: step 8 queries" in false.output
    spoilt.write_bytes(b"\x00" * 40)
    nothing = run("verify", spoilt, "--journal", folder)
    assert nothing.exit_code == 1 and "is not the proof of a batch" in nothing.output
    other: VenueConfig = read_genesis(folder).config._replace(chain_id="BH_1_other")
    config = tmp_path / "other.bin"
    config.write_bytes(GENESIS.encode(read_genesis(folder)._replace(config=other)))
    elsewhere = run("verify", proof_in(folder), "--config", config, "--bits", 10)
    assert elsewhere.exit_code == 1 and "of another venue: 'BH_1337_local'" in elsewhere.output
    for result in (weak, false, nothing, elsewhere):
        assert "Traceback" not in result.output


def test_prove_leaves_what_is_proven_and_copies_it_where_asked(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.proof"
    result = run("prove", "--journal", folder, "--batch", 2, "--profile", "test", "--out", out)
    assert result.exit_code == 0, result.output
    assert "batch 2 was proven before" in result.output.replace("\n", "")
    assert "without a proof of profile test: 2" in result.output
    assert read_proof(out) == proven()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--batch", "9"), "has 3 sealed batches: there is none of number 9"),
        (("--profile", "certain"), "'certain' is no profile; there are standard, high, onchain, test"),
        (("--out", "x"), "--out goes with --batch, and --follow with neither"),
        (("--batch", "1", "--follow"), "--out goes with --batch, and --follow with neither"),
    ],
)
def test_prove_names_what_it_cannot_do(folder: Path, arguments: tuple[str, ...], reason: str) -> None:
    result = run("prove", "--journal", folder, *arguments)
    assert result.exit_code == 1 and reason in result.output and "Traceback" not in result.output


def test_prove_says_so_where_there_is_no_exchange(tmp_path: Path) -> None:
    result = run("prove", "--journal", tmp_path)
    assert result.exit_code == 1 and "holds no exchange" in result.output
