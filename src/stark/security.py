"""How many bits of security a proof has, proven: one chance of cheating for every challenge, and their sum.

Read docs/security-of-proofs.md beside this. A forger may try again with every hash he computes, so a chance of 2**-100
means 2**100 hashes. Chances are exact fractions, rounded up where a root is irrational: nothing underflows, and no
figure is too good. Nothing is assumed beyond the Johnson bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor, isqrt, log2
from typing import NamedTuple

from stark.air.system import System
from stark.parameters import Parameters, fold_schedule
from stark.prime import PRIME

# A challenge is a 256-bit digest modulo the prime. At most 32 digests give one element, so none has a chance above
# 32 / 2**256: the field counts as slightly smaller than it is, and the bias of the reduction is paid for.
FIELD = 2**251
DIGESTS = {"keccak": 2**256, "poseidon": PRIME}  # how many digests a tree's hash has

ROOT_BITS = 128  # to which square roots are rounded up
MULTIPLICITY_MIN = 3  # the theorem's own bound
MULTIPLICITY_MAX = 2**40


class TableShape(NamedTuple):
    """One table: how many rows, columns of each phase, and fractions that a row adds to the buses."""

    log_height: int
    fixed: int
    trace: int
    bus: int
    fractions: int

    @property
    def columns(self) -> int:
        """All columns of which a row is opened."""
        return self.fixed + self.trace + self.bus


class Shape(NamedTuple):
    """What matters of a system at given heights."""

    tables: tuple[TableShape, ...]
    composition: int  # columns of the composition, as tall as the tallest table
    constraints: int  # of all tables
    degree: int  # of the highest constraint
    fields: int  # of the longest tuple on a bus
    outside_fractions: int = 0  # messages of the statement
    openings: int = 2  # of each column: at a point and at the next row's

    @property
    def log_tallest(self) -> int:
        """The height of the tallest table."""
        return max(table.log_height for table in self.tables)


def shape_of(system: System, log_heights: Sequence[int]) -> Shape:
    """The shape of a system whose tables have these heights, in its own order."""
    tables = tuple(
        TableShape(log_height, table.fixed_width, table.trace_width, table.bus_width, len(table.messages))
        for table, log_height in zip(system.tables, log_heights, strict=True)
    )
    return Shape(
        tables=tables,
        composition=system.composition_columns,
        constraints=sum(len(table.program.outputs) for table in system.tables),
        degree=max(table.degree for table in system.tables),
        fields=max((len(bus.fields) for bus in system.buses), default=0),
        outside_fractions=len(system.outside_messages) + (system.listing.room if system.listing else 0),
    )


def bits_of(chance: Fraction) -> float:
    """-log2 of a chance, however small."""
    return log2(chance.denominator) - log2(chance.numerator)


class Error(NamedTuple):
    """The chance that one challenge lets a false proof through."""

    name: str
    chance: Fraction

    @property
    def bits(self) -> float:
        """-log2 of it."""
        return bits_of(self.chance)


# --- how far from a codeword a word may be ----------------------------------------------------------------------------


class Distance(NamedTuple):
    """A threshold: words that agree with a codeword on more than this share of the points count as close to it.

    Once close words can no longer turn into far ones unseen, a far word passes each query with at most this chance.
    """

    agreement: Fraction
    codewords: Fraction  # at most so many are close to one word
    gap_scale: Fraction  # see `gap`
    gap_offset: Fraction
    multiplicity: int  # m of the theorem; 0 where there is none

    def gap(self, points: int) -> Fraction:
        """The chance, for each power of a challenge after the first, that a sum of words is closer than the words."""
        return (self.gap_scale * points + self.gap_offset) / FIELD


def unique_decoding(log_blowup: int) -> Distance:
    """Half way between codewords, where at most one is close (Ben-Sasson et al., ePrint 2020/654, theorem 1.4)."""
    rate = Fraction(1, 1 << log_blowup)
    return Distance((1 + rate) / 2, Fraction(1), Fraction(1), Fraction(0), 0)


def johnson(log_blowup: int, multiplicity: int) -> Distance:
    """Nearly as far as a word has few codewords around it (Ben-Sasson et al., ePrint 2025/2055, theorem 4.2).

    A larger m comes closer to that bound, the square root of the rate, at the price of larger chances in other rounds.
    Some state the threshold as root * (1 + 1 / 2m); the larger one here is covered by either statement. Two polynomials
    of at most as high a degree as there are rows agree on at most the rate's share of the points, also when a shorter
    table's is lifted: so the bound on the number of codewords holds for the columns of all heights together.
    """
    rate = Fraction(1, 1 << log_blowup)
    root, root_inverse = _root_up(rate), _root_up(1 / rate)
    agreement = root * (1 + Fraction(1, multiplicity))
    half = multiplicity + Fraction(1, 2)
    scale = (2 * half**5 + 3 * half * (1 - agreement) * rate) * root_inverse**3 / 3
    return Distance(agreement, half * root_inverse, scale, half * root_inverse, multiplicity)


def _root_up(value: Fraction) -> Fraction:
    """The square root, rounded up."""
    scaled = -(-(value.numerator << 2 * ROOT_BITS) // value.denominator)
    return Fraction(1 + isqrt(scaled - 1), 1 << ROOT_BITS)


# --- one chance a challenge -------------------------------------------------------------------------------------------


def errors(parameters: Parameters, shape: Shape, distance: Distance) -> tuple[Error, ...]:
    """Every round's chance, in the order of the protocol."""
    return (
        *_bus_errors(shape, distance),
        Error("rules: their weights", distance.codewords * shape.constraints / FIELD),
        Error("values outside the domain", distance.codewords * _roots(shape) / FIELD),
        *_batching_errors(parameters, shape, distance),
        *_folding_errors(parameters, shape, distance),
        Error("queries", distance.agreement**parameters.queries / (1 << parameters.grinding_bits)),
    )


