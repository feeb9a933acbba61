"""Scripted crashes: what goes wrong by name, at a time, for a while, on top of any world's prices.

A script takes paths and gives paths with one thing changed: prices, or one of the arrays of `Paths` by which a venue,
its oracle, its books, its collateral and the outside may fail. Scripts go together in any number and order: depth and
collateral multiply, what is dead stays dead while any script says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.paths.cube import Flags, Paths
from bulkhead.lab.prices.bars import DataError

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
HOUR_MS = UNITS_MS["h"]
LOOKS = 3
Shares = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Something that goes wrong from `at_ms` on for `last_ms`, in some markets (none named: all)."""

    name: ClassVar[str]
    words: ClassVar[str]
    is_whole: ClassVar[bool] = False  # it holds for whole paths, and has no settings
    at_ms: int = 6 * HOUR_MS
    last_ms: int = HOUR_MS
    symbols: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.at_ms < 0 or self.last_ms < 1:
            raise DataError(f"{self.name}: begins at {self.at_ms} ms and lasts {self.last_ms} ms")

    def apply(self, paths: Paths) -> Paths:
        """The paths with this gone wrong."""
        raise NotImplementedError

    def window(self, paths: Paths) -> slice:
        """The steps it lasts; one that would begin after the end is refused, for it would test nothing."""
        first = self.at_ms // paths.step_ms
        if first >= paths.steps:
            raise DataError(f"{self.name}: begins at step {first + 1}, the paths end at step {paths.steps}")
        return slice(first, first + max(1, -(-self.last_ms // paths.step_ms)))

    def columns(self, paths: Paths) -> list[int]:
        """The markets it is about."""
        if missing := [symbol for symbol in self.symbols if symbol not in paths.symbols]:
            raise DataError(f"{self.name}: no market {', '.join(missing)}; there are {', '.join(paths.symbols)}")
        return [paths.symbols.index(symbol) for symbol in self.symbols or paths.symbols]

    def closed(self, paths: Paths, old: Flags | None) -> Flags:
        """A flag by step, False while it lasts."""
        flags = np.ones(paths.steps, dtype=bool) if old is None else old.copy()
        flags[self.window(paths)] = False
        return flags

    def ramp(self, paths: Paths, depth: float, recovers: float) -> Shares:
        """A factor by step: falls by `depth` within the first tenth of the window, then wins back a share of it."""
        window = self.window(paths)
        length = window.stop - window.start
        fall = max(1, length // 10)
        step = np.arange(1, paths.steps - window.start + 1)
        down = np.minimum(step / fall, 1.0)
        back = np.clip((step - fall) / max(1, length - fall), 0.0, 1.0) * recovers
        made = np.ones(paths.steps, dtype=np.float32)
        made[window.start :] = 1 - depth * (down - back * (step > fall))
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadOracle(Script):
    """No price of these markets arrives: the venue goes on with the last one, while the markets move on."""

    name: ClassVar[str] = "dead-oracle"
    words: ClassVar[str] = "no oracle price arrives: the venue knows the last one, then sees the whole move at once"

    def apply(self, paths: Paths) -> Paths:
        alive = np.ones((paths.steps, len(paths.symbols)), dtype=bool)
        if paths.feed_alive is not None:
            alive = paths.feed_alive.copy()
        alive[self.window(paths), self.columns(paths)] = False
        return replace(paths, feed_alive=alive)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinBook(Script):
    """Makers leave: depth is a small share of the usual, so that liquidations fill further away."""

    name: ClassVar[str] = "thin-book"
    words: ClassVar[str] = "makers leave: the book has `depth` of its usual depth"
    last_ms: int = 6 * HOUR_MS
    depth: float = 0.1

    def __post_init__(self) -> None:
        Script.__post_init__(self)
        if not 0 < self.depth <= 1:
            raise DataError(f"{self.name}: depth is a share of the usual in (0, 1], not {self.depth:g}")

    def apply(self, paths: Paths) -> Paths:
        return replace(paths, depth_factor=_thinned(self, paths, self.depth))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(Script):
    """The exchange is down: no order, no liquidation, no withdrawal and no collateral in, while prices move on."""

    name: ClassVar[str] = "outage"
    words: ClassVar[str] = "the exchange is down: no orders, no liquidations, no collateral in or out; prices move on"
    last_ms: int = 2 * HOUR_MS

    def apply(self, paths: Paths) -> Paths:
        return replace(
            paths,
            venue_open=self.closed(paths, paths.venue_open),
            withdrawals_open=self.closed(paths, paths.withdrawals_open),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HedgeOutage(Script):
    """The other exchange is down, where hedges are held: nothing can be closed, opened or brought over from there."""

    name: ClassVar[str] = "hedge-outage"
    words: ClassVar[str] = "the other exchange, where hedges are, is down; nothing can be closed or brought from there"
    last_ms: int = 2 * HOUR_MS

    def apply(self, paths: Paths) -> Paths:
        return replace(
            paths,
            hedge_open=self.closed(paths, paths.hedge_open),
            withdrawals_open=self.closed(paths, paths.withdrawals_open),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OneHand(Script):
    """One market's open interest is mostly in one hand, which is unwound: the price runs in a book without makers."""

    name: ClassVar[str] = "one-hand"
    words: ClassVar[str] = "`share` of one market's open interest is in one hand and unwinds: its price runs by `move`"
    last_ms: int = 3 * HOUR_MS
    share: float = 0.6
    move: float = -0.5
    recovers: float = 0.5
    depth: float = 0.2

    def __post_init__(self) -> None:
        Script.__post_init__(self)
        if not (0 < self.share <= 1 and 0 < self.depth <= 1 and 0 <= self.recovers <= 1 and self.move > -1):
            raise DataError(f"{self.name}: share and depth are in (0, 1], recovers in [0, 1], move above -1: {self}")

    def apply(self, paths: Paths) -> Paths:
        # Without a name it is the last market: portfolios list the majors first.
        one = self if self.symbols else replace(self, symbols=paths.symbols[-1:])
        columns = one.columns(paths)
        held = np.zeros(len(paths.symbols), dtype=np.float32) if paths.held_share is None else paths.held_share.copy()
        held[columns] = np.maximum(held[columns], self.share)
        moved = _moved(paths, one.ramp(paths, -self.move, self.recovers), columns)
        return replace(moved, held_share=held, depth_factor=_thinned(one, paths, self.depth))


@dataclass(frozen=True, slots=True, kw_only=True)
class Depeg(Script):
    """The stablecoin that is the collateral falls below a dollar."""

    name: ClassVar[str] = "depeg"
    words: ClassVar[str] = "the stablecoin that serves as collateral falls by `depth`, and comes back by `recovers`"
    last_ms: int = 24 * HOUR_MS
    depth: float = 0.1
    recovers: float = 0.8

    def __post_init__(self) -> None:
        Script.__post_init__(self)
        if not (0 < self.depth < 1 and 0 <= self.recovers <= 1):
            raise DataError(f"{self.name}: depth is in (0, 1), recovers in [0, 1]: {self}")

    def apply(self, paths: Paths) -> Paths:
        made = self.ramp(paths, self.depth, self.recovers)
        if paths.collateral_price is not None:
            made = made * paths.collateral_price
        return replace(paths, collateral_price=made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fall(Script):
    """Prices of these markets fall together, on top of what the world does."""

    name: ClassVar[str] = "fall"
    words: ClassVar[str] = "prices fall by `depth` within a tenth of the time, and win back `recovers` of it by its end"
    depth: float = 0.3
    recovers: float = 0.5

    def __post_init__(self) -> None:
        Script.__post_init__(self)
        if not (self.depth < 1 and 0 <= self.recovers <= 1):
            raise DataError(f"{self.name}: depth is below 1, recovers in [0, 1]: {self}")

    def apply(self, paths: Paths) -> Paths:
        return _moved(paths, self.ramp(paths, self.depth, self.recovers), self.columns(paths))


def _thinned(script: Script, paths: Paths, depth: float) -> Shares:
    factor = np.ones((paths.steps, len(paths.symbols)), dtype=np.float32)
    if paths.depth_factor is not None:
        factor = paths.depth_factor.copy()
    factor[script.window(paths), script.columns(paths)] *= np.float32(depth)
    return factor


def _moved(paths: Paths, factor: Shares, columns: list[int]) -> Paths:
    """Prices of some markets times a factor by step; extremes take the worse end of the step."""
    by_market = np.ones((paths.steps, len(paths.symbols)), dtype=np.float32)
    by_market[:, columns] = factor[:, None]
    before = np.concatenate([np.ones_like(by_market[:1]), by_market[:-1]])
    return replace(
        paths,
        ratio=paths.ratio * by_market,
        low=None if paths.low is None else paths.low * np.minimum(before, by_market),
        high=None if paths.high is None else paths.high * np.maximum(before, by_market),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Within(Script):
    """Nothing goes wrong; but every step is looked at three times: at its low, at its high, and at its end.

    All markets are at their lows together, and then at their highs, as a fall and its recovery would have it.
    """

    name: ClassVar[str] = "within"
    words: ClassVar[str] = "no crash: each step is looked at in its low, its high and its end, all markets together"
    is_whole: ClassVar[bool] = True
    at_ms: int = 0

    def __post_init__(self) -> None:
        if (self.at_ms, self.last_ms, self.symbols) != (0, HOUR_MS, ()):
            raise DataError(f"{self.name}: has no settings; it holds for whole paths")

    def apply(self, paths: Paths) -> Paths:
        if paths.low is None or paths.high is None:
            raise DataError(f"{self.name}: {paths.source} knows no lows and highs; `extremes=yes` draws them")
        if paths.step_ms % LOOKS:
            raise DataError(f"{self.name}: steps of {paths.step_ms} ms are not {LOOKS} of whole milliseconds")
        count, steps, markets = paths.ratio.shape
        ratio = np.stack([paths.low, paths.high, paths.ratio], axis=2).reshape(count, LOOKS * steps, markets)
        by_step = ("feed_alive", "depth_factor", "venue_open", "withdrawals_open", "collateral_price", "hedge_open")
        longer: dict[str, Any] = {
            name: None if old is None else np.repeat(old, LOOKS, axis=0)
            for name in by_step for old in [getattr(paths, name)]
        }  # fmt: skip
        step_ms, payments = paths.step_ms // LOOKS, LOOKS * paths.funding_steps
        return replace(paths, ratio=ratio, low=None, high=None, step_ms=step_ms, funding_steps=payments, **longer)


SCRIPTS: dict[str, type[Script]] = {
    one.name: one for one in (DeadOracle, ThinBook, Outage, HedgeOutage, OneHand, Depeg, Fall, Within)
}


def script_of(text: str) -> Script:
    """A script by name and settings: `dead-oracle:symbols=BTC/ETH,at=30m,last=2h`."""
    name, _, settings = text.partition(":")
    if name not in SCRIPTS:
        raise DataError(f"no script {name!r}; there are {', '.join(SCRIPTS)}")
    kind = SCRIPTS[name]
    known = {one.name.removesuffix("_ms"): one.name for one in fields(kind)}
    given: dict[str, Any] = {}
    for part in settings.split(",") if settings else ():
        key, _, value = part.partition("=")
        if key not in known or not value:
            raise DataError(f"{name}: {part!r} is no setting; there are {', '.join(known)}")
        reader = READERS.get(key, _number)
        given[known[key]] = reader(value, f"{name}: {key}")
    return kind(**given)


def duration_ms(text: str, what: str) -> int:
    """`90s`, `30m`, `2h` or `1d` in milliseconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if not found:
        raise DataError(f"{what} is a time like 30m, 2h or 1d, not {text!r}")
    return round(float(found[1]) * UNITS_MS[found[2]])


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise DataError(f"{what} is a number, not {text!r}") from None
    if not np.isfinite(value):
        raise DataError(f"{what} is a finite number, not {text!r}")
    return value


def _symbols(text: str, _what: str) -> tuple[str, ...]:
    return tuple(text.upper().split("/"))


READERS: dict[str, Callable[[str, str], Any]] = {"at": duration_ms, "last": duration_ms, "symbols": _symbols}
