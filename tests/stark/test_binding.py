"""What every challenge binds: a change of the key, the statement or any word said before it changes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

import stark.key
from stark import verifier
from stark.air.chip import Bus, Chip, Must, Row
from stark.air.system import Public, System
from stark.fixed import prepare
from stark.key import Key
from stark.parameters import Parameters
from stark.proof import Phase, Reader
from stark.prover import Fixed, prove
from stark.steps import Head
from stark.transcript import Transcript
from stark.verifier import draw_positions, read_commitments, verify
from tests.stark.toy import RESULT, SYSTEM, VALUES, Case, Fibonacci, Range, case, columns, environment

SMALL = Parameters(log_blowup=2, queries=8, grinding_bits=4, log_arity_max=3, log_final=2, part_queries=4)
HEIGHTS = (4, 6)


@pytest.fixture(scope="module")
def proven() -> tuple[Fixed, Case, bytes]:
    honest = case(*HEIGHTS)
    fixed = prepare(SYSTEM, honest.log_heights, SMALL)
    return fixed, honest, prove(fixed, honest.public, honest.traces)


# --- the words of a proof ---------------------------------------------------------------------------------------------


class Heard(Transcript):
    """Keeps what is drawn, and takes any nonce, so that a spoiled proof is heard to its end."""

    def __init__(self, tag: bytes):
        super().__init__(tag)
        self.drawn: list[int] = []

    def _draw(self) -> int:
        self.drawn.append(super()._draw())
        return self.drawn[-1]

    def check_nonce(self, nonce: int, bits: int) -> bool:
        super().check_nonce(nonce, bits)
        return True


def drawn(key: Key, public: Sequence[int], head: bytes) -> list[int]:
    """Every challenge of a proof with this head, the positions last."""
    transcript = key.transcript(public)
    assert isinstance(transcript, Heard)
    reader = Reader(head)
    read_commitments(key, public, transcript, reader)
    reader.finish()
    draw_positions(key, transcript)
    return transcript.drawn


def said_before(key: Key) -> list[int]:
    """For every word of a head, how many challenges are drawn before it: it must change all others.

    Two for the buses, then the rules' weight, the point outside, the columns' weight, and one a layer.
    """
    head, layers = Head.of(key), len(key.schedule)
    before = [0] + [2] * (1 + head.totals[1]) + [3]  # the trace's root, the buses' and their totals, the composition's
    before += [4] * (head.layer_roots - head.levels[0])  # columns and pieces outside the domain
    before += [5 + layer for layer in range(layers)]
    return before + [5 + layers] * ((1 << key.parameters.log_final) + 1)  # the last polynomial and the nonce


def test_every_word_is_said_before_the_challenge_it_must_bind(
    proven: tuple[Fixed, Case, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed, honest, proof = proven
    monkeypatch.setattr(stark.key, "Transcript", Heard)
    monkeypatch.setattr(verifier, "_check_balance", lambda *_: None)
    monkeypatch.setattr(verifier, "_check_rules", lambda *_: None)
    key, before = fixed.key, said_before(fixed.key)
    head = proof[: 32 * Head.of(key).words]
    assert len(before) == Head.of(key).words
    honestly = drawn(key, honest.public, head)
    assert len(honestly) == 5 + len(key.schedule) + SMALL.queries
    for word, count in enumerate(before):
        spoiled = bytearray(head)
        spoiled[32 * word + 31] ^= 1
        heard = drawn(key, honest.public, bytes(spoiled))
        assert heard[:count] == honestly[:count], word
        assert not {*heard[count:]} & {*honestly}, f"word {word} leaves a challenge after it as it was"


# --- the key and the statement ----------------------------------------------------------------------------------------


class Seven(Fibonacci):
    """The toy's chip with a change of one kind; each class below has another."""

    def constrain(self, row: Row, must: Must) -> None:
        super().constrain(row, must)


class OtherConstant(Seven):
    def constrain(self, row: Row, must: Must) -> None:
        super().constrain(row, must)
        name, rule = must.constraints[4]
        must.constraints[4] = name, rule - row.is_marked


class OtherSelector(Seven):
    def constrain(self, row: Row, must: Must) -> None:
        super().constrain(row, must)
        must.constraints.pop(0)
        must.last("left ends at one", row.left - 1)


class FewerRules(Seven):
    def constrain(self, row: Row, must: Must) -> None:
        super().constrain(row, must)
        must.constraints.pop()


class MoreRules(Seven):
    def constrain(self, row: Row, must: Must) -> None:
        super().constrain(row, must)
        must.zero("one more", row.is_last * (row.is_last - 1))


class OtherMessage(Seven):
    def constrain(self, row: Row, must: Must) -> None:
        super().constrain(row, must)
        must.messages[-1] = replace(must.messages[-1], values=(row.right, row.left))


class OtherTimes(Seven):
    def constrain(self, row: Row, must: Must) -> None:
        super().constrain(row, must)
        must.messages[0] = replace(must.messages[0], times=2 * must.messages[0].times)


class OtherPeriod(Seven):
    periodic = {"is_marked": (0, 1, 0, 0)}


class LongerPeriod(Seven):
    periodic = {"is_marked": (1, 0, 0, 0, 1, 0, 0, 0)}


class MoreColumns(Seven):
    columns = ("left", "right", ("limb", 2), "unread")


