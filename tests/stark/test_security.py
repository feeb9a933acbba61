"""Proven bits: against figures worked out elsewhere, rounds counted by hand, and the profiles' own claims."""

from fractions import Fraction
from math import log2

import pytest

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.system import System
from stark.parameters import HIGH, ONCHAIN, PROFILES, STANDARD, TEST, Parameters, fold_schedule
from stark.security import (
    FIELD,
    PRIME,
    Distance,
    Error,
    Shape,
    TableShape,
    bits_of,
    errors,
    johnson,
    proven_bits,
    queries_needed,
    shape_of,
    unique_decoding,
)

GRINDING = (20, 24, 28, 30)
# Queries for 100 and then 128 bits at each grinding: up to the Johnson bound, and in unique decoding.
NEEDED = {
    1: ((161, 153, 145, 141, 217, 209, 201, 197), (193, 184, 174, 169, 261, 251, 241, 237)),
    2: ((81, 77, 73, 71, 109, 105, 101, 99), (118, 113, 107, 104, 160, 154, 148, 145)),
    3: ((54, 51, 49, 47, 73, 70, 67, 66), (97, 92, 87, 85, 131, 126, 121, 119)),
    4: ((41, 39, 37, 36, 55, 53, 51, 50), (88, 84, 79, 77, 119, 114, 110, 108)),
    5: ((33, 31, 29, 29, 44, 42, 41, 40), (84, 80, 76, 74, 114, 109, 105, 103)),
    6: ((27, 26, 25, 24, 37, 35, 34, 33), (82, 78, 74, 72, 111, 107, 103, 101)),
    7: ((23, 22, 21, 21, 31, 30, 29, 29), None),
}
ROWS = [
    (log_blowup, unique, bits, grinding, needed[4 * (bits == 128) + place])
    for log_blowup, pair in NEEDED.items()
    for unique, needed in zip((False, True), pair, strict=True)
    if needed is not None
    for bits in (100, 128)
    for place, grinding in enumerate(GRINDING)
]

# The largest system we expect: 2**30 fractions of 16 fields, 498 columns opened twice and 4 of the composition.
LARGEST = Shape((TableShape(24, 0, 398, 100, 64),), composition=4, constraints=2000, degree=5, fields=16)
# Three heights, of which the second and the third enter while the tallest is folded.
MIXED = Shape(
    (TableShape(18, 2, 30, 6, 12), TableShape(18, 0, 8, 2, 3), TableShape(16, 1, 1, 1, 1), TableShape(8, 0, 20, 4, 7)),
    composition=4,
    constraints=150,
    degree=5,
    fields=6,
    outside_fractions=5,
)


def named(found: tuple[Error, ...]) -> dict[str, Fraction]:
    chances = {error.name: error.chance for error in found}
    assert len(chances) == len(found), "every round has a name of its own"
    return chances


# --- figures from elsewhere -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("log_blowup", "unique", "bits", "grinding", "needed"), ROWS)
def test_queries_needed(log_blowup: int, unique: bool, bits: int, grinding: int, needed: int) -> None:
    assert queries_needed(bits, log_blowup, grinding, unique) == needed
    for queries, enough in ((needed, True), (needed - 1, False)):
        report = proven_bits(Parameters(log_blowup, queries, grinding), LARGEST)
        regime = report.unique if unique else report.johnson
        assert (regime.bits >= bits) == enough  # the sum over all rounds, not the queries alone


def test_no_query_is_needed_for_what_grinding_gives() -> None:
    assert queries_needed(20, 2, 20) == 1
    assert queries_needed(20, 2, 20, unique=True) == 1


@pytest.mark.parametrize(("log_blowup", "multiplicity"), [(1, 10**4), (2, 10**4), (3, 10**4), (4, 10**4), (5, 3000)])
def test_rounds_of_the_largest_system(log_blowup: int, multiplicity: int) -> None:
    distance = johnson(log_blowup, multiplicity)
    bits = {name: bits_of(chance) for name, chance in named(errors(STANDARD, LARGEST, distance)).items()}
    gap = bits_of(distance.gap(1 << 24 + log_blowup))
    assert 141 <= gap - log2(999) <= 149
    assert bits_of(distance.gap(1 << 20 + log_blowup)) - log2(15) >= 151
    assert 224.5 < bits["rules: their weights"] < 226.5
    assert 208.5 < bits["values outside the domain"] < 211
    alone = Distance(distance.agreement, Fraction(1), Fraction(1), Fraction(0), 0)
    assert bits_of(named(errors(STANDARD, LARGEST, alone))["buses: unequal sums agree"]) == 217


