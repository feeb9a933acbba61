"""Programs played again: cell for cell what their functions write, and refused in the same words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bulkhead.circuit import play as playing
from bulkhead.circuit.batch import SMALL
from bulkhead.circuit.frame import Frame
from bulkhead.circuit.instructions import Program
from bulkhead.circuit.order import Mode
from bulkhead.circuit.play import Play
from bulkhead.circuit.programs import side_name
from bulkhead.circuit.replay import Replay, Unwritten
from bulkhead.circuit.trace import played
from bulkhead.ledger import tx
from bulkhead.ledger.state import State
from stark.prime import PRIME
from tests.circuit.batches import Sealed
from tests.circuit.test_trade import START, TRADES, attacked
from tests.circuit.test_worlds import batch_of

NEVER = 1 << 60


def both_ways(monkeypatch: pytest.MonkeyPatch, before: State, transactions: Sequence[tx.Transaction]) -> set[str]:
    """Play a batch as functions write it and as it is played again; answers what was played again."""
    plays: list[Play] = []
    for often in (NEVER, 1):
        monkeypatch.setattr(playing, "OFTEN", often)
        plays.append(played(before, transactions))
    written, again = plays
    assert written.frames == again.frames
    for name in ("words", "written", "records", "told"):
        assert getattr(written.memory, name) == getattr(again.memory, name), name
    assert written.paid() == again.paid()
    return {name for name, replay in again._replays.items() if replay is not None}


def test_frames_played_again_leave_what_their_functions_write(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = Sealed(TRADES, START)
    found = both_ways(monkeypatch, batch.before, batch.transactions)
    for seed in range(8):
        before, _, accepted, _ = batch_of(seed)
        found |= both_ways(monkeypatch, before, accepted)
    assert {side_name(mode) for mode in Mode} <= found
    assert {name.partition(",")[0] for name in found} >= {"account", "side", "trade", "close"}


def test_tables_are_the_same_on_any_number_of_threads() -> None:
    batch = Sealed(TRADES, START)
    alone, together = batch.tables(), batch.tables(threads=3)
    assert alone.public == together.public
    assert all(np.array_equal(*pair) for pair in zip(alone.traces, together.traces, strict=True))
    few = SMALL._replace(log_signatures=7)
    for threads in (1, 2):
        with pytest.raises(ValueError, match="signatures"):
            batch.tables(few, threads)


CHANGES: tuple[dict[str, Any], ...] = (
    {"size": 0}, {"price": 0}, {"size": 1 << 64}, {"price": 1}, {"maker_fee": 1 << 62}, {"taker_fee": -(1 << 40)},
    {"market_id": 2}, {"time_ms": 1},
)  # fmt: skip
SIGNED = (
    {"base_amount": 1}, {"quote_amount": 1 << 70}, {"fee_amount": -1}, {"expiration_s": 1}, {"account_id": 64},
    {"salt": PRIME + (1 << 64)},
)  # fmt: skip


def refusals(changes: Sequence[Callable[[tx.Trade], tx.Trade]]) -> list[str]:
    """What the circuit says of a trade that was changed."""
    return [attacked(change) for change in changes]


def test_what_is_refused_is_refused_in_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    changes: list[Callable[[tx.Trade], tx.Trade]] = [lambda trade, one=one: replace(trade, **one) for one in CHANGES]
    changes += [lambda trade, one=one: replace(trade, taker=trade.taker._replace(**one)) for one in SIGNED]
    monkeypatch.setattr(playing, "OFTEN", NEVER)
    written = refusals(changes)
    monkeypatch.setattr(playing, "OFTEN", 1)
    assert refusals(changes) == written
    assert sum(": " in said for said in written) >= len(changes) - 3  # most break a rule that has a name
    assert len(set(written)) > 5


EARLY: tuple[Callable[[Frame, Any], object], ...] = (
    lambda frame, case: int(case.size) if case else 0,
    lambda frame, case: case[0] == 1 if case else False,
    lambda frame, case: {case[1]} if case else set(),
    lambda frame, case: bool(case.order.salt) if case else False,
    lambda frame, case: list(case.fills) if case else [],
    lambda frame, case: case.size + 1 if case else 0,
    lambda frame, case: 1 << case.size if case else 0,
    lambda frame, case: case.prices.get(1) if case else 0,
    lambda frame, case: int(frame.one),
)


@pytest.mark.parametrize("asks", EARLY)
def test_a_function_that_asks_while_it_writes_is_not_noted(asks: Callable[[Frame, Any], object]) -> None:
    def write(frame: Frame, case: Any) -> None:
        frame.given(lambda: int(case.size) if case else 0)
        asks(frame, case)

    frame = Frame("asks")
    write(frame, None)
    with pytest.raises(Unwritten):
        Replay(frame.assembled(), write, in_turn=True)


def test_a_program_is_what_its_function_writes() -> None:
    frame = Frame("other")
    frame.given(lambda: 0)
    one: Program = frame.assembled()
    with pytest.raises(AssertionError, match="another path"):
        Replay(one, lambda frame, case: frame.zero("nothing", frame.one, -1), in_turn=True)
