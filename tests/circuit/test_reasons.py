"""A prover who says another reason: of those that a program takes, none may let through one lot more than the rule."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from itertools import product
from typing import Any

import pytest

from bulkhead.circuit import capacity, liquidation
from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.arithmetic import bit
from bulkhead.circuit.frame import Frame, Hint, Mismatch, Value
from bulkhead.circuit.order import Fill
from bulkhead.circuit.play import Play
from bulkhead.ledger.config import BACKSTOP_ACCOUNT
from bulkhead.ledger.tx import Backstop, Deleveraging, Liquidation
from tests.circuit.attacks import forged, played
from tests.circuit.test_liquidate import BELOW, TIERS
from tests.circuit.test_takeover import POOR

FULL = (
    "the budget is used up", "the open loss uses up the budget", "its position would be too large",
    "it would have too many positions", "all lots would be too large",
)  # fmt: skip
SHRINKS = ("its position shrinks or not",)
STEP = ("nothing restores the target", "what is left is dust or not")


def passes(play: Play, name: str, case: Any) -> bool:
    """Whether a program takes a case; what it leaves is forgotten."""
    kept = play.memory
    one = play.memory = copy(kept)
    one.words, one.written, one.records, one.told = (
        dict(each) for each in (kept.words, kept.written, kept.records, kept.told)
    )
    try:
        play.run(name, case)
    except Mismatch:
        return False
    finally:
        play.memory = kept
    return True


def reasons(monkeypatch: pytest.MonkeyPatch, module: Any, names: tuple[str, ...]) -> Iterable[dict[str, int]]:
    """Every choice of some bits; each is what the prover says until the next one."""
    said: dict[str, int] = {}

    def lying(frame: Frame, rule: str, hint: Hint) -> Value:
        return bit(frame, rule, (lambda: said[rule]) if rule in said else hint)

    monkeypatch.setattr(module, "bit", lying)
    for chosen in product((0, 1), repeat=len(names)):
        said.update(zip(names, chosen, strict=True))
        yield said


@pytest.mark.parametrize(
    ("most", "line", "program", "names"),
    [
        ("backstop taker 0.439882 BTC", "backstop taker 0.439883 BTC", "backstop", SHRINKS),
        ("deleverage taker 0.560118 BTC", "deleverage taker 0.560119 BTC", "deleveraging, full", FULL),
    ],
)
def test_no_reason_takes_a_lot_more_than_the_backstop_leaves(
    monkeypatch: pytest.MonkeyPatch, most: str, line: str, program: str, names: tuple[str, ...]
) -> None:
    """It can bear 439,882 lots of 1,000,000."""
    player, play = played(POOR)
    transaction = forged(player, line)
    assert isinstance(transaction, Backstop | Deleveraging)
    assert player.send(transaction) != "ok"
    play.account(int(transaction.account_id), int(transaction.time_ms), Freshness.SINCE_RESTART)
    play.account(BACKSTOP_ACCOUNT, int(transaction.time_ms), Freshness.ANY)
    assert passes(play, program, forged(player, most))
    for said in reasons(monkeypatch, capacity, names):
        for lots in (0, 439_881, 439_882, 439_883, 439_884, 999_999, 1_000_000):
            monkeypatch.setattr(capacity, "capacity", lambda *_, lots=lots: lots)
            assert not passes(play, program, transaction), (said, lots)


@pytest.mark.parametrize(
    ("start", "line", "most", "whole"),
    [
        (BELOW, "liquidate taker: maker buy {} BTC @ 48755", 1_835_254, 2_000_000),
        (TIERS + "tick BTC 50660 ok\n", "liquidate taker: maker sell {} BTC @ 51000", 80_266_030, 280_000_000),
    ],
)
def test_no_reason_closes_a_lot_more_than_restores_the_target(
    monkeypatch: pytest.MonkeyPatch, start: str, line: str, most: int, whole: int
) -> None:
    step, honest = before_step(start, line, most)
    assert passes(step, "liquidation, account 3 ago", honest)
    play, transaction = before_step(start, line, most + 1)
    for said in reasons(monkeypatch, liquidation, STEP):
        for missed in (0, 1, most - 1, most, most + 1, whole - 2, whole - 1):
            monkeypatch.setattr(liquidation, "_missed", lambda *_, missed=missed: missed)
            assert not passes(play, "liquidation, account 3 ago", transaction), (said, missed)


def before_step(start: str, line: str, lots: int) -> tuple[Play, Liquidation]:
    """A liquidation of so many millionths, and the frames before it."""
    player, play = played(start)
    transaction = forged(player, line.format(f"{lots // 10**6}.{lots % 10**6:06}"))
    assert isinstance(transaction, Liquidation)
    fill = transaction.fills[0]
    play.account(int(transaction.account_id), int(transaction.time_ms), Freshness.SINCE_RESTART)
    play.side(Fill(fill.order, int(transaction.time_ms), int(fill.size), int(fill.price), int(fill.order_fee)))
    return play, transaction