def _bus_errors(shape: Shape, distance: Distance) -> list[Error]:
    """Unequal sums agree at the challenges, or a divisor vanishes there and its fraction is free (ePrint 2022/1530)."""
    fractions = sum(table.fractions << table.log_height for table in shape.tables) + shape.outside_fractions
    if not fractions:
        return []
    chance = distance.codewords * fractions * max(1, shape.fields) / FIELD
    return [Error("buses: unequal sums agree", chance), Error("buses: a divisor vanishes", chance)]


def _roots(shape: Shape) -> int:
    """The most points at which false rules can look true: the degree of their identity in the tallest table's point.

    A table 2**k times shorter has its columns at that point's 2**k-th power, which multiplies degrees by 2**k. What is
    opened at c points is known to have a degree below rows + c - 1. The composition's pieces make rows - 1 more.
    """
    rows = 1 << shape.log_tallest
    degree = max(shape.degree, shape.composition + 1)
    lifted = max(
        ((1 << table.log_height) + shape.openings - 1) << (shape.log_tallest - table.log_height)
        for table in shape.tables
    )
    return degree * lifted + rows - 1


def _batching_errors(parameters: Parameters, shape: Shape, distance: Distance) -> list[Error]:
    """At each height, all columns at all their places become one word."""
    found = []
    for log_height in sorted({table.log_height for table in shape.tables}, reverse=True):
        words = shape.openings * sum(table.columns for table in shape.tables if table.log_height == log_height)
        if log_height == shape.log_tallest:
            words += shape.composition
        gap = distance.gap(1 << log_height + parameters.log_blowup)
        found.append(Error(f"columns of 2**{log_height} rows: their weights", max(0, words - 1) * gap))
    return [error for error in found if error.chance]