def test_a_query_is_worth_half_the_blowup() -> None:
    for log_blowup, multiplicity, worth in ((1, 10_000, 0.4999), (2, 10_000, 0.9999), (3, 10_000, 1.4999)):
        bits = bits_of(johnson(log_blowup, multiplicity).agreement)
        assert worth - 0.0001 <= bits < log_blowup / 2
    assert 1.999 < bits_of(johnson(4, 3000).agreement) < 2


def test_another_calculator() -> None:
    report = proven_bits(Parameters(5, 44, 24), Shape((TableShape(18, 0, 36, 0, 0),), 3, 50, 4, 0))
    assert (int(report.johnson.bits), int(report.unique.bits)) == (133, 66)


def test_settings_without_a_conjecture() -> None:
    """18 queries at blow-up 16 with 30 bits of grinding are sold as 96 bits; 66, less a little, are proven."""
    assert 65 < proven_bits(Parameters(4, 18, 30), Shape((TableShape(20, 0, 10, 0, 0),), 1, 200, 2, 0)).bits < 66


# --- rounds counted by hand -------------------------------------------------------------------------------------------


def test_every_round_of_a_mixed_system() -> None:
    distance = unique_decoding(2)
    chances = named(errors(Parameters(2, 10, 3, log_arity_max=4, log_final=5), MIXED, distance))
    fractions = 2**18 * (12 + 3) + 2**16 * 1 + 2**8 * 7 + 5
    shift = 2 ** (18 - 8)
    assert chances == {
        "buses: unequal sums agree": Fraction(fractions * 6, FIELD),
        "buses: a divisor vanishes": Fraction(fractions * 6, FIELD),
        "rules: their weights": Fraction(150, FIELD),
        "values outside the domain": Fraction(5 * shift * (2**8 + 1) + 2**18 - 1, FIELD),
        "columns of 2**18 rows: their weights": Fraction((2 * (38 + 10) + 4 - 1) * 2**20, FIELD),
        "columns of 2**16 rows: their weights": Fraction((2 * 3 - 1) * 2**18, FIELD),
        "columns of 2**8 rows: their weights": Fraction((2 * 24 - 1) * 2**10, FIELD),
        "folding to 2**16 rows": Fraction(4 * 2**18, FIELD),  # four words and the table's that enters
        "folding to 2**12 rows": Fraction(15 * 2**14, FIELD),
        "folding to 2**8 rows": Fraction(16 * 2**10, FIELD),  # sixteen words and the table's that enters
        "folding to 2**5 rows": Fraction(7 * 2**7, FIELD),
        "queries": Fraction(5, 8) ** 10 / 8,
    }


def test_the_sum_counts_and_not_the_least_round() -> None:
    report = proven_bits(Parameters(2, 600, 40), MIXED)
    regime = report.unique
    assert regime.chance == sum(error.chance for error in regime.errors)
    assert regime.bits < min(error.bits for error in regime.errors) - 0.5


def test_every_codeword_that_is_close_may_be_the_forgers() -> None:
    few, many = johnson(2, 100), johnson(2, 1000)
    assert few.codewords == Fraction(201, 2) * 2
    for name in ("buses: unequal sums agree", "rules: their weights", "values outside the domain"):
        ratio = named(errors(STANDARD, MIXED, many))[name] / named(errors(STANDARD, MIXED, few))[name]
        assert ratio == many.codewords / few.codewords


def test_the_gap_is_the_theorems() -> None:
    rate, half, points = 0.25, 7.5, 2.0**20
    radius = 1 - 0.5 * (1 + 1 / 7)
    expected = (2 * half**5 + 3 * half * radius * rate) * points / (3 * rate**1.5) + half / rate**0.5
    assert bits_of(johnson(2, 7).gap(2**20)) == pytest.approx(251 - log2(expected), abs=1e-9)


