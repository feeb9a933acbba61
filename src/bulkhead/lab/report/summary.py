"""A comparison in numbers and sentences: what each mode did to each trader, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from bulkhead.lab.compare import Outcome
from bulkhead.lab.measures import LiquidationRow
from bulkhead.lab.traders import CAPITAL, TRADERS, MarginMode, Trader

RUINED = 0.02 * CAPITAL
NOTABLE = 0.01 * CAPITAL  # a smaller difference between modes is no difference


class Cell(NamedTuple):
    """One trader under one mode. Dollars."""

    mode: MarginMode
    verdict: str  # "survived", "liquidated", "wiped out"
    end: float
    profit: float
    lowest: float
    planned: int
    filled: int
    refused: Counter[str]
    margin_calls: int
    liquidations: int
    deleveraged: int
    penalties: float
    fees: float
    other_end: float  # at the end, had every bar been walked to its other extreme first
    other_verdict: str
    why: str


class Summary(NamedTuple):
    """Everything the tables and the report show."""

    cells: dict[str, list[Cell]]  # by trader, in the order of the modes
    rows: list[LiquidationRow]
    best: dict[str, MarginMode]


def summarise(outcomes: Mapping[MarginMode, Outcome], others: Mapping[MarginMode, Outcome] | None = None) -> Summary:
    """Numbers and sentences of a finished comparison. `others` are the runs with bars walked the other way round;
    without them the columns for it repeat the run itself."""
    others = others or outcomes
    rows = [row for outcome in outcomes.values() for row in outcome.recorder.rows]
    cells: dict[str, list[Cell]] = {}
    best: dict[str, MarginMode] = {}
    for trader in TRADERS:
        if all(trader.name in outcome.recorder.equity for outcome in outcomes.values()):
            cells[trader.name] = [_cell(trader, outcome, others[mode]) for mode, outcome in outcomes.items()]
            best[trader.name] = max(cells[trader.name], key=lambda cell: round(cell.end / NOTABLE)).mode
    return Summary(cells, rows, best)


def _verdict(trader: Trader, outcome: Outcome) -> str:
    if outcome.recorder.equity[trader.name][-1] < RUINED:
        return "wiped out"
    return "liquidated" if any(row.owner == trader.name for row in outcome.recorder.rows) else "survived"


def _cell(trader: Trader, outcome: Outcome, other: Outcome) -> Cell:
    mode, recorder = outcome.mode, outcome.recorder
    path = recorder.equity[trader.name]
    mine = [row for row in recorder.rows if row.owner == trader.name]
    end = path[-1]
    return Cell(
        mode=mode,
        verdict=_verdict(trader, outcome),
        end=end,
        profit=end - CAPITAL,
        lowest=min(path),
        planned=outcome.planned[trader.name],
        filled=len(recorder.traded.get(trader.name, ())),
        refused=recorder.refused.get(trader.name, Counter()),
        margin_calls=recorder.margin_calls.get(trader.name, 0),
        liquidations=len(mine),
        deleveraged=recorder.deleveraged.get(trader.name, 0),
        penalties=sum(row.penalty for row in mine),
        fees=recorder.fees.get(trader.name, 0.0),
        other_end=other.recorder.equity[trader.name][-1],
        other_verdict=_verdict(trader, other),
        why=_why(trader, mode, outcome, mine),
    )


def _date(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%-d %b %H:%M")


def _steps(count: int) -> str:
    return "one step" if count == 1 else f"{count} steps"


def _closed(mine: list[LiquidationRow]) -> str:
    """ "LTC-USD from 19 Nov 10:03, BTC-USD from …": the markets that were liquidated, in order of time."""
    first: dict[str, int] = {}
    for row in mine:
        first.setdefault(row.market, row.time_ms)
    return ", ".join(f"{market} from {_date(time_ms)}" for market, time_ms in first.items())


def _why(trader: Trader, mode: MarginMode, outcome: Outcome, mine: list[LiquidationRow]) -> str:
    parts = outcome.recorder.parts[trader.name]
    end = outcome.recorder.equity[trader.name][-1]
    if mode is MarginMode.ISOLATED:
        return _why_isolated(parts, end, mine)
    if mode is MarginMode.STRATEGY and len(trader.strategies) > 1:
        return _why_strategy(parts, mine)
    one = "One scenario account" if mode is MarginMode.SCENARIO else "One account"
    if not mine:
        return f"{one}: gains and losses met in one balance, and it never fell below maintenance."
    lost = Counter[str]()
    for row in mine:
        lost[row.market] += 1
    return (
        f"{one} backed everything: {_steps(len(mine))} closed {_closed(mine)}; "
        f"${max(0.0, end):,.0f} of ${CAPITAL:,.0f} was left of all of it."
    )


def _why_isolated(parts: Mapping[str, list[float]], end: float, mine: list[LiquidationRow]) -> str:
    pods = [label for label in parts if label != "account"]
    spared = parts["account"][-1]
    if not mine:
        return f"{len(pods)} pods, none reached its maintenance; ${spared:,.0f} lay outside them at the end."
    markets = sorted({row.market for row in mine})
    return (
        f"{len(markets)} of {len(pods)} pods were hit ({_closed(mine)}); each could lose only its own collateral, "
        f"and ${spared:,.0f} outside them was never at stake."
    )


def _why_strategy(parts: Mapping[str, list[float]], mine: list[LiquidationRow]) -> str:
    books = {label: path for label, path in parts.items() if label != "account"}
    ends = ", ".join(f"{label} ${path[-1]:,.0f}" for label, path in books.items())
    hit = sorted({row.compartment for row in mine})
    if not hit:
        return f"No book reached its maintenance; they ended at {ends}."
    return f"The {' and '.join(hit)} book{'s' * (len(hit) > 1)} sank alone ({_closed(mine)}); they ended at {ends}."