def _folding_errors(parameters: Parameters, shape: Shape, distance: Distance) -> list[Error]:
    """A step by 2**bits sums so many words on the shorter domain, and one more where a table of that height enters."""
    heights = {table.log_height for table in shape.tables}
    log_height, found = shape.log_tallest, []
    for bits in fold_schedule(sorted(heights), parameters):
        log_height -= bits
        words = (1 << bits) + (log_height in heights)
        gap = distance.gap(1 << log_height + parameters.log_blowup)
        found.append(Error(f"folding to 2**{log_height} rows", (words - 1) * gap))
    return found


# --- the verdict ------------------------------------------------------------------------------------------------------


class Regime(NamedTuple):
    """Every round's chance under one of the two thresholds. Each is a proof by itself: the better one counts."""

    name: str
    distance: Distance
    errors: tuple[Error, ...]

    @property
    def chance(self) -> Fraction:
        """The sum over all rounds."""
        return sum((error.chance for error in self.errors), Fraction(0))

    @property
    def bits(self) -> float:
        """-log2 of the sum."""
        return bits_of(self.chance)


class Report(NamedTuple):
    """What a proof is worth, and why."""

    unique: Regime
    johnson: Regime
    digest: Error  # one over the work after which two contents with one digest are expected

    @property
    def best(self) -> Regime:
        """The regime that proves more."""
        return min(self.unique, self.johnson, key=lambda regime: regime.chance)

    @property
    def bits(self) -> float:
        """The proven bits. A collision of digests is work, not luck in a round: it caps the sum of the rounds."""
        return min(self.best.bits, self.digest.bits)

    def lines(self) -> list[str]:
        """The report as text, the verdict last."""
        capped = ", as much as its digests have" if self.digest.bits < self.best.bits else ""
        figures = [(error.bits, error.name) for error in self.best.errors] + [
            (self.best.bits, f"all rounds together ({self.best.name})"),
            (self.digest.bits, self.digest.name),
            (self.bits, f"bits proven{capped}"),
        ]
        return [f"{floor(10 * bits) / 10:7.1f}  {name}" for bits, name in figures]  # down: no tenth that is not there


def proven_bits(parameters: Parameters, shape: Shape) -> Report:
    """What is proven of proofs with these parameters for a system of this shape."""
    if not shape.tables:
        raise ValueError("a system has at least one table")
    half = unique_decoding(parameters.log_blowup)
    return Report(
        Regime("unique decoding", half, errors(parameters, shape, half)),
        _best_johnson(parameters, shape),
        Error(f"digests of {parameters.hash} collide", Fraction(1, isqrt(DIGESTS[parameters.hash]))),
    )


def _best_johnson(parameters: Parameters, shape: Shape) -> Regime:
    """The regime with the m of the least sum: queries fall with m and all else rises, so there is one valley.

    Any m gives a valid bound; missing the best one would only make the figure smaller.
    """

    def regime(multiplicity: int) -> Regime:
        distance = johnson(parameters.log_blowup, multiplicity)
        return Regime(f"Johnson bound, m = {multiplicity}", distance, errors(parameters, shape, distance))

    least, most = MULTIPLICITY_MIN, MULTIPLICITY_MAX
    while least < most:
        middle = (least + most) // 2
        if regime(middle).chance <= regime(middle + 1).chance:
            most = middle
        else:
            least = middle + 1
    return regime(least)


def queries_needed(bits: int, log_blowup: int, grinding_bits: int, unique: bool = False) -> int:
    """The fewest queries whose round alone has so many bits, in the Johnson regime as m grows or in unique decoding.

    The sum over all rounds may ask for one or two more: `proven_bits` tells.
    """
    missing = bits - grinding_bits
    if missing <= 0:
        return 1
    if not unique:
        return 2 * missing // log_blowup + 1  # strictly more than 2 * missing / log_blowup: m is finite
    queries = 1
    while ((1 << log_blowup) + 1) ** queries << missing > 1 << (log_blowup + 1) * queries:
        queries += 1
    return queries
