"""The contracts accept what the Python verifier accepts, and nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from benchmarks.on_chain import proof_bytes
from stark.fixed import prepare
from stark.keccak import keccak256
from stark.parameters import Parameters
from stark.prime import PRIME
from stark.proof import Reader
from stark.prover import prove
from stark.split import Part, Split, head_hints, split
from stark.steps import Head
from stark.verifier import draw_positions, read_commitments, verify
from tests.contracts.machine import Deployed, Reverted, word
from tests.stark.toy import SYSTEM, Case, case

PARAMETERS = Parameters(log_blowup=2, queries=8, grinding_bits=4, log_arity_max=3, log_final=2, part_queries=3)

SPOILED = 2_000  # proofs that both verifiers are asked about


class Proven:
    """A proof in the form of transactions, and the contracts of its key."""

    def __init__(self) -> None:
        self.case: Case = case(4, 6)
        fixed = prepare(SYSTEM, self.case.log_heights, PARAMETERS)
        self.key = fixed.key
        self.proof = prove(fixed, self.case.public, self.case.traces)
        self.split: Split = split(self.key, self.case.public, self.proof)
        self.chain = Deployed(self.key)
        self.claim = self.chain.open(self.case.public, self.split, self.chain.opening)

    def check(self, number: int, part: Part, claim: list[int] | None = None) -> bytes:
        """One part, by the pure contract."""
        arguments = [*(claim or self.claim), number, part.hint]
        return self.chain.call(self.chain.queries, "check", arguments, part.data)


@pytest.fixture(scope="module")
def proven() -> Iterator[Proven]:
    yield Proven()


def test_a_proof_in_several_transactions_proves_its_statement(proven: Proven) -> None:
    chain, public = proven.chain, proven.case.public
    digest = int.from_bytes(keccak256(b"".join(map(word, public))), "big")
    assert chain.open(public, proven.split) == proven.claim
    answers = []
    for number in (2, 0, 1):  # in any order
        assert chain.call(chain.verifier, "is_proven", [digest]) == word(0)
        assert chain.open(public, proven.split) == proven.claim  # again: it takes no answer back
        part = proven.split.parts[number]
        answers.append(chain.call(chain.verifier, "answer", [*proven.claim, number, part.hint], part.data))
    assert answers == [word(0), word(0), word(1)]
    assert chain.call(chain.verifier, "is_proven", [digest]) == word(1)
    with pytest.raises(Reverted, match="no such part to answer"):
        part = proven.split.parts[0]
        chain.call(chain.verifier, "answer", [*proven.claim, 0, part.hint], part.data)


def test_the_bytes_of_a_proof_are_reckoned_from_its_key_and_positions(proven: Proven) -> None:
    """What the benchmark says of proofs that nobody has made."""
    transcript, reader = proven.key.transcript(proven.case.public), Reader(proven.proof)
    read_commitments(proven.key, proven.case.public, transcript, reader)
    positions = [position for part in draw_positions(proven.key, transcript) for position in part]
    assert proof_bytes(proven.key, positions) == len(proven.proof)
    assert proof_bytes(proven.key, positions[:-1]) < len(proven.proof)


def test_a_claim_that_was_not_opened_is_refused(proven: Proven) -> None:
    claim = [*proven.claim]
    claim[0] += 1
    part = proven.split.parts[0]
    with pytest.raises(Reverted, match="not opened"):
        proven.chain.call(proven.chain.verifier, "answer", [*claim, 0, part.hint], part.data)


def test_every_word_of_the_head_is_checked(proven: Proven) -> None:
    """Spoiled, a head is refused at once, or by the first part: roots of trees are only bound to be opened later."""
    head = proven.split.head
    draw = random.Random(1)
    for start in range(0, len(head), 32):
        spoiled = bytearray(head)
        spoiled[start + draw.randrange(32)] ^= 1 << draw.randrange(8)
        with pytest.raises(Reverted, match="opening: |queries: "):
            changed = proven.split._replace(head=bytes(spoiled))
            claim = proven.chain.open(proven.case.public, changed, proven.chain.opening)
            proven.check(0, proven.split.parts[0], claim)


def test_every_word_of_every_part_is_checked(proven: Proven) -> None:
    draw = random.Random(2)
    for number, part in enumerate(proven.split.parts):
        assert proven.check(number, part) == word(1)
        for start in range(0, len(part.data), 32):
            spoiled = bytearray(part.data)
            spoiled[start + draw.randrange(32)] ^= 1 << draw.randrange(8)
            with pytest.raises(Reverted, match="queries: "):
                proven.check(number, Part(part.hint, bytes(spoiled)))


def test_aliases_hints_and_lengths_are_refused(proven: Proven) -> None:
    chain, public, head = proven.chain, proven.case.public, proven.split
    part = head.parts[0]
    with pytest.raises(Reverted, match="opening: statement"):
        chain.open([public[0] + PRIME, public[1]], head, chain.opening)
    with pytest.raises(Reverted, match="opening: "):
        chain.open([public[1], public[0]], head, chain.opening)
    with pytest.raises(Reverted, match="opening: hint"):
        chain.open(public, head._replace(hints=[head.hints[0] + 1, *head.hints[1:]]), chain.opening)
    with pytest.raises(Reverted, match="opening: hint"):
        chain.open(public, head._replace(hints=[head.hints[0] + PRIME, *head.hints[1:]]), chain.opening)
    with pytest.raises(Reverted, match="opening: length"):
        chain.open(public, head._replace(head=head.head[:-32]), chain.opening)
    with pytest.raises(Reverted, match="queries: hint"):
        proven.check(0, Part(part.hint + PRIME, part.data))
    with pytest.raises(Reverted, match="queries: length"):
        proven.check(0, Part(part.hint, part.data + bytes(32)))
    with pytest.raises(Reverted):
        proven.check(0, Part(part.hint, part.data[:-32]))
    with pytest.raises(Reverted, match="queries: no such part"):
        proven.check(3, part)
    with pytest.raises(Reverted, match="queries: "):
        proven.check(1, part)
    aliases = 0
    for start in range(0, len(part.data), 32):
        value = int.from_bytes(part.data[start : start + 32], "big")
        if value + PRIME < 2**256:
            spoiled = part.data[:start] + word(value + PRIME) + part.data[start + 32 :]
            with pytest.raises(Reverted, match="queries: "):
                proven.check(0, Part(part.hint, spoiled))
            aliases += 1
    assert aliases > 20


def why(call: Callable[[], object]) -> str:
    """The reason that a call is refused for."""
    with pytest.raises(Reverted) as refused:
        call()
    return str(refused.value)


def test_a_forger_who_gives_right_hints_is_refused_for_what_is_false(
    proven: Proven, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check of the head by its name: challenges and hints are those of the spoiled head."""
    head, key, public = Head.of(proven.key), proven.key, proven.case.public
    monkeypatch.setattr("stark.verifier._check_balance", lambda *_: None)
    monkeypatch.setattr("stark.verifier._check_rules", lambda *_: None)
    monkeypatch.setattr("stark.transcript.Transcript.check_nonce", lambda *_: True)

    def refused(place: int, added: int = 1) -> str:
        spoiled = bytearray(proven.split.head)
        old = int.from_bytes(spoiled[32 * place : 32 * place + 32], "big")
        spoiled[32 * place : 32 * place + 32] = word(old + added)
        data = bytes(spoiled)
        made = proven.split._replace(head=data)
        if added == 1:
            committed = read_commitments(key, public, key.transcript(public), Reader(data))
            made = made._replace(hints=head_hints(key, public, committed))
        return why(lambda: proven.chain.open(public, made, proven.chain.opening))

    assert refused(head.totals[0]) == "opening: the buses do not balance"
    for place in (head.composition_root, *head.levels, head.pieces):
        assert refused(place) == "opening: the rules do not hold"
    assert refused(head.bus_root) in ("opening: the rules do not hold", "opening: the buses do not balance")
    assert refused(head.last) == "opening: grinding"
    for place in (head.totals[0], head.pieces - 1, head.last):
        assert refused(place, PRIME) == "opening: not a field element"
    nonce = int.from_bytes(proven.split.head[-32:], "big")
    assert refused(head.words - 1, 2**64 - nonce) == "opening: nonce"


