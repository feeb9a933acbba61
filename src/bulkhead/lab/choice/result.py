"""What a comparison found: plain values, each estimate with its interval, for words, pages and machines alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from bulkhead.lab.choice.estimates import Estimate
from bulkhead.lab.finding import Finding

ISOLATED, CROSS, STRATEGY, SCENARIO, AS_WRITTEN = "isolated", "cross", "strategy", "scenario", "as written"


@dataclass(frozen=True, slots=True)
class Compartment:
    """One compartment of a mode: its positions, its collateral in USD, and what became of it."""

    name: str
    symbols: tuple[str, ...]
    collateral: float
    liquidated: Estimate  # probability of any liquidation
    wiped: Estimate  # probability that everything in it is closed by liquidation
    call_66: Estimate
    call_80: Estimate
    capital: Estimate  # USD with which a liquidation has the chosen probability


@dataclass(frozen=True, slots=True)
class Mode:
    """One way to hold the portfolio. Money in USD over the horizon."""

    name: str
    compartments: tuple[Compartment, ...]
    initial: float  # what is required to open it all, at the start
    any_liquidated: Estimate
    all_wiped: Estimate
    call_66: Estimate  # in any compartment
    call_80: Estimate
    shortfall: Estimate  # mean of the worst losses
    loss: Estimate  # mean
    cost: Estimate  # fees, penalties and slippage of liquidations, mean over all paths
    slippage: Estimate
    slippage_if: Estimate | None  # mean over the paths with a liquidation; None where there are under ten
    debt: Estimate  # what the insurance fund and others bore
    capital: Estimate  # USD in all with which any liquidation has the chosen probability

    @property
    def opens(self) -> bool:
        """Whether the collateral covers the initial requirement: if not, nobody could hold it so."""
        return self.initial <= sum(one.collateral for one in self.compartments)


@dataclass(frozen=True, slots=True)
class Broken:
    """A mode in a world whose correlations are others."""

    correlation: str
    mode: str
    any_liquidated: Estimate
    all_wiped: Estimate
    shortfall: Estimate


@dataclass(frozen=True, slots=True)
class Split:
    """Collateral of a mode's compartments, split so that the fewest are liquidated, and what that does on other paths.

    Found on the first half of the paths, judged on the second, where `usual` is the split by initial margin.
    """

    mode: str
    collateral: tuple[float, ...]
    liquidated: Estimate  # probability that any compartment is
    usual: Estimate


@dataclass(frozen=True, slots=True)
class Ranked:
    """A partition and its expected shortfall."""

    name: str
    shortfall: float
    any_liquidated: float


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What choosing among many partitions flatters: expected shortfall of cross less that of the best partition, USD,

    on the half of the paths that chose it, and on the other half.
    """

    seen: float
    unseen: float


@dataclass(frozen=True)
class Comparison:
    """A portfolio under every margin mode. `best` is the name of the mode that is recommended."""

    portfolio: str
    portfolio_source: str
    terms: str  # whose rules
    books: str  # what liquidations are sold into, and what of it was measured
    collateral: float
    gross: float
    positions: tuple[tuple[str, float, float], ...]  # symbol, coins, USD
    world: str
    world_source: str
    simulated: bool
    seed: int
    paths: int
    steps: int
    step_ms: int
    level: float  # of expected shortfall
    probability: float  # of liquidation, that capital is for
    modes: tuple[Mode, ...]
    ranked: tuple[Ranked, ...]  # the best partitions, then the worst
    partitions: int  # that were looked at
    sets: int
    is_exact: bool
    broken: tuple[Broken, ...]
    broken_paths: int
    splits: tuple[Split, ...]
    best: str
    runner_up: str
    advantage: Estimate  # expected shortfall of the runner-up less that of the best, on the same paths
    held_out: HeldOut | None
    recommendation: str
    reasons: tuple[str, ...]
    against: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    repairs: tuple[str, ...] = ()
    command: str = ""
    version: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def mode(self, name: str) -> Mode:
        """The mode of that name."""
        return next(one for one in self.modes if one.name == name)

    def as_json(self) -> dict[str, Any]:
        """For machines: estimates are [value, low, high]."""
        shown = asdict(self)
        shown["findings"] = [asdict(one) | {"command": one.command} for one in self.findings]
        return shown
