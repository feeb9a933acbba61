"""Every script plays as written, and between them they reach every reject that the ledger can return."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from bulkhead.ledger.receipt import ForcedFailed, Funded, Ticked
from bulkhead.reject import Reject
from tests.play import Player, play

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.txt"))
LEDGER = Path(__file__).parents[2] / "src" / "bulkhead" / "ledger"

ENGINE_ONLY = {
    Reject.UNKNOWN_ORDER, Reject.OUTSIDE_PRICE_BAND, Reject.PRICE_OFF_TICK, Reject.SIZE_BELOW_MINIMUM,
    Reject.POST_ONLY_WOULD_TRADE, Reject.FILL_OR_KILL_UNFILLED, Reject.REDUCE_ONLY_WOULD_GROW, Reject.SELF_TRADE,
    Reject.TOO_MANY_ORDERS, Reject.NO_LIQUIDITY, Reject.TRIGGER_INVALID, Reject.ORDERS_OPEN,
}  # fmt: skip
"""What only the engine says: the ledger knows no open orders, no mark and no book."""

OUT_OF_TIME = {Reject.FUNDING_STEP_TOO_LARGE}
"""An index reaches its width after 2^31 hours: tests/ledger/test_extremes.py sets the clock forward."""

OUT_OF_REACH = {Reject.ORDER_LIST_FULL}
"""64 messages whose hashes begin alike: tests/ledger/test_orders.py enters others in their stead."""

played = cache(play)


def reasons(player: Player) -> set[Reject]:
    """Every reject a script met, those that a tick or a forced request records included."""
    found: set[Reject] = set()
    for receipt in player.receipts:
        if receipt.reject is not None:
            found.add(receipt.reject)
        if isinstance(receipt.detail, ForcedFailed):
            found.add(receipt.detail.reason)
        if isinstance(receipt.detail, Ticked | Funded):
            found.update(reason for _, reason in receipt.detail.refused)
    return found


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path) -> None:
    assert played(path).receipts


def test_scripts_reach_every_reject_of_the_ledger() -> None:
    reached = set().union(*(reasons(played(path)) for path in SCRIPTS))
    assert sorted(set(Reject) - ENGINE_ONLY - OUT_OF_TIME - OUT_OF_REACH - reached) == []


def test_the_ledger_never_says_what_only_the_engine_says() -> None:
    text = "\n".join(path.read_text() for path in sorted(LEDGER.glob("*.py")))
    assert [reason.name for reason in Reject if (f"Reject.{reason.name}" in text) == (reason in ENGINE_ONLY)] == []