@pytest.mark.parametrize("log_blowup", range(1, 11))
def test_roots_are_rounded_up(log_blowup: int) -> None:
    for multiplicity in (3, 10**6):
        root = johnson(log_blowup, multiplicity).agreement / (1 + Fraction(1, multiplicity))
        assert Fraction(1, 2**log_blowup) <= root**2 < Fraction(1, 2**log_blowup) * (1 + Fraction(1, 2**100))
        assert johnson(log_blowup, multiplicity).agreement < 1


def test_no_challenge_is_likelier_than_counted() -> None:
    assert -(-(2**256) // PRIME) * FIELD == 2**256  # 32 digests at most for one element


@pytest.mark.parametrize("parameters", [*PROFILES.values(), Parameters(1, 400, 40)])
@pytest.mark.parametrize("shape", [LARGEST, MIXED])
def test_no_other_m_is_better(parameters: Parameters, shape: Shape) -> None:
    regime = proven_bits(parameters, shape).johnson
    best = regime.distance.multiplicity
    for other in {3, 4, 10, 100, 10**4, 10**7, max(3, best - 1), best + 1, best * 2}:
        chance = sum(error.chance for error in errors(parameters, shape, johnson(parameters.log_blowup, other)))
        assert chance >= regime.chance


def test_nothing_underflows() -> None:
    report = proven_bits(Parameters(10, 1024, 40), MIXED)
    queries = report.unique.errors[-1]
    assert queries.name == "queries"
    assert queries.bits == pytest.approx(40 + 1024 * (11 - log2(1025)), abs=1e-6)
    assert bits_of(Fraction(3, 2**5000)) == pytest.approx(5000 - log2(3))


def test_without_buses_there_is_no_bus_round() -> None:
    shape = Shape((TableShape(10, 0, 1, 0, 0),), 1, 1, 1, 0, openings=1)
    names = [error.name for error in proven_bits(STANDARD, shape).best.errors]
    assert not [name for name in names if name.startswith("buses")]
    with pytest.raises(ValueError, match="at least one table"):
        proven_bits(STANDARD, shape._replace(tables=()))


# --- what profiles say of themselves ----------------------------------------------------------------------------------


def test_profiles() -> None:
    for shape in (LARGEST, MIXED):
        assert proven_bits(STANDARD, shape).bits >= 100
        assert proven_bits(ONCHAIN, shape).bits >= 100
        high = proven_bits(HIGH, shape)
        assert high.best.bits >= 128
        assert high.bits == 128
        assert "as much as its digests have" in high.lines()[-1]
        assert int(proven_bits(TEST, shape).bits) == 11
    assert set(PROFILES) == {"standard", "high", "onchain", "test"}


@pytest.mark.parametrize(("parameters", "bits"), [(STANDARD, 100), (ONCHAIN, 100), (HIGH, 128)])
def test_profiles_hold_by_the_older_theorem_too(parameters: Parameters, bits: int) -> None:
    """ePrint 2020/654, theorem 8.3: gaps grow with the square of the points and with m to the seventh."""
    points = 1 << LARGEST.log_tallest + parameters.log_blowup
    best = Fraction(1)
    for multiplicity in (50, 100, 200, 400, 800):
        newer = johnson(parameters.log_blowup, multiplicity)
        root_inverse = newer.codewords / (multiplicity + Fraction(1, 2))
        scale = (multiplicity + Fraction(1, 2)) ** 7 * root_inverse**3 / 3 * points
        older = newer._replace(gap_scale=scale, gap_offset=2 * newer.codewords * (points + 1))
        best = min(best, sum((each.chance for each in errors(parameters, LARGEST, older)), Fraction(0)))
    assert bits_of(best) >= bits


def test_a_digest_of_one_element_caps_the_bits() -> None:
    values = {name: getattr(HIGH, name) for name in HIGH.__slots__}
    report = proven_bits(Parameters(**{**values, "hash": "poseidon"}), LARGEST)
    assert report.bits == pytest.approx(125.5, abs=1e-6)
    assert report.best.bits > 128


def test_the_report_as_text() -> None:
    report = proven_bits(STANDARD, LARGEST)
    assert report.lines()[-1] == "  100.9  bits proven"  # 100.9997, rounded down
    names = [error.name for error in report.best.errors]
    assert [line[9:] for line in report.lines()[: len(names)]] == names


# --- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log_blowup", 0),
        ("log_blowup", 11),
        ("queries", 0),
        ("queries", True),
        ("queries", 81.0),
        ("grinding_bits", -1),
        ("grinding_bits", 41),
        ("log_arity_max", 0),
        ("log_arity_max", 5),
        ("log_final", -1),
        ("part_queries", 82),
        ("hash", "sha256"),
    ],
)
def test_parameters_are_checked(name: str, value: object) -> None:
    values = {each: getattr(STANDARD, each) for each in STANDARD.__slots__}
    Parameters(**values)
    with pytest.raises(ValueError, match="trees are hashed" if name == "hash" else f"{name} is a whole number from"):
        Parameters(**{**values, name: value})


