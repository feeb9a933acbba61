"""What is compared whatever comes out: the plans of a portfolio, their compartments' names, and broken correlations."""

from __future__ import annotations

from bulkhead.lab.choice.partitions import Partition, cross, isolated
from bulkhead.lab.choice.result import AS_WRITTEN, CROSS, ISOLATED
from bulkhead.lab.portfolio import Portfolio
from bulkhead.lab.worlds import WORLDS


def written(portfolio: Portfolio) -> Partition | None:
    """The partition that the portfolio's own labels make, None where it has none."""
    groups: dict[str, int] = {}
    for place, one in enumerate(portfolio.holdings):
        groups[one.strategy] = groups.get(one.strategy, 0) | 1 << place
    return tuple(groups.values()) if any(groups) else None


def labels_of(portfolio: Portfolio, partition: Partition) -> list[str]:
    """Names of a partition's compartments: the owner's where he gave one to the same set, else its markets."""
    own: dict[int, str] = {}
    for label in {one.strategy for one in portfolio.holdings if one.strategy}:
        places = [place for place, one in enumerate(portfolio.holdings) if one.strategy == label]
        own[sum(1 << place for place in places)] = label
    symbols = portfolio.symbols
    return [
        own.get(mask, "+".join(symbol for place, symbol in enumerate(symbols) if mask >> place & 1))
        for mask in partition
    ]


def plans_of(portfolio: Portfolio) -> dict[str, Partition]:
    """The partitions that are compared whatever comes out: isolated, cross, and the portfolio's own."""
    count = len(portfolio.holdings)
    plans = {CROSS: cross(count)} if count == 1 else {ISOLATED: isolated(count), CROSS: cross(count)}
    own = written(portfolio)
    if own is not None and own not in plans.values():
        plans[AS_WRITTEN] = own
    return plans


def broken_name(world: str, correlation: str) -> str:
    """The same world with other correlations, as it can be typed."""
    base, *scripts = world.split("+")
    kept = [part for part in base.split(",") if not part.startswith("correlation=")]
    return "+".join([",".join([*kept, f"correlation={correlation}"]), *scripts])


def can_break(world: str) -> bool:
    """Whether a world has correlations that can be chosen."""
    return "correlation" in WORLDS[world.split("+")[0].split(",")[0].partition(":")[0]].settings