class MoreFixed(Seven):
    fixed = ("is_last", "unread")

    def fixed_columns(self, log_height: int) -> list[list[int]]:
        return [*super().fixed_columns(log_height), [0] * (1 << log_height)]


class OtherFixed(Seven):
    def fixed_columns(self, log_height: int) -> list[list[int]]:
        return [[1, *super().fixed_columns(log_height)[0][1:]]]


OTHER_VALUES = Bus("other values", ("value",))


class OtherBus(Seven):
    def constrain(self, row: Row, must: Must) -> None:
        super().constrain(row, must)
        must.messages[0] = replace(must.messages[0], bus=OTHER_VALUES)


def crossed(public: Public, must: Must) -> None:
    must.receive(RESULT, [public.right, public.left])


def sent(public: Public, must: Must) -> None:
    must.send(RESULT, [public.left, public.right])


def twice(public: Public, must: Must) -> None:
    environment(public, must)
    must.send(VALUES, [7])


def system_of(chip: Chip, stated: Callable[[Public, Must], None] = environment, degree: int = 5) -> System:
    """The toy with another chip, other messages of the statement, or another degree."""
    return System("toy", [Range(), chip], ["left", "right"], stated, degree)


SYSTEMS = [
    *(
        system_of(chip())
        for chip in (
            OtherConstant, OtherSelector, FewerRules, MoreRules, OtherMessage, OtherTimes, OtherPeriod, LongerPeriod,
            MoreColumns, MoreFixed, OtherFixed, OtherBus,
        )
    ),
    system_of(Fibonacci(), crossed),
    system_of(Fibonacci(), sent),
    system_of(Fibonacci(), twice),
    system_of(Fibonacci(), degree=3),
    System("toy", [Fibonacci(), Range()], ["left", "right"], environment),
]  # fmt: skip

LOWERED = [
    replace(SMALL, log_blowup=3), replace(SMALL, queries=7), replace(SMALL, grinding_bits=0),
    replace(SMALL, log_arity_max=1), replace(SMALL, log_final=1), replace(SMALL, part_queries=0),
    replace(SMALL, hash="poseidon"),
]  # fmt: skip


def test_the_unchanged_chip_makes_the_toys_key(proven: tuple[Fixed, Case, bytes]) -> None:
    assert prepare(system_of(Seven()), HEIGHTS, SMALL).key.digest == proven[0].key.digest


def test_the_first_challenge_binds_tag_system_parameters_heights_and_statement(
    proven: tuple[Fixed, Case, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    fixed, honest, _ = proven
    left, right = honest.public
    keys = [fixed.key]
    keys += [prepare(system, HEIGHTS, SMALL).key for system in SYSTEMS]
    keys += [prepare(SYSTEM, HEIGHTS, parameters).key for parameters in LOWERED]
    keys += [prepare(SYSTEM, heights, SMALL).key for heights in ((5, 6), (4, 7), (6, 4))]
    keys.append(Key(SYSTEM, HEIGHTS, SMALL, bytes(32)))
    assert len({key.digest for key in keys}) == len(keys)
    first = [key.transcript(honest.public).challenge() for key in keys]
    first += [
        fixed.key.transcript(public).challenge() for public in ([left, right + 1], [left + 1, right], [right, left])
    ]
    monkeypatch.setattr(stark.key, "TAG", b"another protocol")
    first.append(Key(SYSTEM, HEIGHTS, SMALL, fixed.key.fixed_root).transcript(honest.public).challenge())
    assert len({*first}) == len(first)


def test_a_proof_is_of_its_own_system(proven: tuple[Fixed, Case, bytes]) -> None:
    """Replayed under the key of any other system, also of one with the same shape, it is refused."""
    _, honest, proof = proven
    for system in SYSTEMS:
        rejected = verify(prepare(system, HEIGHTS, SMALL).key, honest.public, proof)
        assert rejected is not None, system.words()


@pytest.mark.parametrize("parameters", LOWERED)
def test_a_proof_is_of_its_own_parameters(proven: tuple[Fixed, Case, bytes], parameters: Parameters) -> None:
    """Made with other parameters, weaker ones among them, it is refused by who asks for these; and the reverse."""
    fixed, honest, proof = proven
    other = prepare(SYSTEM, HEIGHTS, parameters)
    weaker = prove(other, honest.public, honest.traces)
    assert verify(other.key, honest.public, weaker) is None
    assert verify(fixed.key, honest.public, weaker) is not None
    assert verify(other.key, honest.public, proof) is not None


NUMBER = Bus("number", ("value",))


class Constant(Chip):
    """One number in every row."""

    name = "constant"
    columns = ("value",)
    periodic = {"is_start": (1, 0, 0, 0, 0, 0, 0, 0)}

    def constrain(self, row: Row, must: Must) -> None:
        must.zero("stays", row.next.value - row.value)
        must.send(NUMBER, [row.value], row.is_start)


def test_a_proof_is_of_its_own_statement() -> None:
    """Two true statements under one key: the proof of neither is one of the other."""
    system = System("constant", [Constant()], ["value"], lambda public, must: must.receive(NUMBER, [public.value]))
    fixed = prepare(system, (3,), replace(SMALL, log_final=1))
    for number, other in ((5, 6), (6, 5)):
        proof = prove(fixed, [number], [columns([[number] * 8])])
        assert verify(fixed.key, [number], proof) is None
        rejected = verify(fixed.key, [other], proof)
        assert rejected is not None and rejected.phase is Phase.BUSES