def test_a_part_is_refused_for_what_is_false(proven: Proven) -> None:
    """Each check of a part by its name."""
    part = proven.split.parts[0]

    def refused(place: int, value: int) -> str:
        spoiled = part.data[: 32 * place] + word(value) + part.data[32 * place + 32 :]
        return why(lambda: proven.check(0, Part(part.hint, spoiled)))

    words = [int.from_bytes(part.data[at : at + 32], "big") for at in range(0, len(part.data), 32)]
    reasons = [refused(place, value ^ 1) for place, value in enumerate(words)]
    assert set(reasons) == {"queries: rows do not lead to the root", "queries: layer does not follow"}
    assert reasons[0] == "queries: rows do not lead to the root"
    assert refused(0, PRIME) == refused(reasons.index("queries: layer does not follow"), PRIME)
    assert refused(0, PRIME) == "queries: not a field element"
    claim = [*proven.claim]
    at = claim.index(int.from_bytes(proven.split.head[-64:-32], "big"))  # the last polynomial's last coefficient
    claim[at] = (claim[at] + 1) % PRIME
    assert why(lambda: proven.check(0, part, claim)) == "queries: not on the last polynomial"


def test_parts_of_another_proof_of_the_same_statement_are_refused(proven: Proven) -> None:
    """Both proofs hold and say the same; their transactions do not go together, whosever head was opened first."""
    other = case(4, 6, seed=2)
    assert other.public == proven.case.public
    proof = prove(prepare(SYSTEM, other.log_heights, PARAMETERS), other.public, other.traces)
    cut = split(proven.key, other.public, proof)
    chain = Deployed(proven.key)
    claims = [chain.open(other.public, each) for each in (proven.split, cut)]
    assert claims[0] != claims[1] and claims[0] == proven.claim

    def answer(claim: list[int], number: int, part: Part) -> bytes:
        return chain.call(chain.verifier, "answer", [*claim, number, part.hint], part.data)

    for number, (mine, foreign) in enumerate(zip(proven.split.parts, cut.parts, strict=True)):
        for part in (foreign, Part(mine.hint, foreign.data), Part(foreign.hint, mine.data)):
            with pytest.raises(Reverted, match="^queries: "):
                answer(claims[0], number, part)
        with pytest.raises(Reverted, match="^queries: "):
            answer(claims[1], number, mine)
    digest = int.from_bytes(keccak256(b"".join(map(word, other.public))), "big")
    last = len(cut.parts) - 1
    for claim, each in zip(claims, (proven.split, cut), strict=True):  # of each all but one: none is whole
        for number in range(last):
            assert answer(claim, number, each.parts[number]) == word(0)
    assert chain.number(chain.verifier, "is_proven", digest) == 0
    assert answer(claims[1], last, cut.parts[last]) == word(1)
    assert chain.number(chain.verifier, "is_proven", digest) == 1


