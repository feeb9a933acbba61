"""What the exchange says of one what-if: the comparison, every point of the slider, sizes for a loss; markets too."""

from __future__ import annotations

import asyncio
import time
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import NamedTuple
from weakref import WeakKeyDictionary

from bulkhead.client import Exchange, Preview, Trader, WhatIf
from bulkhead.client.models import ModePreview
from bulkhead.client.what_if import ModeWhatIf, Point
from bulkhead.terminal.compare.link import MODES, Question
from bulkhead.terminal.compare.moments import (
    INTERVALS,
    NOTHING_KNOWN,
    RETURNS_MIN,
    Correlation,
    Joint,
    Moments,
    joint_move,
    moments_of,
)
from bulkhead.terminal.session import NotReady, Session

MOMENTS_KEPT_S = 60.0
WHOSE = "what an order risks depends on what its account holds"
PRICE_STEP = SHARE_STEP = Decimal("0.00000001")  # to which the exchange tells index prices
Asked = tuple[str, frozenset[str]]
"""The market that matters most, and all of them."""
_kept: WeakKeyDictionary[Exchange, dict[Asked, tuple[float, Moments]]] = WeakKeyDictionary()


class Mode(NamedTuple):
    """One margin mode: what its preview and its what-if say."""

    name: str
    preview: ModePreview
    what_if: ModeWhatIf


class Answer(NamedTuple):
    """A question answered. `moves` and each mode's points are in the order of `grid`.

    `reject`: why the order would be refused now; when it is for anything but margin there are no modes.
    """

    question: Question
    account_id: int
    reject: str | None
    modes: tuple[Mode, ...]
    grid: tuple[Decimal, ...]
    moves: tuple[Joint, ...]
    prices: tuple[dict[str, Decimal], ...]
    moments: Moments
    sizes: dict[str, Decimal]  # by mode, where a loss was named

    def mode(self, name: str) -> Mode | None:
        """A mode by its name."""
        return next((one for one in self.modes if one.name == name), None)

    @property
    def now(self) -> int:
        """The place in the grid where nothing moves."""
        return self.grid.index(Decimal(0))

    def place_of(self, share: Decimal) -> int:
        """The place in the grid nearest to a move."""
        return min(range(len(self.grid)), key=lambda place: (abs(self.grid[place] - share), place))

    def point(self, mode: Mode, place: int) -> Point:
        """What the exchange says of a mode there."""
        return mode.what_if.points[place]

    def index_at(self, place: int) -> Decimal:
        """The index of the order's market there."""
        return self.prices[place][self.question.market]


def held_markets(session: Session) -> list[str]:
    """Markets in which any account of this owner has a position."""
    return sorted({market for account in session.accounts.values() for market in account.positions})


def check_unlocked(session: Session) -> None:
    """Raises NotReady where no account is open: then that is what is missing, whatever was entered."""
    if session.active is None:
        raise NotReady(f"unlock an account first: {WHOSE}")


def trader_of(session: Session, question: Question) -> Trader:
    """Whose what-if it is. Raises NotReady where that account is not open here."""
    account = session.accounts.get(question.account) if question.account else session.active
    if account is None:
        wanted = f"account {question.account}" if question.account else "an account"
        raise NotReady(f"unlock {wanted} first: {WHOSE}")
    return account.trader


async def ask(session: Session, question: Question) -> Answer:
    """Everything at once. Raises NotReady, and what the client raises."""
    trader = trader_of(session, question)
    others = held_markets(session)
    moments = await moments_for(session.exchange, [question.market, *others])
    preview, sizes = await asyncio.gather(
        trader.preview(question.order, leverage=question.leverage), _sizes(trader, question)
    )
    index = (await session.exchange.statistics(question.market)).index_price
    grid = grid_of(question, preview, index)
    moves = tuple(joint_move(moments, question.market, share, others, question.correlation) for share in grid)
    what_if = await trader.what_if(question.order, [one.shares for one in moves], leverage=question.leverage)
    return answer_of(question, trader.account_id, (preview, what_if), (grid, moves), moments, sizes)


def grid_of(question: Question, preview: Preview, index: Decimal) -> tuple[Decimal, ...]:
    """The slider's places, and between them each price at which a mode is liquidated, so that it stops there exactly.

    Those prices are told with other markets unmoved. Where others move along, they are good for modes that hold none.
    """
    grid = question.grid
    exact: set[Decimal] = set()
    for mode in preview.modes:
        is_alone = question.correlation is Correlation.ZERO or mode.shared_with == [question.market]
        if mode.liquidation_price and index and is_alone:
            # Shown prices are rounded down: a long is liquidated at what is shown, a short just above it.
            is_long = mode.position_size > 0
            price = mode.liquidation_price + (0 if is_long else PRICE_STEP)
            share = (price / index - 1).quantize(SHARE_STEP, ROUND_FLOOR if is_long else ROUND_CEILING)
            if grid[0] < share < grid[-1]:
                exact.add(share)
    return tuple(sorted({*grid, *exact}))


def answer_of(
    question: Question,
    account_id: int,
    told: tuple[Preview, WhatIf],
    along: tuple[tuple[Decimal, ...], tuple[Joint, ...]],
    moments: Moments,
    sizes: dict[str, Decimal],
) -> Answer:
    """What was told, put together mode by mode."""
    preview, what_if = told
    columns = {one.margin_mode: one for one in preview.modes}
    points = {one.margin_mode: one for one in what_if.modes}
    modes = tuple(Mode(name, columns[name], points[name]) for name in MODES if name in columns and name in points)
    return Answer(question, account_id, preview.reject, modes, *along, tuple(what_if.prices), moments, sizes)


async def _sizes(trader: Trader, question: Question) -> dict[str, Decimal]:
    """By mode, the most that loses no more than was named in the worst stress."""
    if not question.loss:
        return {}
    found = await asyncio.gather(
        *(
            trader.size_for(question.market, question.side, question.loss, mode=mode, leverage=question.leverage)
            for mode in MODES
        )
    )
    return dict(zip(MODES, found, strict=True))


async def moments_for(exchange: Exchange, markets: list[str]) -> Moments:
    """Deviations and correlations of markets, the first of which matters most; kept for a minute.

    Taken from the longest bars of which there are enough for all; else of which there are enough for the first market,
    else from none, and then the counts of the shortest bars say how far they are from it.
    """
    wanted = markets[0], frozenset(markets)
    kept = _kept.setdefault(exchange, {})
    told_s, found = kept.get(wanted, (0.0, NOTHING_KNOWN))
    if told_s and time.monotonic() - told_s < MOMENTS_KEPT_S:
        return found
    best = found = NOTHING_KNOWN
    names = sorted(wanted[1])
    for interval in INTERVALS:
        candles = await asyncio.gather(
            *(exchange.candles(name, interval.name, kind="index-prices", limit=interval.limit) for name in names)
        )
        found = moments_of(interval, dict(zip(names, candles, strict=True)))
        if all(count >= RETURNS_MIN for count in found.counts.values()):
            best = found
            break
        if best is NOTHING_KNOWN and found.counts[markets[0]] >= RETURNS_MIN:
            best = found
    found = found if best is NOTHING_KNOWN else best
    kept[wanted] = (time.monotonic(), found)
    return found
