"""The practical checklist for a portfolio from a file: five questions, answered from simulated paths and the venue.

What only a running venue knows (its liquidations, its settlement) is asked of it where one is named; where none is, the
answer says that it is of the model and the default configuration, never of a venue.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median

import numpy as np

from bulkhead.client.checklist import (
    BASIS_POINTS,
    CALL,
    COUNT,
    FORCED_DAYS,
    HISTORY,
    SECONDS,
    SHARE,
    SPEED,
    TAIL,
    TRUST,
    USD,
    Answer,
    Facts,
    Figure,
    history,
    settled_after_s,
    trust,
)
from bulkhead.fixed import FRACTION_BITS
from bulkhead.lab.choice.comparison import Progress, Setting, silent
from bulkhead.lab.choice.estimates import Estimate, quantile, share, shortfall
from bulkhead.lab.choice.sample import lots_of, venue_for
from bulkhead.lab.impact import books
from bulkhead.lab.kernel import Accounts, Venue, run
from bulkhead.lab.kernel.accounts import Steps
from bulkhead.lab.kernel.terms import MICRO
from bulkhead.lab.pages import Column, Page, Section, Source, Table, version
from bulkhead.lab.paths.cube import World
from bulkhead.lab.portfolio import Portfolio
from bulkhead.lab.prices.bars import Floats
from bulkhead.lab.venue import SIMULATED_KEYS
from bulkhead.lab.worlds import world_of
from bulkhead.ledger.defaults import default_config
from bulkhead.rules import margin
from bulkhead.rules.prices import quorum
from bulkhead.rules.terms import Health, Position, risk_of
from bulkhead.units import Felt, FundingIndex, Price, Quote, Size, Worth

LEVELS = (66, 80, 100)  # hundredths of value that maintenance takes
SOON_S = 600  # a warning shorter than this helps nobody who is asleep


@dataclass(frozen=True, eq=False)
class Lived:
    """What became of the portfolio as one cross account, by path. Money in USD, times in seconds, NaN where not."""

    loss: Floats
    debt: Floats
    called_66: Floats
    called_80: Floats
    liquidated: Floats
    slippage: Floats
    closed: Floats
    steps: Floats


class Held:
    """The portfolio as a cross account of its venue, for questions to the rules themselves."""

    def __init__(self, portfolio: Portfolio) -> None:
        self.terms = portfolio.terms
        self.venue: Venue = venue_for(portfolio)
        self.size = lots_of(self.venue, portfolio)
        self.start = [int(price * (1 << FRACTION_BITS)) for price in self.venue.start]
        self.balance = Quote(round(portfolio.collateral * MICRO - float(self.size @ self.venue.start)))
        self.positions = [
            Position(terms.market_id, Size(int(lots)), Quote(0), FundingIndex(0))
            for terms, lots in zip(self.venue.markets, self.size, strict=True)
        ]

    def health(self, factor: float) -> Health:
        """Health when every price is `factor` times what it is."""
        risks = {
            int(terms.market_id): risk_of(terms, Price(max(1, int(price * factor))))
            for terms, price in zip(self.venue.markets, self.start, strict=True)
        }
        return margin.health(self.balance, Worth(0), self.positions, risks)

    def is_used(self, factor: float, hundredths: int) -> bool:
        """Whether maintenance takes so many hundredths of value, all prices moved alike."""
        health = self.health(factor)
        return 100 * int(health.maintenance) >= hundredths * (int(health.value) << FRACTION_BITS)

    def distance(self, hundredths: int) -> float | None:
        """The smaller joint move of all prices, as a share, at which that happens; None where none up to ±99 % does."""
        found = [move for side in (-1, 1) if (move := self._towards(side, hundredths)) is not None]
        return min(found, default=None)

    def _towards(self, side: int, hundredths: int) -> float | None:
        if self.is_used(1.0, hundredths):
            return 0.0
        if not self.is_used(1 + side * 0.99, hundredths):
            return None
        low, high = 0.0, 0.99
        while high - low > 1e-6:
            middle = (low + high) / 2
            low, high = (low, middle) if self.is_used(1 + side * middle, hundredths) else (middle, high)
        return high

    def worst_shock(self) -> tuple[str, float]:
        """The joint move of the venue's grid that costs most, without offsets, and what it costs, USD."""
        groups = [terms.group for terms in self.venue.markets]
        worst, name = 0.0, "none"
        for shock in self.venue.grid.shocks:
            moves = dict(shock.moves)
            won = sum(
                lots * price * int(moves.get(group, 0)) / (1 << FRACTION_BITS)
                for lots, price, group in zip(self.size, self.venue.start, groups, strict=True)
            ) / MICRO
            if -won > worst:
                worst, name = -won, shock.name
        return name, worst


