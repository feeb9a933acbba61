"""Which frames a liquidation, a take-over and a forced request run, and the programs of these."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bulkhead.circuit.accounts import Freshness
from bulkhead.circuit.frame import Frame
from bulkhead.circuit.liquidate import interest_frame, liquidation_frame
from bulkhead.circuit.order import Fill
from bulkhead.circuit.venue import Venue
from bulkhead.ledger import tx

if TYPE_CHECKING:
    from bulkhead.circuit.play import Play

WRITERS: dict[str, Callable[[Frame, Venue, Any], None]] = {
    **{f"liquidation, account {ago} ago": partial(liquidation_frame, account_ago=ago) for ago in (3, 4)},
    "open interest": partial(interest_frame, scales=False),
    "open interest, scaled": partial(interest_frame, scales=True),
}


def _interest(play: Play, market: int) -> None:
    """The last frame: open interest has fallen, or it stays."""
    play.run("open interest, scaled" if play.scales(market, 0) else "open interest", None)


def _liquidation(play: Play, transaction: tx.Liquidation) -> None:
    """The account, the maker's side after the frames of its accounts, the liquidation."""
    first = len(play.frames)
    play.account(int(transaction.account_id), int(transaction.time_ms), Freshness.SINCE_RESTART)
    (fill,) = transaction.fills  # the ledger takes one fill a step of a linear account
    numbers = (int(transaction.time_ms), int(fill.size), int(fill.price), int(fill.order_fee))
    play.side(Fill(fill.order, *numbers))
    play.run(f"liquidation, account {len(play.frames) - first} ago", transaction)
    _interest(play, int(fill.market_id))


TAKERS: dict[type, Callable[[Play, Any], None]] = {
    tx.Liquidation: _liquidation,
}
