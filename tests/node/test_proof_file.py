"""Files of proofs are hostile bytes: each is read as exactly what was written, or refused with a word why."""

from __future__ import annotations

import multiprocessing
import random
from pathlib import Path

import cbor2
import pytest

from bulkhead.node.proof_file import (
    CODEC,
    PROOF_FILE_BYTES_MAX,
    VERSION,
    ProofFile,
    ProofFileError,
    Proofs,
    read_proof,
    write_proof,
)
from bulkhead.units import Felt

RECORD = ProofFile(
    VERSION, 7, "BH_0_test", Felt(1 << 250), b"h" * 32, (1, 9), "test", b"k" * 32, (5, 1 << 200), b"p" * 300
)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.proof"
    write_proof(path, RECORD)
    assert read_proof(path) == RECORD
    assert [one.name for one in tmp_path.iterdir()] == ["a.proof"]
    write_proof(path, RECORD._replace(batch=8))  # another takes its place
    assert read_proof(path).batch == 8


def test_every_cut_and_every_changed_byte_is_refused_or_means_something_else(tmp_path: Path) -> None:
    data, path = CODEC.encode(RECORD), tmp_path / "a.proof"
    draw = random.Random(1)
    spoilt = [data[:cut] for cut in range(len(data))] + [data + b"\0", data + data]
    for place in range(len(data)):
        changed = bytes([data[place] ^ 1 << draw.randrange(8)])
        spoilt.append(data[:place] + changed + data[place + 1 :])
    refused = 0
    for octets in spoilt:
        path.write_bytes(octets)
        try:
            assert read_proof(path) != RECORD
        except ProofFileError as error:
            assert str(path) in str(error)
            refused += 1
    assert refused > len(data)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not the proof of a batch"),
        (b"\xff" * 100, "not the proof of a batch"),
        (b"\x9b" + b"\xff" * 8, "not the proof of a batch"),  # an array of 2**64 items
        (b"\x5b" + b"\xff" * 8, "not the proof of a batch"),  # as many bytes
        (b"\x81" * 10_000, "not the proof of a batch"),  # nested without an end
        (cbor2.dumps(["Genesis", 1]), "unknown record 'Genesis'"),
        (cbor2.dumps(["ProofFile", *RECORD[:-1]]), "9 fields where 10 belong"),
        (cbor2.dumps(["ProofFile", *RECORD[:-1], "text"]), "ProofFile.proof: str where bytes belongs"),
        (cbor2.dumps(["ProofFile", True, *RECORD[1:]]), "ProofFile.version: bool where int belongs"),
        (cbor2.dumps(["ProofFile", *RECORD[:8], [5, None], RECORD[9]]), "ProofFile.statement: an item may not be"),
        (cbor2.dumps(["ProofFile", *RECORD[:8], [5, 1.5], RECORD[9]]), "ProofFile.statement: an item may not be"),
        (CODEC.encode(RECORD._replace(version=2)), "has version 2; this program reads 1"),
    ],
)
def test_what_is_no_proof_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.proof"
    path.write_bytes(content)
    with pytest.raises(ProofFileError, match=reason):
        read_proof(path)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    with pytest.raises(ProofFileError, match="cannot be read: No such file"):
        read_proof(tmp_path / "nothing")
    with pytest.raises(ProofFileError, match="cannot be read: Is a directory"):
        read_proof(tmp_path)
    with pytest.raises(ProofFileError, match="cannot be written: No such file"):
        write_proof(tmp_path / "nowhere" / "a.proof", RECORD)
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(PROOF_FILE_BYTES_MAX * 1_000)  # a hole: it is not read to its end
    with pytest.raises(ProofFileError, match=f"more than {PROOF_FILE_BYTES_MAX}"):
        read_proof(huge)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ProofFileError, match="cannot hold proofs"), Proofs(tmp_path / "file").locked():
        pass


def test_proofs_are_found_by_batch_and_profile(tmp_path: Path) -> None:
    proofs = Proofs(tmp_path / "proofs")
    assert proofs.proven("standard") == set() and proofs.lag(5, "standard") == 5
    with proofs.locked():
        for number in (1, 2, 4, 9):
            write_proof(proofs.path(number, "standard"), RECORD)
        write_proof(proofs.path(3, "test"), RECORD)
    for name in ("batch-0000000005.standard.proof.part", "batch-5.standard.proof", "batch-000000000x.standard.proof"):
        (proofs.folder / name).write_bytes(b"")
    assert proofs.proven("standard") == {1, 2, 4, 9}
    assert (proofs.first_missing("standard"), proofs.first_missing("test")) == (3, 1)
    assert (proofs.lag(5, "standard"), proofs.lag(5, "test"), proofs.lag(0, "standard")) == (2, 4, 0)


def _lock(folder: Path) -> None:
    with Proofs(folder).locked():
        pass


def test_one_prover_at_a_time(tmp_path: Path) -> None:
    with (
        Proofs(tmp_path).locked(),
        pytest.raises(ProofFileError, match="another prover is at work here"),
        Proofs(tmp_path).locked(),
    ):
        pass
    child = multiprocessing.get_context("spawn").Process(target=_lock, args=(tmp_path,))
    child.start()
    child.join(30)
    assert child.exitcode == 0
