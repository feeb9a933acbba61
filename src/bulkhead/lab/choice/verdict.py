"""The recommendation in words: which mode, why, and what speaks against it. Every number in it was estimated."""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.lab.choice.estimates import Estimate
from bulkhead.lab.choice.result import AS_WRITTEN, SCENARIO, STRATEGY, Broken, HeldOut, Mode

WORDS = {
    "one": "if all correlations go to one",
    "zero": "if all correlations go to zero",
    "flipped": "if correlations change sign",
}


def money(amount: float) -> str:
    """USD as people read it."""
    return f"{amount:,.0f} USD" if abs(amount) >= 100 else f"{amount:,.2f} USD"


def percent(chance: Estimate) -> str:
    """A probability with its interval."""
    return f"{100 * chance.value:.2f} % ({100 * chance.low:.2f} to {100 * chance.high:.2f})"


def title(mode: Mode) -> str:
    """A mode with its compartments, where that is not said by its name."""
    if mode.name in (STRATEGY, AS_WRITTEN) and len(mode.compartments) > 1:
        return f"{mode.name} ({' | '.join('+'.join(one.symbols) for one in mode.compartments)})"
    return mode.name


def is_apart(advantage: Estimate) -> bool:
    """Whether the paths tell the best from the runner-up."""
    return advantage.low > 0


def recommendation(best: Mode, runner_up: Mode, advantage: Estimate, level: float) -> str:
    """One sentence: what to choose."""
    tail = f"{100 * (1 - level):.3g} %"
    if is_apart(advantage):
        return (
            f"Hold it under {title(best)} margin: the mean loss of the worst {tail} of paths is "
            f"{money(best.shortfall.value)}, {money(advantage.value)} less than under {title(runner_up)}."
        )
    return (
        f"Hold it under {title(best)} margin: {title(runner_up)} cannot be told from it by its worst {tail} of paths "
        f"({money(best.shortfall.value)} and {money(runner_up.shortfall.value)} lost), and of what is alike, "
        f"{title(best)} is liquidated least often ({percent(best.any_liquidated)})."
    )


def reasons(best: Mode, modes: Sequence[Mode]) -> tuple[str, ...]:
    """Why, in numbers."""
    found = [
        f"Any liquidation: {percent(best.any_liquidated)}; everything closed by liquidation: "
        f"{percent(best.all_wiped)}.",
        f"Liquidations cost {money(best.cost.value)} on average over all paths, of which slippage "
        f"{money(best.slippage.value)}.",
    ]
    others = [mode for mode in modes if mode.name != best.name]
    safer = [mode for mode in others if mode.any_liquidated.low > best.any_liquidated.high]
    if safer:
        found.append(
            "Liquidated less often than under "
            + ", ".join(f"{title(mode)} ({100 * mode.any_liquidated.value:.2f} %)" for mode in safer)
            + "."
        )
    kept = [mode for mode in others if mode.all_wiped.low > best.all_wiped.high]
    if kept:
        found.append(
            "Loses everything less often than under "
            + ", ".join(f"{title(mode)} ({100 * mode.all_wiped.value:.2f} %)" for mode in kept)
            + "."
        )
    if len(best.compartments) > 1:
        found.append("What one compartment loses beyond its collateral is not asked of the others.")
    if len(best.compartments) == 1:
        found.append("Gains of one position back the losses of another at once, without a transfer.")
    cheaper = min(modes, key=lambda mode: mode.capital.value)
    if cheaper.name == best.name:
        found.append(f"It also needs the least capital: {money(best.capital.value)} at the chosen probability.")
    return tuple(found)


def against(
    best: Mode, runner_up: Mode, modes: Sequence[Mode], advantage: Estimate, broken: Sequence[Broken]
) -> tuple[str, ...]:
    """The case against it: where another mode does better, what assumption it leans on, what is not in the numbers."""
    found = [
        f"Under {title(mode)} it could not be opened: {money(mode.initial)} of initial margin are asked."
        for mode in modes
        if not mode.opens
    ]
    modes = [mode for mode in modes if mode.opens] or modes
    if not is_apart(advantage):
        found.append(
            f"The difference to {title(runner_up)} is within chance: {money(advantage.value)}, between "
            f"{money(advantage.low)} and {money(advantage.high)}."
        )
    rarer = min(modes, key=lambda mode: mode.any_liquidated.value)
    if rarer.any_liquidated.high < best.any_liquidated.low:
        found.append(
            f"Under {title(rarer)} any liquidation is rarer: {percent(rarer.any_liquidated)} instead of "
            f"{percent(best.any_liquidated)}."
        )
    whole = min(modes, key=lambda mode: mode.all_wiped.value)
    if whole.all_wiped.high < best.all_wiped.low:
        found.append(
            f"Under {title(whole)} everything is lost less often: {percent(whole.all_wiped)} instead of "
            f"{percent(best.all_wiped)}."
        )
    cheaper = min(modes, key=lambda mode: mode.capital.value)
    if cheaper.capital.high < best.capital.low:
        found.append(f"{title(cheaper).capitalize()} needs {money(best.capital.value - cheaper.capital.value)} less.")
    found += _breaks(best, broken)
    if len(best.compartments) > 1:
        found.append(
            "Compartments are judged without top-up: whoever moves money between them in time does better, and must be "
            "there to do it."
        )
    if len(best.compartments) == 1:
        found.append("One position can take the whole account with it; nothing is set aside that it cannot reach.")
    if best.name == SCENARIO:
        found.append("The requirement follows the venue's grid of shocks, which may be changed behind its timelock.")
    return tuple(found)


def between_looks(step_ms: int, world: str) -> tuple[str, ...]:
    """The limit of paths in steps, for every report."""
    minutes = step_ms / 60_000
    every = "every minute" if minutes == 1 else f"every {minutes:g} minutes"
    if "+within" in world:
        return (f"Margin is looked at {every} and at the low and high in between, all markets at theirs together.",)
    limit = "where a price was worse in between, nothing saw it; worlds with +within look at lows and highs"
    return (f"Margin is looked at {every}: {limit}.",)


def held_out(best: Mode, found: HeldOut | None, partitions: int) -> tuple[str, ...]:
    """What having chosen among many flatters, where that is what is recommended."""
    if found is None or best.name != STRATEGY:
        return ()
    return (
        f"It was chosen among {partitions:,} partitions on the same paths. Chosen on half of them, the best partition "
        f"beats cross by {money(found.seen)} there, and by {money(found.unseen)} on the other half.",
    )


def _breaks(best: Mode, broken: Sequence[Broken]) -> list[str]:
    """Correlations under which another mode has the lower expected shortfall."""
    found = []
    for correlation in dict.fromkeys(one.correlation for one in broken):
        there = {one.mode: one for one in broken if one.correlation == correlation}
        other = min(there.values(), key=lambda one: one.shortfall.value)
        mine = there.get(best.name)
        if mine is not None and other.mode != best.name and other.shortfall.high < mine.shortfall.low:
            found.append(
                f"{WORDS[correlation].capitalize()}, {other.mode} does better: the worst lose "
                f"{money(other.shortfall.value)} instead of {money(mine.shortfall.value)}."
            )
    return found