def lived(portfolio: Portfolio, setting: Setting, data_dir: Path | None = None, report: Progress = silent) -> Lived:
    """The portfolio as a cross account on the paths of a world."""
    held = Held(portfolio)
    world = world_of(
        setting.world, seed=setting.seed, step_ms=setting.step_ms, symbols=portfolio.symbols, data_dir=data_dir
    )
    account = Accounts.of_lots(held.venue, held.size[None, :], np.array([portfolio.collateral]))
    parts: list[list[Floats]] = []
    done = 0
    for chunk in world.chunks(setting.paths, setting.steps):
        out = run(held.venue, account, chunk.select(held.venue.symbols))

        def times(steps: Steps, step_ms: int = chunk.step_ms) -> Floats:
            return np.where(steps >= 0, (steps + 1) * step_ms / 1000, np.nan)

        money = [portfolio.collateral - out.equity / MICRO, out.bad_debt / MICRO]
        when = [times(out.call_66_step), times(out.call_80_step), times(out.first_step)]
        cost = [out.slippage / MICRO, out.closed / MICRO, out.liquidations.astype(np.float64)]
        parts.append([values[:, 0] for values in (*money, *when, *cost)])
        done += len(chunk)
        report("checklist", done, setting.paths)
    return Lived(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _figure(label: str, value: float | None, unit: str, digits: int = 2) -> Figure:
    return Figure(label, None if value is None else Decimal(f"{value:.{digits}f}"), unit)


def _interval(label: str, one: Estimate, unit: str, factor: float = 1.0) -> list[Figure]:
    """An estimate and the ends of its interval."""
    names = (label, f"{label}, from", f"{label}, to")
    return [_figure(name, end * factor, unit) for name, end in zip(names, one, strict=True)]


def answers(
    portfolio: Portfolio, setting: Setting, life: Lived, facts: Facts | None = None, address: str = ""
) -> tuple[Answer, ...]:
    """The five answers. `facts` are what a running venue at `address` says of itself, None where none is asked."""
    held = Held(portfolio)
    past = None if facts is None or not facts.liquidations else history(facts.liquidations)
    looks = f"a look every {setting.step_ms / 60_000:g} min"
    model = f"{setting.paths:,} paths of {setting.days:g} days, world {setting.world}, seed {setting.seed}, {looks}"
    return (
        _tail(held, portfolio, setting, life, model),
        _call(held, life, model),
        _speed(life, facts, model, address),
        past or _history(life, f"{model}; {books(portfolio.symbols)}"),
        trust(facts) if facts is not None else _trust(portfolio),
    )


def _tail(held: Held, portfolio: Portfolio, setting: Setting, life: Lived, model: str) -> Answer:
    name, worst = held.worst_shock()
    expected = shortfall(life.loss, setting.level, setting.seed)
    extreme = quantile(life.loss, 0.999)
    words = (
        f"The venue's worst shock, “{name}”, costs {worst:,.0f} USD, {100 * worst / portfolio.collateral:.0f} % of the "
        f"collateral; the worst {100 * (1 - setting.level):.3g} % of paths lose {expected.value:,.0f} USD."
    )
    beyond = life.debt > 0
    if beyond.any():
        words += f" On {int(beyond.sum())} paths others had to bear {life.debt[beyond].mean():,.0f} USD."
    figures = [
        _figure("worst shock of the grid", worst, USD),
        *_interval(f"expected shortfall at {100 * setting.level:g} %", expected, USD),
        *_interval("loss that one path in a thousand exceeds", extreme, USD),
        _figure("beyond the account, mean over all paths", float(life.debt.mean()), USD),
    ]
    return Answer(TAIL, words, tuple(figures), f"{portfolio.terms}; {model}")


def _call(held: Held, life: Lived, model: str) -> Answer:
    distances = {level: held.distance(level) for level in LEVELS}
    paths = len(life.loss)
    called = share(int(np.isfinite(life.called_66).sum()), paths)
    closed = share(int(np.isfinite(life.liquidated).sum()), paths)
    first = distances[66]
    if first is None:
        words = "As one account: no joint move of all prices up to 99 % calls for margin."
    else:
        words = f"As one account: a joint move of {100 * first:.2f} % makes the call at 66 %."
    words += f" It comes on {100 * called.value:.2f} % of paths, a liquidation on {100 * closed.value:.2f} %."
    figures = []
    for level, label in zip(LEVELS, ("call at 66 %", "call at 80 %", "liquidation"), strict=True):
        move = distances[level]
        figures.append(_figure(f"joint move to the {label}", None if move is None else 100 * move, SHARE))
    figures += _interval("probability of the call at 66 %", called, SHARE, 100)
    figures += _interval(
        "probability of the call at 80 %", share(int(np.isfinite(life.called_80).sum()), paths), SHARE, 100
    )
    figures += _interval("probability of a liquidation", closed, SHARE, 100)
    return Answer(CALL, words, tuple(figures), f"rules.margin, {held.terms}; {model}")


def _speed(life: Lived, facts: Facts | None, model: str, address: str) -> Answer:
    both = np.isfinite(life.called_66) & np.isfinite(life.liquidated)
    warning = life.liquidated[both] - life.called_66[both]
    figures = [Figure("liquidations with a call before", Decimal(int(both.sum())), COUNT)]
    if len(warning):
        soon = share(int((warning <= SOON_S).sum()), len(warning))
        words = f"Between the call at 66 % and a liquidation lie {np.median(warning) / 60:,.0f} minutes in the median; "
        words += f"in {100 * soon.value:.0f} % of liquidations no more than {SOON_S // 60}."
        figures += [
            _figure("warning, median", float(np.median(warning)), SECONDS, 0),
            _figure("warning, one in twenty is shorter", float(np.quantile(warning, 0.05)), SECONDS, 0),
            *_interval(f"warning of at most {SOON_S} s", soon, SHARE, 100),
        ]
    else:
        words = "On no path was there a liquidation, so there is no warning to measure."
    source = model
    if facts is None:
        words += " How long collateral takes from L1 only a running venue can say: none was named."
        figures.append(Figure("batch to L1, median", None, SECONDS))
    else:
        waits = [taken for batch in facts.batches if (taken := settled_after_s(batch)) is not None]
        outside = Decimal(str(median(waits))) if waits else None
        words += (
            " At this venue no batch has settled on L1 yet."
            if outside is None
            else f" At this venue a batch reaches L1 some {outside:.0f} s after its seal."
        )
        figures.append(Figure("batch to L1, median", outside, SECONDS))
        source += f"; {address}/api/v1/info/batches"
    figures.append(Figure("by force at most", Decimal(FORCED_DAYS * 86_400), SECONDS))
    return Answer(SPEED, words, tuple(figures), source)


def _history(life: Lived, model: str) -> Answer:
    hit = life.closed > 0
    if not hit.any():
        return Answer(HISTORY, "In the model none: nothing was liquidated on any path.", (), model)
    slips = life.slippage[hit] / life.closed[hit] * 1e4
    steps = life.steps[hit]
    words = (
        f"In the model, not at a venue: {int(hit.sum())} paths were liquidated in {steps.mean():.1f} steps each, at a "
        f"median slippage of {np.median(slips):.1f} bp of what was closed."
    )
    figures = (
        Figure("paths with a liquidation", Decimal(int(hit.sum())), COUNT),
        _figure("steps, mean", float(steps.mean()), COUNT),
        _figure("slippage, median", float(np.median(slips)), BASIS_POINTS),
        _figure("slippage, one in twenty is worse", float(np.quantile(slips, 0.95)), BASIS_POINTS),
        _figure("paid by the insurance fund, mean", float(life.debt[hit].mean()), USD),
    )
    return Answer(HISTORY, words, figures, model)


def _trust(portfolio: Portfolio) -> Answer:
    config = default_config(SIMULATED_KEYS, Felt(5)) if portfolio.house is None else portfolio.house.config
    signers = len(config.oracle_keys)
    needed = quorum(signers)
    age = max(terms.price_age_max_ms for terms in config.markets)
    words = (
        f"By {portfolio.terms}: {needed} of {signers} oracle signers for prices, the operator for the order of "
        "commands. Which venue settles with proofs, only the venue can say: none was named."
    )
    figures = (
        Figure("oracle signers", Decimal(signers), COUNT),
        Figure("of which must agree", Decimal(needed), COUNT),
        _figure("oldest price that counts", age / 1000, SECONDS, 0),
        Figure("forced exit at most after", Decimal(FORCED_DAYS * 86_400), SECONDS),
    )
    return Answer(TRUST, words, figures, "docs/security.md")


def repairs_of(world: World) -> tuple[str, ...]:
    """What was mended in the data of a world, in words."""
    return tuple(str(repair) for repair in next(iter(world.chunks(1, 1))).repairs)


# -- as a page ---------------------------------------------------------------------------------------------------------


def as_json(given: tuple[Answer, ...]) -> list[dict[str, object]]:
    """For machines: figures as [label, number or null, unit]."""
    return [
        {
            "question": one.question,
            "verdict": one.verdict,
            "figures": [
                {"label": figure.label, "value": None if figure.value is None else float(figure.value),
                 "unit": figure.unit}
                for figure in one.figures
            ],
            "source": one.source,
        }
        for one in given
    ]  # fmt: skip


def page_of(
    portfolio: Portfolio, setting: Setting, given: tuple[Answer, ...], world: World, command: str
) -> Page:
    """The checklist as a page."""
    world_source, repairs = world.source, repairs_of(world)
    shown = (Column("figure"), Column("value", "", 2), Column("unit"))
    sections = tuple(
        Section(
            one.question,
            (one.verdict, f"From: {one.source}."),
            tables=(
                Table(
                    f"answer-{number}",
                    shown,
                    tuple(
                        (figure.label, None if figure.value is None else float(figure.value), figure.unit)
                        for figure in one.figures
                    ),
                ),
            ),
        )
        for number, one in enumerate(given, 1)
    )
    return Page(
        f"Checklist of {portfolio.name}",
        "What must be known before this portfolio is held somewhere?",
        tuple(one.verdict for one in given),
        command,
        setting.seed,
        (Source(world_source, "see the world's source"), Source(portfolio.source, "the reader's own")),
        version(),
        sections,
        repairs=(*portfolio.notes, *repairs),
        simulated="simulated" in world_source,
    )

