"""Stark ECDSA as a narrow chip: 256 rows of 17 columns show that a message is signed under a key's x coordinate.

A signature (r, s) of message z under a point Q is valid if s R = z G + r Q for a point R whose x is r. With V = -R,

    r Q + s V + z G = 0,

and neither arithmetic modulo the curve's order nor an inverse of s is needed. Rows 0 to 250 take one bit each of r, s
and z, the most significant first. Two ladders run beside each other:

    (x, y)              = 2 (x, y) + T,   T = A + [bit of r] Q + [bit of s] V,   from B
    (base_x, base_y)    = itself + [bit of z] 2**(250 - row) G,                  from C

Rows 252 to 254 derive the three points T can be besides A: A + Q, A + V, A + Q + V; they stand unchanged in every row.
Row 251 closes: the ladders' ends must add up to 2**251 B + (2**251 - 1) A + C, a constant, for only then do r Q, s V
and z G cancel. A, B and C are points whose logarithms nobody knows.

An addition must show, by an inverse, that its points' x coordinates differ: else the slope would be free. Three kinds
need not: the second of a step, since no point of an odd order has y = 0; the closing one, both of whose degenerate
cases come out true; and that of the ladder of G, where equal coordinates would give the logarithm of C to whoever finds
them, and with it ECDSA would fall.
"""

from __future__ import annotations

from functools import cache

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.expr import Expr, lift
from stark.curve import BETA, GENERATOR, add_points, lift_x, multiply_point
from stark.keccak import keccak256
from stark.prime import PRIME

SIGNED = Bus("signed", ("public_key", "message"))
ROWS, STEPS = 256, 251
CLOSING, KEY, NONCE, SUM, REST = range(STEPS, ROWS)  # the rows after the ladders' last step

Affine = tuple[int, int]
Pair = tuple[Expr, Expr]


@cache
def unknown_point(name: str) -> Affine:
    """A point whose logarithm nobody knows: the first hash of the name that is an x coordinate."""
    counter = 0
    while True:
        digest = keccak256(f"stark ecdsa ladder, {name}, {counter}".encode())
        point = lift_x(int.from_bytes(digest, "big") % PRIME)
        if point is not None:
            return point
        counter += 1


OFFSET, START, BASE_START = (unknown_point(name) for name in ("offset", "start", "base start"))  # A, B and C


@cache
def sum_of_ends() -> Affine:
    """What the ladders' ends add up to exactly for a valid signature."""
    doubled = add_points(multiply_point(1 << STEPS, START), multiply_point((1 << STEPS) - 1, OFFSET))
    total = add_points(doubled, BASE_START)
    assert total is not None
    return total


@cache
def base_points() -> tuple[Affine, ...]:
    """2**(250 - row) G by row."""
    points: list[Affine] = [GENERATOR]
    while len(points) < STEPS:
        twice = add_points(points[-1], points[-1])
        assert twice is not None
        points.append(twice)
    return tuple(reversed(points))


def _on(row: int) -> tuple[int, ...]:
    return tuple(int(each == row) for each in range(ROWS))


class Ecdsa(Chip):
    """4,352 cells a signature and 256 of its bus; degree 5. Sends (key, message) as often as row 252 says.

    Lends r, s and message below 2**251 only, r and s above 0, as the ledger demands; a key with a point of either sign.
    Unused places hold the signature of nobody, sent 0 times.
    """

    name = "ecdsa"
    columns = (
        "x", "y", "slope", "second_slope", "inverse", "r", "s", "message", "base_x", "base_y", "base_slope",
        ("with_key", 2), ("with_nonce", 2), ("with_both", 2),
    )  # fmt: skip
    periodic = {
        "is_first": _on(0),
        "is_closing": _on(CLOSING),
        "is_key": _on(KEY),
        "is_nonce": _on(NONCE),
        "is_sum": _on(SUM),
        "is_rest": _on(REST),
        "added_x": (*(x for x, _ in base_points()), *[0] * (ROWS - STEPS)),
        "added_y": (*(y for _, y in base_points()), *[0] * (ROWS - STEPS)),
    }

    def constrain(self, row: Row, must: Must) -> None:
        """The start, a step of both ladders, their sum, and the points that the first ladder adds."""
        is_step = 1 - row.is_closing - row.is_key - row.is_nonce - row.is_sum - row.is_rest
        _start(row, must)
        _step(row, must, is_step)
        _step_of_base(row, must, is_step)
        _close(row, must)
        _derive(row, must)
        for group in ("with_key", "with_nonce", "with_both"):
            for part, (own, after) in enumerate(zip(row[group], row.next[group], strict=True)):
                must.zero(f"{group}[{part}] stands in every row", (1 - row.is_rest) * (after - own))
        _leave_empty(row, must)
        must.send(SIGNED, [row.x, row.message], row.is_key * row.s)


def _start(row: Row, must: Must) -> None:
    for name, value in (("x", START[0]), ("y", START[1]), ("base_x", BASE_START[0]), ("base_y", BASE_START[1])):
        must.zero(f"{name} starts where nobody knows", row.is_first * (getattr(row, name) - value))
    for name in ("r", "s", "message"):
        must.zero(f"no bit of {name} is taken yet", row.is_first * getattr(row, name))


def _bit(row: Row, name: str) -> Expr:
    """The bit that a step takes: what is read so far doubles, and gains it."""
    own: Expr = getattr(row, name)
    after: Expr = getattr(row.next, name)
    return after - 2 * own


