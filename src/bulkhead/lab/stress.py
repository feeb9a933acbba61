"""A portfolio in every crash: scripted ones on drawn paths, and recorded days, under each margin mode.

The same money stands behind the portfolio in every mode. Isolated: each position its own account, with a share of the
collateral in proportion to initial margin. Cross: one account. Strategy: one for each strategy that the portfolio
names. Scenario: one account by the joint margin rule. Recorded days are walked minute by minute inside their bars, low
first, so that no account sleeps through a bar's low.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.choice.estimates import Estimate, share
from bulkhead.lab.choice.sample import lots_of, shares_of, venue_for
from bulkhead.lab.finding import Finding, folder_named
from bulkhead.lab.kernel import Accounts, Outcomes, Venue, run
from bulkhead.lab.kernel.terms import MICRO
from bulkhead.lab.paths.cube import Paths, World
from bulkhead.lab.paths.recorded import EVENTS, RecordedWorld
from bulkhead.lab.portfolio import Portfolio
from bulkhead.lab.prices.bars import DataError, Floats
from bulkhead.lab.worlds import world_of

Names = tuple[str, ...]
DAY_MS = 86_400_000
EVENT_STEP_MS = 60_000
FALL = "fall:at=6h,last=3h,depth=0.3,recovers=0.4"
CRASHES = {
    "a fall of 30 %": FALL,
    "the fall, and no oracle price for its first hour": f"{FALL}+dead-oracle:at=6h,last=1h",
    "the fall into a book of a tenth of its depth": f"{FALL}+thin-book:at=6h,last=6h,depth=0.1",
    "the fall while the exchange is down": f"{FALL}+outage:at=6h,last=2h",
    "the fall while hedges elsewhere cannot be reached": f"{FALL}+hedge-outage:at=6h,last=4h",
    "the fall, and the collateral loses its peg": f"{FALL}+depeg:at=6h,last=1d,depth=0.1",
    "one market's open interest in one hand unwinds": "one-hand:at=6h,last=3h,share=0.6,move=-0.5",
    "no oracle price for two hours": "dead-oracle:at=6h,last=2h",
    "a rise of 30 %": "fall:at=6h,last=3h,depth=-0.3,recovers=0.4",
    "everything at once": f"{FALL}+dead-oracle:at=6h,last=1h+thin-book:at=6h,last=6h+outage:at=7h,last=1h+depeg:at=6h",
}


class Case(NamedTuple):
    """One crash: a world by name, and for how long and on how many paths it is run."""

    title: str
    world: str
    paths: int
    steps: int


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One crash under one mode. Money is USD."""

    title: str
    mode: str
    paths: int
    liquidated: Estimate  # chance that anything is liquidated
    lost: Estimate  # chance that every position is closed by liquidation
    kept: float  # mean equity at the end, in dollars: what the collateral is worth then counts
    kept_worst: float
    slippage_bp: float | None  # of what was closed, in all paths; None where nothing was
    debt: float  # the most that others had to bear
    stuck: float  # share of paths with a margin call at a moment when no collateral can be moved
    source: str
    finding: Finding | None  # the worst path, where something was liquidated
    repairs: tuple[str, ...] = ()  # of the data it was run on


@dataclass(frozen=True, slots=True, eq=False)
class Absent:
    """A crash that could not be run, and why."""

    title: str
    reason: str


def cases(base: str, paths: int, days: float, step_ms: int, data_dir: Path | None) -> Iterator[Case]:
    """Every scripted crash on top of a base world, then every recorded event."""
    steps = round(days * DAY_MS / step_ms)
    yield Case("nothing but the world itself", base, paths, steps)
    for title, scripts in CRASHES.items():
        yield Case(title, f"{base}+{scripts}", paths, steps)
    for day, event in EVENTS.items():
        yield Case(f"{day}: {event.words}", f"event:{day}", 1, 0)


def accounts_of(venue: Venue, portfolio: Portfolio) -> dict[str, tuple[NDArray[np.bool_], Accounts]]:
    """By mode: which positions each account holds (accounts, positions), and the accounts."""
    size = lots_of(venue, portfolio)
    shares = shares_of(venue, size, portfolio.collateral)
    count = len(size)
    strategies = list(dict.fromkeys(one.strategy for one in portfolio.holdings))
    parts = {
        "isolated": np.eye(count, dtype=bool),
        "cross": np.ones((1, count), dtype=bool),
        "strategy": np.array([[one.strategy == name for one in portfolio.holdings] for name in strategies]),
        "scenario": np.ones((1, count), dtype=bool),
    }
    if len(strategies) == 1:
        del parts["strategy"]  # it would be cross under another name
    return {
        mode: (inside, Accounts.of_lots(venue, inside * size, inside @ shares, mode == "scenario"))
        for mode, inside in parts.items()
    }


