"""A prover who lies: programs played with one of their given values changed, and all that follows computed anew.

A lie is noticed by a rule (Mismatch), or by a bus: a message nobody signed, an answer nobody gave. A lie that nobody
notices must leave memory as the truth does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest

from bulkhead.circuit.frame import Frame, Hint, Mismatch, Value
from bulkhead.circuit.instructions import Flag
from bulkhead.circuit.play import Play
from bulkhead.circuit.tags import Tag
from bulkhead.circuit.venue import terms_of, venue_of
from bulkhead.circuit.words import VALUES
from bulkhead.ledger.state import State

LIES = (1, -1, 1 << 32, -(1 << 64))
Step = tuple[str, Any]  # a program and its case


class Liar(Frame):
    """A frame that adds to what is given in one of its rows, and notes whose answers it takes."""

    row, lie = -1, 0

    def _hinted(self, hint: Hint) -> int:
        if len(self.values) != self.row:
            return super()._hinted(hint)
        return super()._hinted(lambda: hint() + self.lie)

    def message(self, tag: int, about: Value, also: Value, times: int, hint: Hint) -> Value:
        found = super().message(tag, about, also, times, hint)
        self.taken.append((int(tag), int(about), int(also), int(found)))
        return found

    def take_all(self, about: Value, tags: Sequence[int], hints: Sequence[Hint]) -> list[Value]:
        found = super().take_all(about, tags, hints)
        for start in range(0, len(tags), VALUES):
            named = tuple(map(int, tags[start : start + VALUES]))
            if len(named) > 1:  # one alone is noted as a message
                values = tuple(int(each) for each in found[start : start + VALUES])
                self.taken_together.append((named, int(about), values))
        return found

    @property
    def taken_together(self) -> list[tuple[tuple[int, ...], int, tuple[int, ...]]]:
        """Messages of several values that were taken: their tags, what they are about, the values."""
        return self.__dict__.setdefault("_taken_together", [])

    @property
    def taken(self) -> list[tuple[int, int, int, int]]:
        """Messages that were taken."""
        return self.__dict__.setdefault("_taken", [])


class Outcome(NamedTuple):
    """What a frame leaves: words, signed messages, and answers that nobody gave."""

    words: dict[int, int]
    signed: list[tuple[int, int]]
    unanswered: list[object]


def outcome(state: State, steps: Sequence[Step], row: int = -1, lie: int = 0) -> Outcome:
    """Play some frames; the last one lies in a row. Raises Mismatch where a rule notices."""
    play = Play(state, venue_of(state.config))
    *before, (name, case) = steps
    for earlier, own in before:
        play.run(earlier, own)
    frame = Liar(name, len(play.frames) + 1, play.memory, play.programs[name].start)
    frame.row, frame.lie = row, lie
    play.writers[name](frame, play.venue, case)
    terms = terms_of(play.venue)
    known: set[object] = {(tag, about, 0, value) for tag, about, value, *_ in terms}
    known |= {(*about, value) for about, value in play.memory.told.items()}
    known.add((int(Tag.TURN), 1, 0, 0))  # of the statement
    said = {(int(tag), about, value) for (tag, about, _), value in play.memory.told.items()}
    unanswered: list[object] = [each for each in frame.taken if each not in known]
    for tags, about, values in frame.taken_together:
        row = (tags[0], about, *values, *[0] * (VALUES - len(values)))
        if row not in terms and any((tag, about, value) not in said for tag, value in zip(tags, values, strict=True)):
            unanswered.append(row)
    return Outcome(dict(play.memory.words), frame.signed, unanswered)


def unnoticed(state: State, steps: Sequence[Step]) -> set[str]:
    """What rows of the last program are about in which a lie leaves other words than the truth, and nobody notices."""
    truth = outcome(state, steps)
    assert not truth.unanswered
    name, found = steps[-1][0], set()
    instructions = Play(state, venue_of(state.config)).programs[name].instructions
    for row, instruction in enumerate(instructions):
        is_own_number = instruction.flags & Flag.ZERO and instruction.flags & Flag.NUMBER
        if not instruction.flags & Flag.GIVEN or is_own_number:
            continue
        for lie in LIES:
            try:
                lied = outcome(state, steps, row, lie)
            except Mismatch:
                continue
            if not lied.unanswered and lied.signed == truth.signed and lied.words != truth.words:
                found.add(instruction.rule or instructions[row + 1].rule or f"row {row}")  # a bit's rule comes after
    return found


def escapes(state: State, steps: Sequence[Step]) -> set[str]:
    """What rows of the last program are about in which one lie makes acceptable what the truth has refused."""
    name, found = steps[-1][0], set()
    instructions = Play(state, venue_of(state.config)).programs[name].instructions
    honest = _honest_signatures(state, steps)
    for row, instruction in enumerate(instructions):
        if not instruction.flags & Flag.GIVEN:
            continue
        for lie in LIES:
            try:
                lied = outcome(state, steps, row, lie)
            except Mismatch:
                continue
            if not lied.unanswered and lied.signed == honest:
                found.add(instruction.rule or instructions[row + 1].rule or f"row {row}")
    return found


def _honest_signatures(state: State, steps: Sequence[Step]) -> list[tuple[int, int]]:
    """What the transaction's owner has signed: what the truth asks for, up to the rule that refuses it."""
    play = Play(state, venue_of(state.config))
    *before, (name, case) = steps
    for earlier, own in before:
        play.run(earlier, own)
    frame = Frame(name, len(play.frames) + 1, play.memory, play.programs[name].start)
    with pytest.raises(Mismatch):
        play.writers[name](frame, play.venue, case)
    return frame.signed
