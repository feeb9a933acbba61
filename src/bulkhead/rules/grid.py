"""Grid: the default shocks of scenario margin, and the check that a grid keeps what the rules promise of it."""

from __future__ import annotations

from collections.abc import Iterable

from bulkhead.fixed import ONE, percent
from bulkhead.rules.scenario import Grid, Shock
from bulkhead.rules.terms import ConfigError
from bulkhead.units import Fraction

MAJORS = 1
OTHERS = 2
SHOCKS_MIN = 16

# Signed hundredths of the price: (name, majors, others).
MOVES = (
    ("all fall", -25, -35),
    ("all rise", 25, 35),
    ("all fall by two thirds", -17, -23),
    ("all rise by two thirds", 17, 23),
    ("all fall by one third", -8, -12),
    ("all rise by one third", 8, 12),
    ("others fall further", -16, -35),
    ("others rise further", 16, 35),
    ("majors fall further", -25, -20),
    ("majors rise further", 25, 20),
    ("majors fall alone", -15, 0),
    ("majors rise alone", 15, 0),
    ("others fall alone", 0, -25),
    ("others rise alone", 0, 25),
    ("majors fall, others rise", -12, 17),
    ("majors rise, others fall", 12, -17),
    ("majors fall, others rise a little", -6, 9),
    ("majors rise, others fall a little", 6, -9),
)


def signed_percent(hundredths: int) -> Fraction:
    """Hundredths as a Fraction with a sign.

    Units: Fraction; rounded away from zero: a shock never errs low.
    Source: ours.

    >>> [millionths(signed_percent(move)) for move in (-25, 0, 25)]
    [-250000, 0, 250000]
    """
    return percent(hundredths) if hundredths >= 0 else -percent(-hundredths)


def default_grid(majors: int = MAJORS, others: int = OTHERS) -> Grid:
    """Eighteen joint moves of two market groups, sized by what happened between 2019 and 2026.

    The horizon is the hour in which a liquidation must find its other side. Worst hours of perpetuals on
    Binance: BTC −20.7 %, ETH −24.5 %, BCH −32.9 %; hence 25 % for majors, 35 % for others, and the same
    upward for shorts. On 10 October 2025 majors fell 16 to 22 % and others 58 to 66 % below the day's open:
    "others fall further" keeps that shape, cut to what one hour showed. Correlations with BTC are 0.84 (ETH)
    and 0.60 to 0.77, and only three in ten jumps of BTC are shared by the others in the same hour: so each
    group moves alone (by 15 and 25 %, beyond the jumps of 4 to 7 % by three deviations), and against the other
    by half of its worst hour.

    Gains offset 80 % of losses within a group and 40 % across; at least 2 % of gross and 5 % of net notional
    are asked, plus 20 % of notional of an account that is the whole open interest. Maintenance is 60 % and
    close-out 40 % of the initial requirement.

    Units: Fraction; moves rounded away from zero, caps of offsets down.
    Source: recorded worst hours of perpetuals, 2019 to 2026; sixteen shocks at least as in SPAN and Paradex; offsets
    and floors after OCC's and Paradex's.

    >>> len(default_grid().shocks), default_grid().shocks[0].name
    (18, 'all fall')
    """
    return Grid(
        shocks=tuple(
            Shock(name, ((majors, signed_percent(one)), (others, signed_percent(other)))) for name, one, other in MOVES
        ),
        offset_within=ONE - percent(20),
        offset_across=ONE - percent(60),
        floor_gross=percent(2),
        floor_net=percent(5),
        concentration=percent(20),
        maintenance=percent(60),
        close_out=percent(40),
    )


def check_grid(grid: Grid, groups: Iterable[int] = ()) -> None:
    """Refuse a grid under which a rule would not hold: raises ConfigError and says what it must be.

    `groups` are those of the venue's markets: each must be moved both ways, or its positions would be free.
    Shares lie within [0, 1], so that requirements keep their width and are never negative. The largest move
    plus the concentration add-on, times the maintenance share, is at most one, and offsets leave something:
    so value less maintenance still rises with the price of a long, and a liquidation price exists once.

    Units: Fraction; compared exactly, nothing is rounded.
    Source: ours: what `scenario.requirement` and `margin.liquidation_price` lean on.

    >>> check_grid(default_grid(), groups=(MAJORS, OTHERS))
    >>> check_grid(default_grid(), groups=(3,))
    Traceback (most recent call last):
    bulkhead.rules.terms.ConfigError: grid: group 3 must rise in one shock and fall in another
    """
    one = int(ONE)
    if len(grid.shocks) < SHOCKS_MIN:
        raise ConfigError(f"grid: at least {SHOCKS_MIN} shocks are needed, not {len(grid.shocks)}")
    if len({shock.name for shock in grid.shocks}) < len(grid.shocks):
        raise ConfigError("grid: the names of shocks must differ")
    for shock in grid.shocks:
        if len({group for group, _ in shock.moves}) < len(shock.moves):
            raise ConfigError(f"grid: {shock.name}: a group must not be named twice")
        if any(abs(int(move)) > one for _, move in shock.moves):
            raise ConfigError(f"grid: {shock.name}: a move must be within one of zero")
    for field in ("offset_within", "offset_across", "floor_gross", "floor_net", "concentration"):
        if not 0 <= int(getattr(grid, field)) <= one:
            raise ConfigError(f"grid: {field} must be from zero to one")
    if not 0 < int(grid.close_out) < int(grid.maintenance) < one:
        raise ConfigError("grid: shares must be 0 < close_out < maintenance < 1")
    moves = [(group, int(move)) for shock in grid.shocks for group, move in shock.moves]
    largest = max([abs(move) for _, move in moves] + [int(grid.floor_gross) + int(grid.floor_net)])
    if (largest + int(grid.concentration)) * int(grid.maintenance) > one * one:
        raise ConfigError("grid: (largest move + concentration) · maintenance must be at most one")
    for group in groups:
        if not any(move > 0 for number, move in moves if number == group) or not any(
            move < 0 for number, move in moves if number == group
        ):
            raise ConfigError(f"grid: group {group} must rise in one shock and fall in another")