def _step(row: Row, must: Must, gate: Expr) -> None:
    """(x, y) + T, and (x, y) again; the sum in between has no cells."""
    of_r, of_s = _bit(row, "r"), _bit(row, "s")
    for name in ("r", "s", "message"):
        bit = _bit(row, name)
        must.zero(f"a bit of {name}", gate * (bit * (bit - 1)))
    neither, both = (1 - of_r) * (1 - of_s), of_r * of_s
    added_x, added_y = (
        OFFSET[part] * neither
        + row["with_key"][part] * (of_r * (1 - of_s))
        + row["with_nonce"][part] * ((1 - of_r) * of_s)
        + row["with_both"][part] * both
        for part in range(2)
    )
    across = row.x - added_x
    must.zero("the added point differs", gate * (row.inverse * across - 1))
    must.zero("slope to the added point", gate * (row.slope * across - (row.y - added_y)))
    between = row.slope**2 - row.x - added_x
    must.zero("slope of the second sum", gate * ((row.slope + row.second_slope) * (between - row.x) + 2 * row.y))
    must.zero("x of a step", gate * (row.next.x - (row.second_slope**2 - row.x - between)))
    must.zero("y of a step", gate * (row.next.y - (row.second_slope * (row.x - row.next.x) - row.y)))


def _step_of_base(row: Row, must: Must, gate: Expr) -> None:
    bit = _bit(row, "message")
    slope, x, y = row.base_slope, row.base_x, row.base_y
    must.zero("slope to the base's multiple", gate * (bit * (slope * (x - row.added_x) - (y - row.added_y))))
    must.zero("no slope without a bit", gate * ((1 - bit) * slope))
    must.zero("x of the base's ladder", gate * (row.next.base_x - x - bit * (slope**2 - row.added_x - 2 * x)))
    must.zero("y of the base's ladder", gate * (row.next.base_y - y - (slope * (x - row.next.base_x) - 2 * bit * y)))


def _close(row: Row, must: Must) -> None:
    """Both ends and the opposite of their constant sum lie on one line."""
    gate, (x, y) = row.is_closing, sum_of_ends()
    must.zero("the ends' slope", gate * (row.slope * (row.x - row.base_x) - (row.y - row.base_y)))
    must.zero("x of the ends' sum", gate * (row.slope**2 - row.x - row.base_x - x))
    must.zero("y of the ends' sum", gate * (row.slope * (row.x - x) - (row.y + y)))
    must.zero("s is not zero", gate * (row.inverse * row.s - 1))
    must.zero("the message is kept for the key's row", gate * (row.next.message - row.message))
    must.zero("r is kept", (gate + row.is_key) * (row.next.r - row.r))


def _derive(row: Row, must: Must) -> None:
    """The points that a step can add, from the key's point and the nonce's opposite."""
    curve = row.y**2 - row.x**3 - row.x - BETA
    must.zero("the points lie on the curve", (row.is_key + row.is_nonce) * curve)
    with_key = row["with_key"][0], row["with_key"][1]
    with_nonce = row["with_nonce"][0], row["with_nonce"][1]
    with_both = row["with_both"][0], row["with_both"][1]
    offset = lift(OFFSET[0]), lift(OFFSET[1])
    _adds(row, must, "offset + key", row.is_key, offset, with_key)
    _adds(row, must, "offset + nonce", row.is_nonce, offset, with_nonce)
    _adds(row, must, "offset + key + nonce", row.is_sum, with_key, with_both)
    must.zero("x of the nonce is r", row.is_nonce * (row.x - row.r))
    must.zero("r is not zero", row.is_nonce * (row.second_slope * row.x - 1))
    must.zero("x of the nonce is kept", row.is_nonce * (row.next.x - row.x))
    must.zero("y of the nonce is kept", row.is_nonce * (row.next.y - row.y))


def _adds(row: Row, must: Must, name: str, gate: Expr, left: Pair, result: Pair) -> None:
    """left + (x, y) = result."""
    across = row.x - left[0]
    must.zero(f"{name}: the points differ", gate * (row.inverse * across - 1))
    must.zero(f"{name}: slope", gate * (row.slope * across - (row.y - left[1])))
    must.zero(f"{name}: x", gate * (result[0] - (row.slope**2 - row.x - left[0])))
    must.zero(f"{name}: y", gate * (result[1] - (row.slope * (row.x - result[0]) - row.y)))


def _leave_empty(row: Row, must: Must) -> None:
    """Cells without use are zeros."""
    after_key = row.is_nonce + row.is_sum + row.is_rest
    after_closing = row.is_key + after_key
    for name in ("base_x", "base_y"):
        must.zero(f"{name} is empty after the ladders", after_closing * getattr(row, name))
    must.zero("base_slope is empty after the ladders", (row.is_closing + after_closing) * row.base_slope)
    for name in ("s", "message"):
        must.zero(f"{name} is empty after the key's row", after_key * getattr(row, name))
    must.zero("r is empty after the nonce's row", (row.is_sum + row.is_rest) * row.r)
    spare = row.is_closing + row.is_key + row.is_sum + row.is_rest
    must.zero("second_slope is empty but for steps and nonce", spare * row.second_slope)
    for name in ("x", "y", "slope", "inverse"):
        must.zero(f"{name} is empty in the last row", row.is_rest * getattr(row, name))
