"""A compiled twin of `engine.book.Book` for the lab's batches: arrays of commands in, fills out, every fill accepted.

Same priority, same fills in the same order as `Book`; what a live `settle` would refuse, the lab sorts out before.

How it is kept. One row of 64 bytes per order id, linked to its neighbours in the level's queue: a command touches one
cache line of its own. A level is a *tick*, counted so that the higher tick is the better one on both sides. Three tiers
of 64-bit words mark the ticks in use, a bit of a tier saying that a word of the tier below is not zero, so the next
best of 262,144 ticks is three words away. Nothing is allocated while it runs, and memory is committed when touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeVar, cast

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from bulkhead.engine.book import BUY, SELL, Resting
from bulkhead.units import BookPrice, Size

# Kinds of command: a row is (kind, order id, side, price, size). What a kind does not need is not read.
LIMIT: Final = 0  # match, then rest what is left
TAKE: Final = 1  # match, rest nothing
CANCEL: Final = 2
REDUCE: Final = 3

TICKS: Final = 64**3  # prices a book spans

_SIDE, _PRICE, _SIZE, _TICK, _NEWER, _OLDER = range(6)  # columns of an order's row; an order rests if it has a size
_BEST, _RESTING, _FILLS, _PRICE_LOW = 0, 2, 3, 4  # columns of row 0, which is no order's: two best ticks, counters
_OLDEST, _NEWEST = range(2)  # columns of a level
_NO_TICK: Final = -1
_TIER_1: Final = 64**2  # where the second and third tier begin among a side's words
_TIER_2: Final = 64**2 + 64

Integers = NDArray[np.int64]
Levels = NDArray[np.int32]  # [side, tick, oldest or newest] → order id, 0 if none
Words = NDArray[np.uint64]  # [side, word]: bit b of word w is set if tick 64w + b holds an order, and so on up
_Function = TypeVar("_Function", bound=Callable[..., object])


def _inlined(function: _Function) -> _Function:
    """`njit`, which ships no types, without losing the function's own. As a call, each would count references."""
    return cast(_Function, njit(inline="always")(function))


def _leading_zeros_code(_context: object, _word: object) -> tuple[Any, Any]:
    def generate(target: Any, builder: Any, _signature: object, arguments: Any) -> Any:
        return builder.ctlz(arguments[0], target.get_constant(types.boolean, False))

    return types.int64(types.uint64), generate


_leading_zeros: Any = intrinsic(_leading_zeros_code)


@_inlined
def _bit(index: int) -> Any:
    return np.uint64(1) << np.uint64(index & 63)


@_inlined
def _best_tick(words: Words, side: int) -> Any:
    """The highest tick in use, from the top tier down."""
    tick = _NO_TICK
    if words[side, _TIER_2]:
        middle = 63 - _leading_zeros(words[side, _TIER_2])
        low = 64 * middle + 63 - _leading_zeros(words[side, _TIER_1 + middle])
        tick = 64 * low + 63 - _leading_zeros(words[side, low])
    return tick


@_inlined
def _tick(rows: Integers, side: int, price: int) -> Any:
    """A price as seen from a side, counted from its worst end."""
    return price - rows[0, _PRICE_LOW] if side == BUY else rows[0, _PRICE_LOW] + TICKS - 1 - price


@_inlined
def _append(rows: Integers, levels: Levels, words: Words, order_id: int) -> None:
    """Put an order at the end of its level."""
    side, tick = rows[order_id, _SIDE], rows[order_id, _TICK]
    newest = int(levels[side, tick, _NEWEST])
    rows[order_id, _NEWER] = 0
    rows[order_id, _OLDER] = newest
    levels[side, tick, _NEWEST] = order_id
    if newest:
        rows[newest, _NEWER] = order_id
    else:
        levels[side, tick, _OLDEST] = order_id
        words[side, tick >> 6] |= _bit(tick)
        words[side, _TIER_1 + (tick >> 12)] |= _bit(tick >> 6)
        words[side, _TIER_2] |= _bit(tick >> 12)
        rows[0, _BEST + side] = max(rows[0, _BEST + side], tick)
    rows[0, _RESTING] += 1


@_inlined
def _remove(rows: Integers, levels: Levels, words: Words, order_id: int) -> None:
    """Take an order out of its level."""
    side, tick = rows[order_id, _SIDE], rows[order_id, _TICK]
    newer, older = rows[order_id, _NEWER], rows[order_id, _OLDER]
    if older:
        rows[older, _NEWER] = newer
    else:
        levels[side, tick, _OLDEST] = newer
    if newer:
        rows[newer, _OLDER] = older
    else:
        levels[side, tick, _NEWEST] = older
    if not older and not newer:
        words[side, tick >> 6] &= ~_bit(tick)
        if words[side, tick >> 6] == 0:
            words[side, _TIER_1 + (tick >> 12)] &= ~_bit(tick >> 6)
            if words[side, _TIER_1 + (tick >> 12)] == 0:
                words[side, _TIER_2] &= ~_bit(tick >> 12)
        if tick == rows[0, _BEST + side]:
            rows[0, _BEST + side] = _best_tick(words, side)
    rows[order_id, _SIZE] = 0
    rows[0, _RESTING] -= 1