def event_steps(world: World) -> int:
    """From the beginning of an event to the end of its record, at most three days."""
    if not isinstance(world, RecordedWorld):
        raise ValueError(f"{world.name} is no recorded event")
    return min(len(world.grid) - world.anchor, round(3 * DAY_MS / world.step_ms))


def stress(
    portfolio: Portfolio,
    wanted: Iterator[Case],
    *,
    seed: int,
    step_ms: int,
    data_dir: Path | None,
    tell: Callable[[str], None] = lambda _title: None,
) -> Iterator[Row | Absent]:
    """Every case under every mode. A crash whose data or markets are not there is told, not left out."""
    venue = venue_for(portfolio)
    modes = accounts_of(venue, portfolio)
    for case in wanted:
        tell(case.title)
        own = EVENT_STEP_MS if case.world.startswith("event:") else step_ms
        try:
            world = world_of(case.world, seed=seed, step_ms=own, symbols=portfolio.symbols, data_dir=data_dir)
            steps = case.steps or event_steps(world)
            chunks = list(world.chunks(case.paths, steps))
        except DataError as error:
            yield Absent(case.title, str(error))
            continue
        for mode, (_inside, accounts) in modes.items():
            yield _row((case.title, mode), venue, accounts, chunks, world, (portfolio, folder_named(data_dir)))


def _row(
    called: tuple[str, str], venue: Venue, accounts: Accounts, chunks: list[Paths], world: World,
    with_what: tuple[Portfolio, str],
) -> Row:
    """One crash under one mode; `with_what` is the portfolio, and the folder of price sets that was named."""
    (title, mode), (portfolio, data) = called, with_what
    done = [run(venue, accounts, chunk) for chunk in chunks]
    hit = np.concatenate([each.is_liquidated.any(axis=1) for each in done])
    flat = np.concatenate([(each.flat_step >= 0).all(axis=1) for each in done])
    equity = np.concatenate([_in_dollars(each, chunk) for each, chunk in zip(done, chunks, strict=True)])
    debt = np.concatenate([each.bad_debt.sum(axis=1) for each in done]) / MICRO
    closed, slippage = (sum(float(getattr(each, name).sum()) for each in done) for name in ("closed", "slippage"))
    stuck = np.concatenate([_stuck(each, chunk) for each, chunk in zip(done, chunks, strict=True)])
    never = np.iinfo(np.int32).max
    first = np.concatenate([np.where(each.first_step < 0, never, each.first_step).min(axis=1) for each in done])
    worst = int(np.argmin(np.where(hit, equity, np.inf)))
    finding = None
    if hit.any():
        lost = portfolio.collateral - equity[worst]
        turned = f"${lost:,.0f} are lost" if lost > 0 else f"liquidated in part, and ${-lost:,.0f} are won"
        what = f"{title}, {mode}: of ${portfolio.collateral:,.0f}, {turned}"
        finding = Finding(
            world.name, world.seed, worst, int(first[worst]), what, portfolio.file or None,
            chunks[0].steps, portfolio.symbols, world.step_ms, data=data,
        )  # fmt: skip
    return Row(
        title, mode, len(hit), share(int(hit.sum()), len(hit)), share(int(flat.sum()), len(flat)),
        float(equity.mean()), float(equity.min()), 1e4 * slippage / closed if closed else None, float(debt.max()),
        float(stuck.mean()), world.source, finding, tuple(str(repair) for repair in chunks[0].repairs),
    )  # fmt: skip


def _in_dollars(done: Outcomes, paths: Paths) -> Floats:
    """Equity of all accounts at the end, at what a unit of collateral is then worth."""
    worth = 1.0 if paths.collateral_price is None else float(paths.collateral_price[-1])
    return np.asarray(done.equity.sum(axis=1) / MICRO * worth)


def _stuck(done: Outcomes, paths: Paths) -> NDArray[np.bool_]:
    """Paths on which an account is called at 80 % when collateral cannot be brought in."""
    if paths.withdrawals_open is None:
        return np.zeros(len(paths), dtype=bool)
    called = done.call_80_step
    return np.asarray(((called >= 0) & ~paths.withdrawals_open[np.maximum(called, 0)]).any(axis=1))
