"""Strangers' bytes and unlucky questions: the verifier answers in a little memory, and raises nothing."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from stark import verifier
from stark.air.expr import Leaf, Source
from stark.domain import point_at, shift_of
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import Parameters
from stark.prime import GENERATOR, PRIME, root_of_unity
from stark.proof import Phase, ProofRejected, Reader
from stark.prover import Fixed, prove
from stark.transcript import Transcript
from stark.verifier import bus_challenges, draw_positions, read_commitments, verify
from tests.stark.toy import RESULT, SYSTEM, Case, case

SMALL = Parameters(log_blowup=2, queries=8, grinding_bits=4, log_arity_max=3, log_final=2, part_queries=4)
POINT = 3  # the place of the challenge outside the domain: after the buses' two and the rules' weight


@pytest.fixture(scope="module")
def proven() -> tuple[Fixed, Case, bytes]:
    honest = case(4, 6)
    fixed = prepare(SYSTEM, honest.log_heights, SMALL)
    return fixed, honest, prove(fixed, honest.public, honest.traces)


# --- bytes ------------------------------------------------------------------------------------------------------------


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that is taken meanwhile."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


LONG = 64 << 20


@pytest.mark.parametrize("kind", ["zeros", "an honest head", "an honest proof", "honest words over and over"])
def test_a_proof_of_any_length_takes_no_more_than_an_honest_one(
    proven: tuple[Fixed, Case, bytes], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """64 MiB are refused with the memory of an honest proof, and no more of it is read."""
    fixed, honest, proof = proven
    read: list[int] = []
    original = Reader.words

    def words(self: Reader, count: int) -> bytes:
        read.append(count)
        return original(self, count)

    monkeypatch.setattr(Reader, "words", words)
    usual = peak_bytes(lambda: verify(fixed.key, honest.public, proof))
    most = 32 * sum(read)
    assert most == len(proof)
    read.clear()
    start = {"zeros": b"", "an honest head": proof[:4096], "an honest proof": proof}.get(
        kind, proof * (LONG // len(proof))
    )
    long = start + bytes(LONG - len(start))
    answer: list[ProofRejected | None] = []
    assert peak_bytes(lambda: answer.append(verify(fixed.key, honest.public, long))) < usual + (64 << 10)
    assert isinstance(answer[0], ProofRejected)
    assert 32 * sum(read) <= most


@pytest.mark.parametrize("data", [b"", b"\0", bytes(31), bytes(32), b"\xff" * 32, b"\xff" * 100_000, bytes(100_000)])
@pytest.mark.parametrize("hash_name", ["keccak", "poseidon"])
def test_bytes_that_are_no_proof_are_refused(data: bytes, hash_name: str) -> None:
    key = prepare(SYSTEM, (4, 6), Parameters(2, 8, 0, log_final=2, hash=hash_name)).key
    for public in ([1, 2], [0, 0], [PRIME - 1, PRIME - 1]):
        assert isinstance(verify(key, public, data), ProofRejected)
    for public in ([], [1], [1, 2, 3], [-1, 2], [1, PRIME], [1, 2**256], [1, 2**4096]):
        rejected = verify(key, public, data)
        assert rejected is not None and rejected.phase is Phase.STATEMENT


# --- questions --------------------------------------------------------------------------------------------------------


@contextmanager
def drawing(place: int, value: int) -> Iterator[None]:
    """Draw one challenge as this value; the transcript, and so every other challenge and position, stays as it was."""
    places, original = count(), Transcript.challenge

    def challenge(self: Transcript) -> int:
        own = original(self)
        return value if next(places) == place else own

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Transcript, "challenge", challenge)
        yield


ONES = [0, 1, PRIME - 1, root_of_unity(4), root_of_unity(6), root_of_unity(8), GENERATOR, pow(GENERATOR, 4, PRIME)]


@pytest.mark.parametrize("value", ONES)
def test_no_challenge_makes_the_verifier_raise(proven: tuple[Fixed, Case, bytes], value: int) -> None:
    """Zeros, rows of tables and points of the domain, of which one is drawn in some 2**240 proofs."""
    fixed, honest, proof = proven
    for place in range(5 + len(fixed.key.schedule)):
        with drawing(place, value):
            assert isinstance(verify(fixed.key, honest.public, proof), ProofRejected), place


@pytest.mark.parametrize("row", [1, root_of_unity(6), pow(root_of_unity(6), 17, PRIME)])
def test_a_point_on_a_row_is_refused(proven: tuple[Fixed, Case, bytes], row: int) -> None:
    fixed, honest, proof = proven
    with drawing(POINT, row):
        rejected = verify(fixed.key, honest.public, proof)
    assert rejected == ProofRejected(Phase.OUTSIDE, "the point falls on a row of a table")


def queried(key: Key, honest: Case, proof: bytes) -> list[int]:
    """The positions of a proof's queries."""
    transcript = key.transcript(honest.public)
    read_commitments(key, honest.public, transcript, Reader(proof))
    return [position for part in draw_positions(key, transcript) for position in part]


@pytest.mark.parametrize("turn", [1, pow(root_of_unity(6), -1, PRIME)])
def test_a_query_at_the_point_outside_the_domain_is_refused(
    proven: tuple[Fixed, Case, bytes], monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    """At the point, and where the next row's point is."""
    fixed, honest, proof = proven
    position = queried(fixed.key, honest, proof)[0]
    monkeypatch.setattr(verifier, "_check_rules", lambda *_: None)  # which would refuse the values first
    with drawing(POINT, point_at(position, shift_of(6, 6)) * turn % PRIME):
        rejected = verify(fixed.key, honest.public, proof)
    assert rejected == ProofRejected(Phase.QUERIES, "a query falls on the point outside the domain")


def test_a_challenge_that_meets_the_statement_is_refused(proven: tuple[Fixed, Case, bytes]) -> None:
    fixed, honest, proof = proven
    transcript = fixed.key.transcript(honest.public)
    transcript.absorb(proof[:32])
    base = bus_challenges(fixed.key, transcript)[1]
    fingerprint = SYSTEM.buses[RESULT] + base * honest.public[0] + base * base * honest.public[1]
    divisor = SYSTEM.outside.run(
        lambda leaf: (
            honest.public[leaf.index]
            if leaf.source == Source.PUBLIC
            else {0: fingerprint, 1: base, 2: base * base}[leaf.index]
        )
    )[1]
    assert divisor == 0 and Leaf(Source.CHALLENGE, 0) in SYSTEM.outside.leaves()
    with drawing(0, fingerprint % PRIME):
        rejected = verify(fixed.key, honest.public, proof)
    assert rejected == ProofRejected(Phase.BUSES, "a challenge meets a message of the statement")