@_inlined
def _sound(rows: Integers, command: Integers) -> Any:
    """Whether a command makes sense: `Book` asserts the same. A cancel always does."""
    kind, order_id, side, price, size = command[0], command[1], command[2], command[3], command[4]
    order = (side == BUY or side == SELL) and size > 0 and price > 0
    sound = kind == CANCEL or (kind == REDUCE and size > 0) or (kind == TAKE and order)
    if kind == LIMIT and order and 0 < order_id < rows.shape[0]:
        sound = rows[order_id, _SIZE] == 0 and 0 <= price - rows[0, _PRICE_LOW] < TICKS
    return sound


def _run_code(rows: Integers, levels: Levels, words: Words, commands: Integers, left: Integers, fills: Integers) -> int:
    """Carry out commands in order, up to the first that is not sound; how many were."""
    count = 0
    for index in range(commands.shape[0]):
        if not _sound(rows, commands[index]):
            rows[0, _FILLS] = count
            return index
        kind, order_id, side = commands[index, 0], commands[index, 1], commands[index, 2]
        price, size = commands[index, 3], commands[index, 4]
        if kind == LIMIT or kind == TAKE:
            other = 1 - side
            limit = max(0, _tick(rows, other, price))  # no tick in use is below every limit
            while size and rows[0, _BEST + other] >= limit:
                maker_id = int(levels[other, rows[0, _BEST + other], _OLDEST])
                available = rows[maker_id, _SIZE]
                filled = min(size, available)
                fills[count, 0] = maker_id
                fills[count, 1] = order_id
                fills[count, 2] = rows[maker_id, _PRICE]
                fills[count, 3] = filled
                count += 1
                size -= filled
                if filled == available:
                    _remove(rows, levels, words, maker_id)
                else:
                    rows[maker_id, _SIZE] = available - filled
            left[index] = size
            if size and kind == LIMIT:
                rows[order_id, _SIDE] = side
                rows[order_id, _PRICE] = price
                rows[order_id, _SIZE] = size
                rows[order_id, _TICK] = _tick(rows, side, price)
                _append(rows, levels, words, order_id)
            continue
        left[index] = 0
        if not 0 < order_id < rows.shape[0] or rows[order_id, _SIZE] == 0:
            continue
        if kind == CANCEL:
            left[index] = rows[order_id, _SIZE]
            _remove(rows, levels, words, order_id)
        elif size < rows[order_id, _SIZE]:
            left[index] = 1
            rows[order_id, _SIZE] = size
    rows[0, _FILLS] = count
    return int(commands.shape[0])


_run = cast("Callable[[Integers, Levels, Words, Integers, Integers, Integers], int]", njit(cache=True)(_run_code))


class Outcome(NamedTuple):
    """What a batch did."""

    fills: Integers  # [fill, (maker id, taker id, price, size)]
    left: Integers  # of each command: lots left after matching, lots cancelled, or 1 if reduced


class BatchBook:
    """A book for prices from `price_low` on, of orders with ids from 1 to `order_id_max`: 64 bytes for each id used."""

    def __init__(self, price_low: int = 1, order_id_max: int = (1 << 22) - 1) -> None:
        self._rows = np.zeros((order_id_max + 1, 8), np.int64)
        self._rows[0, [_BEST + BUY, _BEST + SELL, _PRICE_LOW]] = _NO_TICK, _NO_TICK, price_low
        self._levels = np.zeros((2, TICKS, 2), np.int32)
        self._words = np.zeros((2, _TIER_2 + 1), np.uint64)
        self._fills = np.zeros((0, 4), np.int64)

    def run(self, commands: Integers) -> Outcome:
        """Carry out a batch. An unsound command raises ValueError; the commands before it stay done."""
        if commands.ndim != 2 or commands.shape[1] != 5 or commands.dtype != np.int64:
            raise ValueError("commands are rows of five 64-bit integers: kind, order id, side, price, size")
        count = commands.shape[0]
        # A fill ends its maker or its taker, and a maker rested before or came with the batch: no more can come.
        fills_max = len(self) + 2 * count
        if self._fills.shape[0] < fills_max:
            self._fills = np.zeros((2 * fills_max, 4), np.int64)
        left = np.zeros(count, np.int64)
        done = _run(self._rows, self._levels, self._words, np.ascontiguousarray(commands), left, self._fills)
        if done < count:
            low = int(self._rows[0, _PRICE_LOW])
            raise ValueError(
                f"command {done} of {count}, {commands[done].tolist()}, is not sound: a known kind, side 0 or 1, "
                f"size and price of at least 1; to rest also a price in {low}..{low + TICKS - 1} "
                f"and an id in 1..{self._rows.shape[0] - 1} that is not resting"
            )
        return Outcome(self._fills[: self._rows[0, _FILLS]].copy(), left)

    def __len__(self) -> int:
        return int(self._rows[0, _RESTING])

    def __iter__(self) -> Iterator[Resting]:
        """The same sequence as `Book` gives: buys, then sells, in priority order."""
        for side in (BUY, SELL):
            for tick in np.flatnonzero(self._levels[side, :, _OLDEST])[::-1]:
                order_id = int(self._levels[side, tick, _OLDEST])
                while order_id:
                    row = self._rows[order_id]
                    yield Resting(order_id, side, BookPrice(int(row[_PRICE])), Size(int(row[_SIZE])))
                    order_id = int(row[_NEWER])
