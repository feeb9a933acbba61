"""A comparison as a page: one table of the modes, what each compartment risks, and what broken correlations do."""

from __future__ import annotations

from collections.abc import Sequence

from bulkhead.lab.choice.estimates import Estimate
from bulkhead.lab.choice.result import SCENARIO, Comparison, Compartment, Mode
from bulkhead.lab.choice.verdict import WORDS, money, title
from bulkhead.lab.pages import Column, Figure, Page, Plot, Section, Source, Table
from bulkhead.lab.pages.page import Cell
from bulkhead.lab.pages.plots import Axis, Series, bars, lines

CHANCE, DOLLARS = "%", "$"


def columns(title: str, unit: str, digits: int) -> tuple[Column, ...]:
    """An estimate and its interval."""
    return Column(title, unit, digits), Column(f"{title}, 95 %")


def cells(one: Estimate | None, factor: float = 1.0) -> tuple[Cell, ...]:
    """An estimate and its interval in words, dashes where there is none."""
    if one is None:
        return None, None
    digits = 0 if abs(one.high * factor) >= 1_000 else 2
    ends = (f"{end * factor:,.{digits}f}".replace("-", "−") for end in (one.low, one.high))
    return float(one.value) * factor, " to ".join(ends)


def page_of(found: Comparison) -> Page:
    """The page of a comparison."""
    best = found.mode(found.best)
    hours = found.steps * found.step_ms / 3_600_000
    horizon = f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"
    worst = f"worst {100 * (1 - found.level):.3g} %"
    sections = [
        Section(
            "The modes side by side",
            (
                f"The same {money(found.collateral)} in every mode, split by initial margin, over {horizon} in steps "
                f"of {found.step_ms // 60_000} minutes, on the same {found.paths:,} paths. Intervals are of 95 %.",
                f"Margin by the {found.terms}. {found.books}.",
            ),
            (_chances(found), _tails(found, worst)),
            (chances_table(found), money_table(found, worst)),
        ),
        Section(
            "Compartments",
            ("A liquidation of one compartment changes that compartment and nothing else of its owner.",),
            tables=(compartments_table(found),),
        ),
        *_breaks(found),
        _partitions(found, worst),
        *_splits(found),
        Section(
            "The worst paths again",
            tuple(one.what for one in found.findings),
            code="\n".join(one.command for one in found.findings),
        ),
    ]
    return Page(
        f"How to hold {found.portfolio}",
        "Which margin mode, and why?",
        (found.recommendation, *found.reasons),
        found.command,
        found.seed,
        (Source(found.world_source, "see the world's source"), Source(found.portfolio_source, "the reader's own")),
        found.version,
        tuple(sections),
        (
            Figure("recommended", best.name, title(best).removeprefix(best.name).strip(" ()")),
            Figure("any liquidation", f"{100 * best.any_liquidated.value:.2f} %", f"{found.paths:,} paths"),
            Figure(worst, money(best.shortfall.value), f"of {money(found.collateral)}"),
            Figure("capital needed", money(best.capital.value), f"liquidated in {100 * found.probability:g} %"),
        ),
        found.against,
        found.repairs,
        found.simulated,
        {
            name: value
            for name, value in (found.settings | {"terms": found.terms, "books": found.books}).items()
            if isinstance(value, str | int | float)
        },
    )


def chances_table(found: Comparison) -> Table:
    """One row a mode: probabilities."""
    rows = tuple(
        (
            title(mode),
            *cells(mode.any_liquidated, 100),
            *cells(mode.all_wiped, 100),
            *cells(mode.call_66, 100),
            *cells(mode.call_80, 100),
        )
        for mode in found.modes
    )
    shown = (
        Column("mode"),
        *columns("any liquidation", CHANCE, 2),
        *columns("everything liquidated", CHANCE, 2),
        *columns("margin call at 66 %", CHANCE, 2),
        *columns("margin call at 80 %", CHANCE, 2),
    )
    return Table("probabilities", shown, rows, [mode.name for mode in found.modes].index(found.best))


def money_table(found: Comparison, worst: str) -> Table:
    """One row a mode: money."""
    rows = tuple(
        (
            title(mode),
            mode.initial,
            *cells(mode.shortfall),
            *cells(mode.loss),
            *cells(mode.capital),
            *cells(mode.cost),
            *cells(mode.slippage_if),
            *cells(mode.debt),
        )
        for mode in found.modes
    )
    shown = (
        Column("mode"),
        Column("initial margin", DOLLARS, 0),
        *columns(f"loss of the {worst}", DOLLARS, 0),
        *columns("mean loss", DOLLARS, 2),
        *columns("capital needed", DOLLARS, 0),
        *columns("cost of liquidations", DOLLARS, 2),
        *columns("slippage where liquidated", DOLLARS, 2),
        *columns("debt borne by others", DOLLARS, 2),
    )
    return Table("money", shown, rows, [mode.name for mode in found.modes].index(found.best))


def compartments_table(found: Comparison) -> Table:
    """One row a compartment of a mode."""
    shown = (
        Column("mode"),
        Column("compartment"),
        Column("collateral", DOLLARS, 0),
        *columns("liquidated", CHANCE, 2),
        *columns("closed entirely", CHANCE, 2),
        *columns("margin call at 66 %", CHANCE, 2),
        *columns("margin call at 80 %", CHANCE, 2),
        *columns("capital needed", DOLLARS, 0),
    )
    rows = tuple(
        (
            mode.name,
            called(one, found),
            one.collateral,
            *cells(one.liquidated, 100),
            *cells(one.wiped, 100),
            *cells(one.call_66, 100),
            *cells(one.call_80, 100),
            *cells(one.capital),
        )
        for mode in found.modes
        for one in mode.compartments
    )
    return Table("compartments", shown, rows)


