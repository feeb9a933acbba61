"""Provers who cheat: what the ledger refuses is played on the circuit, what a prover may choose is chosen otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from bulkhead.circuit.frame import Frame, Hint, Mismatch, Value
from bulkhead.circuit.play import Play
from bulkhead.circuit.venue import venue_of
from bulkhead.ledger.tx import Transaction
from stark.prime import PRIME
from tests.circuit.batches import Recorder, play_all
from tests.parse import Line


def forged(player: Recorder, text: str) -> Transaction:
    """The transaction of a script's line, signed, but not sent to the ledger."""
    line = Line(text, player.names)
    verb = line.word().replace("-", "_")
    transaction: Transaction = getattr(player, verb)(line)
    changed: Transaction = line.changed(transaction, "raw.")
    return changed


def played(start: str, options: dict[str, str] | None = None) -> tuple[Recorder, Play]:
    """A venue after some lines, and a batch that begins there."""
    player = Recorder(options)
    play_all(player, start)
    return player, Play(player.state, venue_of(player.config))


def refuses(start: str, text: str, rule: str, options: dict[str, str] | None = None) -> None:
    """A line that the ledger refuses is refused by the rule of the circuit that says so."""
    player, play = played(start, options)
    transaction = forged(player, text)
    assert player.send(transaction) != "ok", "the ledger takes it"
    with pytest.raises(Mismatch, match=rule):
        play.take(0, transaction)


def loose(monkeypatch: pytest.MonkeyPatch, play: Play, run: Callable[[Play], Any]) -> list[str]:
    """Which given values of the frames that `run` plays can be another without any rule that breaks.

    Each is raised by one, then lowered, and everything computed from it follows. What a memory or a message says is
    not changed here: a bus compares these. One without a name goes by that of the function that asks for it: the
    inverse of zero (`is_zero`) and the sign of zero (`magnitude`) are free, so is which of two true reasons is said.
    """
    memory = play.memory
    kept = (dict(memory.words), dict(memory.written), dict(memory.records), dict(memory.told), list(play.frames))
    honest = Frame.given
    seen: list[str] = []
    chosen, moved = -1, 0

    def given(self: Frame, hint: Hint, rule: str = "", *, is_number: bool = False) -> Value:
        place = len(seen)
        asking = sys._getframe(1)  # the bench's own look at the stack; nothing depends on it but a name
        if asking.f_code.co_name == "bit" and asking.f_back is not None:
            asking = asking.f_back
        seen.append(f"{self.name}: {rule or asking.f_code.co_name}")
        if place == chosen:
            return honest(self, lambda: (hint() + moved) % PRIME, rule, is_number=is_number)
        return honest(self, hint, rule, is_number=is_number)

    monkeypatch.setattr(Frame, "given", given)
    run(play)
    total, found = len(seen), []
    for place in range(total):
        for step in (1, -1):
            memory.words, memory.written, memory.records, memory.told = (dict(part) for part in kept[:4])
            play.frames = list(kept[4])
            seen.clear()
            chosen, moved = place, step
            try:
                run(play)
            except Mismatch:
                continue
            found.append(f"{place} {seen[place]} {step:+d}")
    monkeypatch.undo()
    return found
