"""A system: the chips of a statement, joined by buses and bound to public values, and a digest of what it accepts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from stark.air import logup
from stark.air.chip import Bus, Chip, Message, Must, Row, width
from stark.air.expr import Expr, Source, leaf
from stark.air.listing import Listing
from stark.air.program import Program, compile_program
from stark.prime import PRIME

DEGREE = 5  # of a bus constraint, unless a chip's own rules go higher: the composition takes four columns


class Public:
    """The elements of the statement by name; what `environment` writes its messages with."""

    def __init__(self, names: Sequence[str]):
        self._elements = {name: leaf(Source.PUBLIC, index) for index, name in enumerate(names)}

    def __getattr__(self, name: str) -> Expr:
        if name.startswith("_") or name not in self._elements:
            raise AttributeError(f"the statement has no element {name}")
        return self._elements[name]


class Table(NamedTuple):
    """A chip compiled: what prover and verifier run."""

    chip: Chip
    fixed_width: int
    trace_width: int
    bus_width: int
    constraint_names: tuple[str, ...]
    program: Program  # one output a constraint, those of the buses last
    degree: int
    messages: tuple[Message, ...]
    grouping: logup.Grouping
    fractions: Program  # numerator and denominator of each message in turn

    def width(self, source: Source) -> int:
        """How many columns of a phase the table has."""
        return {Source.FIXED: self.fixed_width, Source.TRACE: self.trace_width, Source.BUS: self.bus_width}[source]

    @property
    def periods(self) -> tuple[tuple[int, ...], ...]:
        """The periodic columns, in order."""
        return tuple(self.chip.periodic.values())


class System:
    """Chips in a fixed order, the statement's elements by name, the messages it sends, and what else it lists."""

    def __init__(
        self,
        name: str,
        chips: Sequence[Chip],
        public: Sequence[str] = (),
        environment: Callable[[Public, Must], None] | None = None,
        degree: int = DEGREE,
        listing: Listing | None = None,
    ):
        self.name = name
        self.public = tuple(public)
        outside = Must()
        if environment is not None:
            environment(Public(self.public), outside)
        if outside.constraints:
            raise ValueError(f"{name}: the statement can send and receive; rules belong to chips")
        if not chips:
            raise ValueError(f"{name}: a system has at least one chip")
        rules = [_rules_of(chip) for chip in chips]
        _check_statement(name, self.public, outside.messages, rules)
        self.buses = _number_buses([*outside.messages, *(each for must in rules for each in must.messages)])
        self.tables = tuple(
            _compile(chip, must, self.buses, degree) for chip, must in zip(chips, rules, strict=True)
        )
        self.outside = compile_program(_fractions(outside.messages, self.buses))
        self.outside_messages = tuple(outside.messages)
        self.listing = listing
        if listing is not None:
            listing.check()
            if listing.bus not in self.buses:
                raise ValueError(f"{name}: the statement lists on {listing.bus.name}, a bus that no chip knows")
        if len({table.chip.name for table in self.tables}) < len(self.tables):
            raise ValueError(f"{name}: two chips have one name")

    @property
    def challenge_count(self) -> int:
        """The buses' point and the powers of their base: one more than the longest tuple."""
        return 1 + max((len(bus.fields) for bus in self.buses), default=0)

    @property
    def composition_columns(self) -> int:
        """Pieces, each as long as the tallest table, that hold the quotient of the constraints."""
        return max([1, *(table.degree - 1 for table in self.tables)])

    def columns(self) -> int:
        """Committed columns in all: of the trace, of the buses, and of the composition."""
        return sum(table.trace_width + table.bus_width for table in self.tables) + self.composition_columns

    def words(self) -> list[int]:
        """All that decides validity, the values of fixed columns apart (a key binds those for given heights)."""
        words = [len(self.public), self.composition_columns, len(self.tables)]
        for table in self.tables:
            words += [table.fixed_width, table.trace_width, table.bus_width, len(table.periods)]
            for period in table.periods:
                words += [len(period), *period]
            words += table.program.words()
        words += self.outside.words()
        return words if self.listing is None else [*words, *self.listing.words(self.buses[self.listing.bus])]

    @property
    def pages(self) -> int:
        """The most pages that a statement lists; none where it lists nothing."""
        return 0 if self.listing is None else self.listing.pages

    def listed(self, public: Sequence[int]) -> Sequence[int]:
        """Of a statement, what stands behind its elements."""
        return public[len(self.public) :]

    def listed_sums(self, public: Sequence[int], challenges: Sequence[int]) -> list[int]:
        """What each page of the statement adds to the balance of buses. Raises ZeroDivisionError by bad luck."""
        if self.listing is None:
            return []
        return self.listing.sums(self.listed(public), self.buses[self.listing.bus], challenges)


def _check_statement(name: str, public: Sequence[str], outside: Sequence[Message], rules: Sequence[Must]) -> None:
    """What is stated must reach the tables by messages, and meet some there, or anything could be stated."""
    if outside and not any(must.messages for must in rules):
        raise ValueError(f"{name}: the statement sends or receives, and no chip does")
    read = compile_program([each for message in outside for each in (message.times, *message.values)]).leaves()
    indices = {found.index for found in read if found.source == Source.PUBLIC}
    unread = [element for index, element in enumerate(public) if index not in indices]
    if unread:
        raise ValueError(f"{name}: no message reads {', '.join(unread)}: it could be stated to be anything")


def _rules_of(chip: Chip) -> Must:
    if not width(chip.columns):
        raise ValueError(f"{chip.name}: a chip has at least one column")
    must = Must()
    chip.constrain(Row(chip), must)
    for values in chip.periodic.values():
        if not values or len(values) & (len(values) - 1):
            raise ValueError(f"{chip.name}: a periodic column repeats a power of two of values, not {len(values)}")
        for value in values:
            if not 0 <= value < PRIME:  # it would be one constant for the rules and another for the digest
                raise ValueError(f"{chip.name}: a periodic column holds field elements, not {value}")
    names = [name for name, _ in must.constraints]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{chip.name}: two rules are named {name!r}")
    return must


def _number_buses(messages: Sequence[Message]) -> dict[Bus, int]:
    buses: dict[Bus, int] = {}
    for message in messages:
        buses.setdefault(message.bus, 1 + len(buses))
    if len({bus.name for bus in buses}) < len(buses):
        raise ValueError("two buses of different fields have one name")
    return buses


def _fractions(messages: Sequence[Message], buses: dict[Bus, int]) -> list[Expr]:
    return [each for message in messages for each in (message.times, logup.denominator(message, buses))]


def _compile(chip: Chip, must: Must, buses: dict[Bus, int], degree: int) -> Table:
    own = max((expression.degree for _, expression in must.constraints), default=1)
    grouping = logup.group(must.messages, max(own, degree))
    rules = [*must.constraints, *logup.constraints(must.messages, grouping, buses)]
    return Table(
        chip=chip,
        fixed_width=width(chip.fixed),
        trace_width=width(chip.columns),
        bus_width=grouping.columns,
        constraint_names=tuple(name for name, _ in rules),
        program=compile_program([expression for _, expression in rules]),
        degree=max([1, *(expression.degree for _, expression in rules)]),
        messages=tuple(must.messages),
        grouping=grouping,
        fractions=compile_program(_fractions(must.messages, buses)),
    )
