"""Proofs: honest ones are accepted, and every way to spoil one is refused by name."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from stark import buses, composition, merkle
from stark.composition import UnsatisfiedRules
from stark.field import from_ints
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import Parameters
from stark.prime import PRIME
from stark.progress import Cancelled
from stark.proof import Phase
from stark.prover import Fixed, prove
from stark.steps import Head
from stark.verifier import verify
from tests.stark.toy import SYSTEM, Case, case

SMALL = Parameters(log_blowup=2, queries=8, grinding_bits=4, log_arity_max=3, log_final=2, part_queries=4)


@pytest.fixture(scope="module")
def proven() -> tuple[Fixed, Case, bytes]:
    honest = case(4, 6)
    fixed = prepare(SYSTEM, honest.log_heights, SMALL)
    return fixed, honest, prove(fixed, honest.public, honest.traces)


@pytest.mark.parametrize("log_heights", [(4, 6), (6, 6), (8, 5), (4, 9)])
@pytest.mark.parametrize(
    "parameters",
    [
        SMALL,
        Parameters(log_blowup=3, queries=5, grinding_bits=0, log_arity_max=4, log_final=3),
        replace(SMALL, queries=5, grinding_bits=3, log_arity_max=1, log_final=0, hash="poseidon", part_queries=2),
    ],
    ids=["small", "wide steps", "poseidon"],
)
def test_an_honest_proof_is_accepted(log_heights: tuple[int, int], parameters: Parameters) -> None:
    honest = case(*log_heights)
    fixed = prepare(SYSTEM, honest.log_heights, parameters, threads=2)
    one, two = (prove(fixed, honest.public, honest.traces, threads) for threads in (1, 2))
    assert verify(fixed.key, honest.public, one) is None
    assert one == two, "a proof depends on the number of threads"


def test_traces_are_kept_or_let_go_as_the_caller_says(proven: tuple[Fixed, Case, bytes]) -> None:
    fixed, honest, proof = proven
    kept, let_go = list(honest.traces), list(honest.traces)
    assert prove(fixed, honest.public, kept) == proof == prove(fixed, honest.public, let_go, consume=True)
    assert len(kept) == len(honest.traces) and let_go == []


def steps_of(key: Key) -> list[set[Phase]]:
    """For each word of the head, the steps at which a proof with that word changed can fail.

    A root is only bound by the next challenge, so that a changed one fails where that challenge is first used; a value
    that no rule reads, such as some of the next row, is only bound to its column.
    """
    head, nonce = Head.of(key), {Phase.GRINDING, Phase.QUERIES}
    steps = [{Phase.BUSES}, {Phase.OUTSIDE}, *[{Phase.BUSES}] * head.totals[1], {Phase.OUTSIDE}]
    steps += [{Phase.OUTSIDE, *nonce}] * (head.pieces - head.levels[0])
    steps += [{Phase.OUTSIDE}] * key.system.composition_columns
    steps += [nonce] * len(key.schedule)
    return [*steps, *[{Phase.FOLDING, *nonce}] * (1 << key.parameters.log_final), nonce]


def test_every_word_is_checked(proven: tuple[Fixed, Case, bytes]) -> None:
    """A changed bit, another element or no element in any word: refused, by the step that it belongs to."""
    fixed, honest, proof = proven
    draw = random.Random(3)
    steps = steps_of(fixed.key)
    assert len(steps) == Head.of(fixed.key).words < len(proof) // 32
    for word in range(len(proof) // 32):
        value = int.from_bytes(proof[32 * word : 32 * word + 32], "big")
        for other in (value ^ 1 << draw.randrange(250), draw.randrange(PRIME), 0, 2**256 - 1):
            if other == value:
                continue
            spoiled = proof[: 32 * word] + other.to_bytes(32, "big") + proof[32 * word + 32 :]
            rejected = verify(fixed.key, honest.public, spoiled)
            assert rejected is not None, (word, other)
            assert rejected.phase in (steps[word] if word < len(steps) else {Phase.QUERIES}), (word, other, rejected)
            assert str(rejected).startswith(f"step {rejected.phase}: ") and len(str(rejected)) > 20


def test_an_alias_of_an_element_is_refused(proven: tuple[Fixed, Case, bytes]) -> None:
    fixed, honest, proof = proven
    refused = 0
    for start in range(0, len(proof), 32):
        value = int.from_bytes(proof[start : start + 32], "big")
        if value + PRIME < 2**256:
            alias = proof[:start] + (value + PRIME).to_bytes(32, "big") + proof[start + 32 :]
            assert verify(fixed.key, honest.public, alias) is not None, start
            refused += 1
    assert refused > 100


def test_lengths_are_exact(proven: tuple[Fixed, Case, bytes]) -> None:
    fixed, honest, proof = proven
    for length in [0, 1, 31, 32, 33, len(proof) // 2, len(proof) - 32, len(proof) - 1]:
        rejected = verify(fixed.key, honest.public, proof[:length])
        assert rejected is not None and "ends at byte" in rejected.reason
    for tail in (b"\0", bytes(32), proof):
        rejected = verify(fixed.key, honest.public, proof + tail)
        assert rejected is not None and "follow the end" in rejected.reason


def test_random_bytes_are_refused_and_raise_nothing(proven: tuple[Fixed, Case, bytes]) -> None:
    fixed, honest, proof = proven
    draw = random.Random(5)
    for _ in range(200):
        start, stop = sorted(draw.randrange(len(proof)) for _ in range(2))
        noise = proof[:start] + draw.randbytes(stop - start) + proof[stop:]
        assert verify(fixed.key, honest.public, noise) is not None
        assert verify(fixed.key, honest.public, draw.randbytes(draw.randrange(2 * len(proof)))) is not None


def test_a_proof_is_of_its_own_statement_key_and_parameters(proven: tuple[Fixed, Case, bytes]) -> None:
    fixed, honest, proof = proven
    assert verify(fixed.key, [honest.public[0], honest.public[1] + 1], proof) is not None
    assert verify(fixed.key, honest.public[:1], proof) is not None
    rejected = verify(fixed.key, [honest.public[0], honest.public[1] + PRIME], proof)
    assert rejected is not None and rejected.phase is Phase.STATEMENT
    fewer = Parameters(log_blowup=2, queries=7, grinding_bits=4, log_arity_max=3, log_final=2, part_queries=4)
    assert verify(prepare(SYSTEM, honest.log_heights, fewer).key, honest.public, proof) is not None
    assert verify(prepare(SYSTEM, (5, 6), SMALL).key, honest.public, proof) is not None


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_a_step_of_folding_divides_by_2_to_16(bits: int) -> None:
    honest = case(7, 7)
    fixed = prepare(SYSTEM, honest.log_heights, replace(SMALL, log_arity_max=bits, log_final=7 - bits))
    assert fixed.key.schedule == (bits,)
    proof = prove(fixed, honest.public, honest.traces)
    assert verify(fixed.key, honest.public, proof) is None
    assert verify(fixed.key, honest.public, proof[:-1] + bytes([proof[-1] ^ 1])) is not None


@pytest.mark.parametrize("column", range(4))
def test_a_broken_rule_is_not_proven(proven: tuple[Fixed, Case, bytes], column: int) -> None:
    fixed, _, _ = proven
    wrong = case(4, 6)
    wrong.traces[1][column, 12] = from_ints([8])[0]  # row 12 is marked, and 8 is no number of the sequence
    try:
        assert verify(fixed.key, wrong.public, prove(fixed, wrong.public, wrong.traces)) is not None
    except UnsatisfiedRules as error:
        assert "fibonacci" in str(error)


def test_a_message_nobody_receives_is_not_proven(proven: tuple[Fixed, Case, bytes]) -> None:
    fixed, _, _ = proven
    wrong = case(4, 6)
    wrong.traces[0][1, 3] = from_ints([99])[0]
    rejected = verify(fixed.key, wrong.public, prove(fixed, wrong.public, wrong.traces))
    assert rejected is not None and rejected.phase is Phase.BUSES


def test_wrong_shapes_are_named(proven: tuple[Fixed, Case, bytes]) -> None:
    fixed, honest, _ = proven
    with pytest.raises(ValueError, match="range"):
        prove(fixed, honest.public, [honest.traces[0][:, :8].copy(), honest.traces[1]])
    with pytest.raises(ValueError, match="2 tables"):
        prove(fixed, honest.public, honest.traces[:1])
    with pytest.raises(ValueError, match="pad the table"):
        prepare(SYSTEM, (2, 6), SMALL)
    with pytest.raises(ValueError, match="heights"):
        prepare(SYSTEM, (6,), SMALL)
    for log_height in (-1, 26, 300, 6.0):
        with pytest.raises(ValueError, match=r"fibonacci: a table has 2\*\*0 to 2\*\*25 rows"):
            Key(SYSTEM, (6, log_height), SMALL, bytes(32))  # type: ignore[arg-type]


def test_a_proof_reports_and_can_be_stopped(proven: tuple[Fixed, Case, bytes]) -> None:
    """Every step begins at nothing and ends at all of it; whenever something is reported, the proof can be stopped."""
    fixed, honest, proof = proven
    seen: list[tuple[Phase, float]] = []
    again = prove(fixed, honest.public, honest.traces, progress=lambda *said: seen.append(said))
    assert again == proof
    assert list(dict.fromkeys(phase for phase, _ in seen)) == [*Phase][1:]
    assert seen == sorted(seen, key=lambda said: ([*Phase].index(said[0]), said[1]))
    for phase in [*Phase][1:]:
        shares = [share for each, share in seen if each is phase]
        assert shares[0] == 0 and shares[-1] == 1 and len(set(shares)) > 1, phase

    for last in range(len(seen)):
        heard: list[Phase] = []

        def stop(phase: Phase, share: float, heard: list[Phase] = heard, last: int = last) -> None:
            heard.append(phase)
            if len(heard) > last:
                raise Cancelled

        with pytest.raises(Cancelled):
            prove(fixed, honest.public, honest.traces, progress=stop)
        assert len(heard) == last + 1
    assert prove(fixed, honest.public, honest.traces) == proof


def test_long_work_reports_between_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns, rows of rules and of messages, and rows that are hashed: no more of a proof than a coset is silent."""
    large = case(8, 12)
    fixed = prepare(SYSTEM, large.log_heights, SMALL)
    proof = prove(fixed, large.public, large.traces)
    for module, name, least in (
        (composition, "ROWS_AT_LEAST", 256), (buses, "ROWS_AT_LEAST", 256), (merkle, "BLOCKS_AT_LEAST", 4),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, least)
    seen: list[tuple[Phase, float]] = []
    for threads in (1, 2):
        seen.clear()
        assert prove(fixed, large.public, large.traces, threads, lambda *said: seen.append(said)) == proof
        for phase, most in ((Phase.TRACE, 0.25), (Phase.BUSES, 0.35), (Phase.COMPOSITION, 0.2)):
            shares = [share for each, share in seen if each is phase]
            assert max(after - before for before, after in zip(shares, shares[1:], strict=False)) <= most, phase