def test_encoding_tells_all_parameters_apart() -> None:
    others = [
        Parameters(3, 81, 20),
        Parameters(2, 80, 20),
        Parameters(2, 81, 21),
        Parameters(2, 81, 20, 3),
        Parameters(2, 81, 20, 4, 6),
        Parameters(2, 81, 20, 4, 5, "poseidon"),
        Parameters(2, 81, 20, 4, 5, "keccak", 2),
    ]
    encodings = {each.encode() for each in [STANDARD, *others]}
    assert len(encodings) == 8
    assert {len(encoding) % 32 for encoding in encodings} == {0}
    assert STANDARD.encode() == b"".join(word.to_bytes(32, "big") for word in STANDARD.words())


@pytest.mark.parametrize(
    ("log_heights", "log_arity_max", "log_final", "schedule"),
    [
        ([6], 4, 5, (1,)),
        ([18], 4, 6, (4, 4, 4)),
        ([18], 4, 5, (4, 3, 3, 3)),
        ([18, 16, 16, 8], 4, 5, (2, 4, 4, 3)),
        ([8, 18, 16, 18], 4, 5, (2, 4, 4, 3)),
        ([5, 4, 3], 4, 0, (1, 1, 3)),
        ([12], 1, 8, (1, 1, 1, 1)),
        ([14], 3, 7, (3, 2, 2)),
    ],
)
def test_fold_schedule(log_heights: list[int], log_arity_max: int, log_final: int, schedule: tuple[int, ...]) -> None:
    parameters = Parameters(2, 8, 0, log_arity_max, log_final)
    assert fold_schedule(log_heights, parameters) == schedule


def test_fold_schedules_meet_every_height_in_fewest_steps() -> None:
    for log_arity_max in range(1, 5):
        parameters = Parameters(2, 8, 0, log_arity_max, 3)
        for tallest in range(4, 22):
            for other in range(4, tallest + 1):
                schedule = fold_schedule([other, tallest], parameters)
                reached = [tallest - sum(schedule[:count]) for count in range(len(schedule) + 1)]
                assert other in reached and reached[-1] == 3
                assert all(1 <= step <= log_arity_max for step in schedule)
                assert len(schedule) == sum(-(-gap // log_arity_max) for gap in (tallest - other, other - 3))


def test_a_table_no_taller_than_the_last_polynomial_is_refused() -> None:
    with pytest.raises(ValueError, match="pad the table"):
        fold_schedule([18, 5], STANDARD)
    with pytest.raises(ValueError, match="no table"):
        fold_schedule([], STANDARD)


# --- the shape of a system --------------------------------------------------------------------------------------------


class Sender(Chip):
    """Sends its counter, which climbs by one."""

    name = "sender"
    columns = ("counter", "other")

    def constrain(self, row: Row, must: Must) -> None:
        must.transition("climbs", row.next.counter - row.counter - 1)
        must.send(NUMBERS, (row.counter, row.other))


class Receiver(Chip):
    """Receives what is sent."""

    name = "receiver"
    columns = ("counter", "other", "times")

    def constrain(self, row: Row, must: Must) -> None:
        must.receive(NUMBERS, (row.counter, row.other), times=row.times)


NUMBERS = Bus("numbers", ("counter", "other"))


def test_the_shape_of_a_system() -> None:
    system = System("pair", (Sender(), Receiver()))
    shape = shape_of(system, [12, 8])
    assert shape.tables == (TableShape(12, 0, 2, 1, 1), TableShape(8, 0, 3, 1, 1))
    assert shape.constraints == 1 + 2 + 2
    assert shape.degree == system.composition_columns + 1
    assert shape.fields == 2
    assert shape.outside_fractions == 0
    assert proven_bits(STANDARD, shape).bits >= 100
    with pytest.raises(ValueError):
        shape_of(system, [12])
