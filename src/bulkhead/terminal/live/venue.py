"""What a venue tells of itself, and what an account may check there: asked while a screen shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from bulkhead.client import Compartments, Market, Trader
from bulkhead.client.checklist import Facts, facts_of
from bulkhead.client.models import Operation, Order
from bulkhead.terminal.live.asked import Asked
from bulkhead.terminal.session import NotReady, Session

FAST_S, STEADY_S, SLOW_S = 1.0, 2.0, 10.0
CHECKLIST_S = 5.0  # it asks seven questions: an address has a thousand a minute
ROWS = 100
Rows = list[Any]  # and what is not a list: as `client.answers` has them
Value = TypeVar("Value")


class Venue:
    """One exchange's own books. Made by `venue_of`."""

    def __init__(self, session: Session) -> None:
        books = session.exchange.books
        self.operator: Asked[Any] = Asked("operator", STEADY_S, books.operator)
        self.oracle: Asked[Any] = Asked("oracle", STEADY_S, books.oracle)
        self.settlement: Asked[Any] = Asked("settlement", STEADY_S, books.settlement)
        self.batches: Asked[Rows] = Asked("batches", STEADY_S, lambda: books.batches(ROWS))
        self.forced: Asked[Rows] = Asked("forced requests", STEADY_S, lambda: books.forced(ROWS))
        self.liquidations: Asked[Rows] = Asked("liquidations", STEADY_S, lambda: books.liquidations(limit=ROWS))
        self.insurance: Asked[Any] = Asked("insurance", STEADY_S, lambda: books.insurance())
        self.proposals: Asked[Rows] = Asked("proposals", SLOW_S, books.proposals)
        self.solvency: Asked[Any] = Asked("solvency", SLOW_S, books.solvency)
        self.markets: Asked[dict[str, Market]] = Asked("markets", STEADY_S, session.exchange.markets)


class Own:
    """What the unlocked owner may ask: of his main account, which sees what is below it, or of each account for itself.
    Made by `own_of`."""

    def __init__(self, session: Session) -> None:
        def by(ask: Callable[[Trader], Any]) -> Callable[[], Any]:
            async def inside() -> Any:
                if session.main is None:
                    raise NotReady("unlock an account first")
                return await ask(session.main.trader)

            return inside

        def by_each(ask: Callable[[Trader], Any]) -> Callable[[], Any]:
            async def inside() -> Any:
                traders = [account.trader for account in session.accounts.values()]
                if not traders:
                    raise NotReady("unlock an account first")
                return [one for rows in await asyncio.gather(*(ask(trader) for trader in traders)) for one in rows]

            return inside

        self.compartments: Asked[Compartments] = Asked("compartments", FAST_S, by(lambda one: one.compartments()))
        self.profit: Asked[Rows] = Asked("profit", STEADY_S, by(lambda one: one.evidence.profit()))
        self.facts: Asked[Facts] = Asked("facts", CHECKLIST_S, by(lambda one: facts_of(one.exchange.books)))
        self.liquidations: Asked[Rows] = Asked(
            "own liquidations", STEADY_S, by_each(lambda one: one.evidence.liquidations(limit=ROWS))
        )
        self.operations: Asked[list[Operation]] = Asked(
            "operations", STEADY_S, by_each(lambda one: one.operations(ROWS))
        )
        self.orders: Asked[list[Order]] = Asked(
            "past orders", STEADY_S, by_each(lambda one: one.orders_history(limit=ROWS))
        )
        self.ranks: Asked[Rows] = Asked("deleveraging", STEADY_S, by(lambda one: one.evidence.deleveraging()))


_venues: WeakKeyDictionary[Session, Venue] = WeakKeyDictionary()
_own: WeakKeyDictionary[Session, Own] = WeakKeyDictionary()


def venue_of(session: Session) -> Venue:
    """The same for all tabs of a session."""
    if session not in _venues:
        _venues[session] = Venue(session)
    return _venues[session]


def own_of(session: Session) -> Own:
    """The same for all tabs of a session; what it knew is forgotten when another account is unlocked."""
    if session not in _own:
        made = _own[session] = Own(session)

        def changed() -> None:
            for one in vars(made).values():
                one.value = None
                one.tell()

        session.who.listen(changed)
    return _own[session]