def test_contract_and_python_agree_on_spoiled_proofs(proven: Proven) -> None:
    """Differential: random words of the proof replaced by random words, moved, or repeated; a bit turned; an alias."""
    draw = random.Random(4)
    seen = {True: 0, False: 0}
    boundaries = [len(proven.split.head)]
    for part in proven.split.parts:
        boundaries.append(boundaries[-1] + len(part.data))
    assert boundaries[-1] == len(proven.proof)
    for _ in range(SPOILED):
        spoiled = bytearray(proven.proof)
        for _ in range(draw.choice([0, 1, 1, 1, 1, 2, 3])):
            target, source = (32 * draw.randrange(len(spoiled) // 32) for _ in range(2))
            old = int.from_bytes(spoiled[target : target + 32], "big")
            spoiled[target : target + 32] = draw.choice([
                proven.proof[source : source + 32], draw.randbytes(32), word(old ^ 1 << draw.randrange(256)),
                word((old + PRIME) % 2**256),
            ])  # fmt: skip
        pieces = [bytes(spoiled[start:stop]) for start, stop in zip([0, *boundaries], boundaries, strict=False)]
        accepted = verify(proven.key, proven.case.public, bytes(spoiled)) is None
        assert accepted == _is_accepted_on_chain(proven, pieces)
        assert accepted == (bytes(spoiled) == proven.proof)
        seen[accepted] += 1
    assert sum(seen.values()) == SPOILED and min(seen.values()) > SPOILED // 10


def _is_accepted_on_chain(proven: Proven, pieces: list[bytes]) -> bool:
    try:
        claim = proven.chain.open(proven.case.public, proven.split._replace(head=pieces[0]), proven.chain.opening)
        for number, data in enumerate(pieces[1:]):
            proven.check(number, Part(proven.split.parts[number].hint, data), claim)
    except Reverted:
        return False
    return True
