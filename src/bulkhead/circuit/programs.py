"""Every program of the circuit by name, assembled once for a venue. What a transaction may run is in `PROGRAMS_OF`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from bulkhead.circuit import play_force
from bulkhead.circuit.accounts import Freshness, account_frame
from bulkhead.circuit.close import close_frame
from bulkhead.circuit.custody import (
    deposit_frame,
    fund_deposit_frame,
    refund_frame,
    transfer_frame,
    withdrawal_frame,
)
from bulkhead.circuit.frame import Frame
from bulkhead.circuit.instructions import PROGRAM_BITS, Program
from bulkhead.circuit.judge import Other
from bulkhead.circuit.move import move_frame
from bulkhead.circuit.order import Mode, side_frame
from bulkhead.circuit.register import configure_frame, configure_itself_frame, register_frame
from bulkhead.circuit.ticks import funding_tick_frame, oracle_tick_frame, restart_frame, status_change_frame
from bulkhead.circuit.trade import trade_frame
from bulkhead.circuit.venue import Venue
from bulkhead.ledger import tx
from bulkhead.ledger.state import Kind
from bulkhead.rules.prices import quorum

Writer = Callable[[Frame, Venue, Any], None]

BOTH = (False, True)

# The programs that may be the last frame of a transaction; accounts' frames come before it.
PROGRAMS_OF: dict[type, tuple[str, ...]] = {
    tx.Deposit: ("deposit",),
    tx.FundDeposit: ("fund deposit",),
    tx.Refund: ("refund",),
    tx.Withdrawal: ("withdrawal",),
    tx.Transfer: ("transfer",),
    tx.Trade: ("trade",),
    tx.Move: ("move",),
    tx.Liquidation: ("liquidation",),
    tx.Backstop: ("backstop",),
    tx.Deleveraging: ("deleveraging, full",),
    tx.ForcedWithdrawal: ("forced withdrawal",),
    tx.ForcedClose: ("forced close, backstop",),
    tx.OracleTick: ("oracle tick",),
    tx.FundingTick: ("funding tick",),
    tx.StatusChange: ("status change",),
    tx.Restart: ("restart",),
    tx.Register: ("register",),
    tx.Configure: ("configure",),
}


def account_name(count: int, has_choices: bool, freshness: Freshness) -> str:
    """The program of an account with so many positions."""
    return f"account, {count} positions{', choices' if has_choices else ''}, {freshness.name.lower()}"


def side_name(mode: Mode) -> str:
    """The program of one side of a fill."""
    return f"side, {mode}"


def trade_name(maker_frames: int, scales: bool) -> str:
    """The program of a trade: how long ago the maker's side was filled, and whether open interest moves margins."""
    return f"trade, maker {maker_frames} ago{', scaled' if scales else ''}"


def oracle_tick_name(reports: int, scales: bool) -> str:
    """The program of an oracle tick of so many reports, and whether open interest moves margins."""
    return f"oracle tick, {reports} reports{', scaled' if scales else ''}"


def _accounts(venue: Venue) -> dict[str, Writer]:
    return {
        account_name(count, has_choices, freshness): partial(
            account_frame, count=count, has_choices=has_choices, freshness=freshness
        )
        for count in range(venue.positions_max + 1)
        for has_choices in BOTH
        for freshness in Freshness
    }


def _sides() -> dict[str, Writer]:
    return {side_name(mode): partial(side_frame, mode=mode) for mode in Mode}


def move_name(other: Other, trades: bool) -> str:
    """The program of a simple move: what the other account is, and whether positions or choices may move."""
    return f"move, {other}{', trades' if trades else ''}"


def _moves() -> dict[str, Writer]:
    return {
        move_name(other, trades): partial(move_frame, other=other, trades=trades) for other in Other for trades in BOTH
    }


def _trades() -> dict[str, Writer]:
    return {
        trade_name(maker_frames, scales): partial(trade_frame, maker_frames=maker_frames, scales=scales)
        for maker_frames in (3, 4)
        for scales in BOTH
    }


def _ticks(venue: Venue) -> dict[str, Writer]:
    signers = len(venue.config.oracle_keys)
    oracle: dict[str, Writer] = {
        oracle_tick_name(reports, scales): partial(oracle_tick_frame, reports=reports, scales=scales)
        for reports in range(quorum(signers), signers + 1)
        for scales in BOTH
    }
    others: dict[str, Writer] = {
        "funding tick": funding_tick_frame,
        "status change": status_change_frame,
        "restart": restart_frame,
    }
    return oracle | others


def register_name(kind: Kind) -> str:
    """The program that registers an account of a kind."""
    return f"register, {kind.name.lower()}"


def _registrations() -> dict[str, Writer]:
    kinds = (Kind.MAIN, Kind.STRATEGY, Kind.BACKSTOP)
    return {
        **{register_name(kind): partial(register_frame, kind=kind) for kind in kinds},
        "configure": partial(configure_frame, has_child=False),
        "configure, child": partial(configure_frame, has_child=True),
        "configure, itself": configure_itself_frame,
    }


def writers(venue: Venue) -> dict[str, Writer]:
    """The function that writes each program."""
    return {
        "close": close_frame,
        "deposit": deposit_frame,
        "fund deposit": fund_deposit_frame,
        "refund": partial(refund_frame, is_child=False),
        "refund, child": partial(refund_frame, is_child=True),
        "withdrawal": withdrawal_frame,
        "transfer": transfer_frame,
        **_accounts(venue),
        **_sides(),
        **_trades(),
        **_moves(),
        **play_force.WRITERS,
        **_ticks(venue),
        **_registrations(),
    }


@lru_cache(maxsize=16)
def programs(venue: Venue) -> dict[str, Program]:
    """All programs, one after the other. ValueError where they have more instructions than a place can name."""
    return assembled(venue, writers(venue))


def assembled(venue: Venue, written: Mapping[str, Writer], *, in_turn: bool = True) -> dict[str, Program]:
    """What these functions write, one after the other. ValueError where a place cannot name all instructions."""
    found: dict[str, Program] = {}
    start = 0
    for name, write in written.items():
        frame = Frame(name, in_turn=in_turn)
        write(frame, venue, None)
        found[name] = frame.assembled()._replace(start=start)
        start += len(found[name].instructions)
    if start > 1 << PROGRAM_BITS:
        raise ValueError(f"the programs of this venue have {start} instructions; there are 2**{PROGRAM_BITS} places")
    return found