def called(one: Compartment, found: Comparison) -> str:
    """A compartment with its markets, where its name does not say them."""
    markets = "+".join(one.symbols)
    if len(one.symbols) == len(found.positions):
        return "everything"
    return one.name if one.name == markets else f"{one.name} ({markets})"


def _series(name: str, labels: Sequence[str], estimates: Sequence[Estimate], factor: float = 1.0) -> Series:
    return Series(
        name,
        list(labels),
        [one.value * factor for one in estimates],
        [one.low * factor for one in estimates],
        [one.high * factor for one in estimates],
    )


def _labels(modes: Sequence[Mode]) -> list[str]:
    return [mode.name for mode in modes]


def _chances(found: Comparison) -> Plot:
    labels = _labels(found.modes)
    return bars(
        [
            _series("any liquidation", labels, [mode.any_liquidated for mode in found.modes], 100),
            _series("margin call at 66 %", labels, [mode.call_66 for mode in found.modes], 100),
            _series("everything liquidated", labels, [mode.all_wiped for mode in found.modes], 100),
        ],
        Axis("margin mode"),
        Axis("probability, %"),
        "How often something is liquidated, called for margin, or everything is closed; bars end with their interval.",
    )


def _tails(found: Comparison, worst: str) -> Plot:
    labels = _labels(found.modes)
    return bars(
        [
            _series(f"loss of the {worst}", labels, [mode.shortfall for mode in found.modes]),
            _series("capital needed", labels, [mode.capital for mode in found.modes]),
        ],
        Axis("margin mode"),
        Axis("USD", format="$,.0f"),
        f"What the {worst} of paths lose on average, and what collateral would keep liquidations to "
        f"{100 * found.probability:g} % of them.",
    )


def _breaks(found: Comparison) -> list[Section]:
    if not found.broken:
        return []
    modes = list(dict.fromkeys(one.mode for one in found.broken))
    kinds = list(dict.fromkeys(one.correlation for one in found.broken))
    by = {(one.correlation, one.mode): one for one in found.broken}
    as_fitted = [found.mode(name).shortfall for name in modes]
    series = [_series("as in this world", modes, as_fitted)]
    series += [_series(WORDS[kind], modes, [by[kind, name].shortfall for name in modes]) for kind in kinds]
    plot = bars(
        series, Axis("margin mode"), Axis("USD", format="$,.0f"), "Expected shortfall when correlations are others."
    )
    shown = (
        Column("correlations"),
        Column("mode"),
        *columns("any liquidation", CHANCE, 2),
        *columns("everything liquidated", CHANCE, 2),
        *columns("expected shortfall", DOLLARS, 0),
    )
    rows = tuple(
        (
            one.correlation,
            one.mode,
            *cells(one.any_liquidated, 100),
            *cells(one.all_wiped, 100),
            *cells(one.shortfall),
        )
        for one in found.broken
    )
    text = f"{found.broken_paths:,} paths each; volatilities stay, all correlations become one, zero, or flip."
    return [Section("When correlations break", (text,), (plot,), (Table("correlations", shown, rows),))]


def _partitions(found: Comparison, worst: str) -> Section:
    how = "every one" if found.is_exact else "found by search; the search is held to within 2 % of the best at eight"
    text = f"{found.partitions:,} partitions from {found.sets:,} sets of positions, {how}. The best, and the worst."
    if found.held_out is not None:
        text += (
            f" The best of half of the paths beats cross by {money(found.held_out.seen)} there and by "
            f"{money(found.held_out.unseen)} on the other half: the difference is what choosing flatters."
        )
    shown = (Column("strategies"), Column(f"loss of the {worst}", DOLLARS, 0), Column("any liquidation", CHANCE, 2))
    rows = tuple((one.name, one.shortfall, 100 * one.any_liquidated) for one in found.ranked)
    plot = lines(
        [Series("partition", list(range(1, len(rows) + 1)), [one.shortfall for one in found.ranked],
                labels=[one.name for one in found.ranked])],
        Axis("place in the table"), Axis("USD", format="$,.0f"), f"Loss of the {worst} of these partitions.",
    )  # fmt: skip
    return Section("Partitions into strategies", (text,), (plot,), (Table("partitions", shown, rows),))


def _splits(found: Comparison) -> list[Section]:
    if not found.splits:
        return []
    shown = (
        Column("mode"),
        *columns("any liquidation, split by initial margin", CHANCE, 2),
        *columns("any liquidation, best split", CHANCE, 2),
        Column("best split"),
    )
    rows = tuple(
        (
            one.mode,
            *cells(one.usual, 100),
            *cells(one.liquidated, 100),
            ", ".join(
                f"{part.name} {amount:,.0f}"
                for part, amount in zip(found.mode(one.mode).compartments, one.collateral, strict=True)
            ),
        )
        for one in found.splits
        if one.mode != SCENARIO
    )
    text = (
        "The split that leaves the fewest compartments below what they needed, found on the first half of the paths, "
        "judged on the second; in parts of one 200th of the total."
    )
    return [Section("The same money, split better", (text,), tables=(Table("splits", shown, rows),))]
