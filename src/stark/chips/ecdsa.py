"""Stark ECDSA as a narrow chip: 256 rows of 8 columns show that a message is signed under a key's x coordinate.

A signature (r, s) of message z under a point Q is valid if s R = z G + r Q for a point R whose x is r. With V = -R,

    r Q + s V + z G = 0,

and neither arithmetic modulo the curve's order nor an inverse of s is needed. Rows 0 to 250 are one ladder of three
scalars, the most significant bit first:

    (x, y) = 2 (x, y) + T,   T = A + [bit of r] Q + [bit of s] V + [bit of z] G,   from B

and r Q, s V and z G cancel if and only if it ends at 2**251 B + (2**251 - 1) A, a constant. A and B are points whose
logarithms nobody knows.

**The scalars are counts of copies.** A step writes neither its bits nor what is read so far, only a selector from 0 to
7. It takes (number of the signature, selector, T) off a bus of the chip's own, and row i takes 2**(250 - i) copies. The
last five rows derive the eight points and put each on the bus under its selector, as often as cells say. A set of rows
takes the sum of its powers of two, which is from 0 to 2**251 - 1, below the prime, and zero for the empty set alone. So
no step adds what the last rows do not send, and the copies of a point are the very integer whose bits say where it was
added. Cells that say anything else make no wrong point, for rules derive what is sent; they find no partner. r is the
sum of the copies of the four points with Q in them, and so are s and z, each below 2**251 without another check. s is
bound by nothing else, and need only not be zero: it is 2**251 - 1 less the copies of points without V.

Selectors keep apart two points that are equal: with V = G, say, copies of A + V could be passed off as copies of A + G,
and s be traded for z modulo the prime. Numbers keep apart the signatures, which would else lend each other points. They
rise by one from block to block of 256 rows, from zero, and the last row says nothing of the first.

**Two signs of V.** A + V and A + Q + V come from the x of R by two lines, and nothing says that both mean one of the
two points with this x. If they differ, s is not the sum of the copies with V, but those without Q less those with it.
No bit is in both, so this is zero only if their sum is; it is below 2**251 in size, and its sign is that of R, which is
free. What is lent has a signature all the same.

**Points that meet.** The slope through two points is free if they are equal, so every addition shows by an inverse that
its points' x coordinates differ: those of the steps, and those that derive the points, for keys and nonces can be
chosen to meet A, G, or each other. One kind need not: the second addition of a step, of (x, y) to (x, y) + T. It would
take y = 0, and no point of an odd order has that. An honest ladder meets no point, and an honest signature can be
shown: whoever knows the logarithms of Q and R would else know one of A, or of A and B together. r is not zero, since no
point of the curve has x = 0.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.expr import Expr, lift
from stark.curve import BETA, GENERATOR, add_points, lift_x, multiply_point
from stark.keccak import keccak256
from stark.prime import PRIME

SIGNED = Bus("signed", ("public_key", "message"))
POINT = Bus("point of a signature", ("number", "selector", "x", "y"))
ROWS, STEPS = 256, 251
NONCE, BOTH, KEY, BASE, REST = range(STEPS, ROWS)  # rows that send A + V, A + Q + V, A + Q, A + G, A
WITH_KEY, WITH_NONCE, WITH_BASE = 1, 2, 4  # a selector adds up what is added to A: Q, V, G

Affine = tuple[int, int]
Pair = tuple[Expr, Expr]


class Held(NamedTuple):
    """Where a value of the last rows stands: there, columns that only steps need are used for what the points need."""

    row: int
    column: str


NONCE_X, KEY_X = Held(BOTH, "inverse"), Held(BASE, "added_x")  # x of R and of Q: r and the public key
NONCE_SLOPE, KEY_SLOPE = Held(NONCE, "second_slope"), Held(BASE, "second_slope")  # from -A to R and to -Q
BOTH_SLOPE = Held(BOTH, "second_slope")  # from -(A + Q) to R
COPIES_OF_NONCE = Held(NONCE, "selector")  # of A + V
COPIES_OF_KEY = Held(KEY, "second_slope")  # of A + Q and A + Q + G
COPIES_OF_CONSTANTS = Held(BASE, "slope")  # of A and A + G
COPIES_OF_REST = Held(REST, "slope")  # of A
TIMES = Held(REST, "second_slope")  # how often the signature is lent
MESSAGES = tuple(Held(row, "selector") for row in (BOTH, KEY, BASE))  # copies with G that rows before have sent
INVERSES = tuple(Held(row, "inverse") for row in (NONCE, KEY, BASE))


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


def _sum(left: Affine | None, right: Affine | None) -> Affine:
    found = add_points(left, right)
    assert found is not None, "constants were chosen whose sum is infinity"
    return found


OFFSET, START = (unknown_point(name) for name in ("offset", "start"))  # A and B
OFFSET_AND_BASE = _sum(OFFSET, GENERATOR)


@cache
def end_point() -> Affine:
    """Where the ladder ends exactly for a valid signature."""
    return _sum(multiply_point(1 << STEPS, START), multiply_point((1 << STEPS) - 1, OFFSET))


def _on(row: int) -> tuple[int, ...]:
    return tuple(int(each == row) for each in range(ROWS))


class Ecdsa(Chip):
    """2,048 cells a signature and 256 of its bus; degree 5. Sends (key, message) as often as `TIMES` says.

    Lends r, s and message below 2**251 only, r and s above 0, as the ledger demands; a key with a point of either sign.
    Unused places hold the signature of nobody, sent 0 times.
    """

    name = "ecdsa"
    columns = ("x", "y", "slope", "second_slope", "inverse", "added_x", "selector", "number")
    periodic = {
        "is_first": _on(0),
        "is_last_step": _on(STEPS - 1),
        "is_nonce": _on(NONCE),
        "is_both": _on(BOTH),
        "is_key": _on(KEY),
        "is_base": _on(BASE),
        "is_rest": _on(REST),
        "weight": (*(1 << (STEPS - 1 - row) for row in range(STEPS)), *[0] * (ROWS - STEPS)),
    }

    def constrain(self, row: Row, must: Must) -> None:
        """The ladder, the eight points that its steps can add, and what they are sent as often as."""
        must.first("the first signature has number 0", row.number)
        must.transition("numbers count signatures", row.next.number - row.number - row.is_rest)
        for name, value in zip(("x", "y"), START, strict=True):
            must.zero(f"{name} starts where nobody knows", row.is_first * (getattr(row, name) - value))
        _step(row, must)
        _derive(row, must)
        _add_base(row, must)
        _differ(row, must)
        _leave_empty(row, must)
        _exchange(row, must)
        message = row.selector + _copies_of_base(row)
        must.send(SIGNED, [_held(row, BASE, KEY_X), message], row.is_base * _held(row, BASE, TIMES))


def _held(row: Row, at: int, held: Held) -> Expr:
    """A value of the last rows, as row `at` sees it: in its own cells or in those of the row after it."""
    assert held.row - at in (0, 1), f"row {at} does not see {held}"
    found: Expr = getattr(row if held.row == at else row.next, held.column)
    return found


def _opposite(row: Row) -> Pair:
    """In the last rows, the opposite of what (x, y) sends; in all of them, what a line goes through."""
    return row.x, row.y


def _added(row: Row) -> Pair:
    """The point at `added_x` on the line through (x, y): what a step adds, or the last rows derive with G."""
    return row.added_x, row.y - row.slope * (row.x - row.added_x)


def _step(row: Row, must: Must) -> None:
    """(x, y) + T, and (x, y) again; neither y of T nor the sum in between has cells. The last step leads to the end."""
    is_step = 1 - row.is_nonce - row.is_both - row.is_key - row.is_base - row.is_rest
    must.zero("the added point differs", is_step * (row.inverse * (row.x - row.added_x) - 1))
    between = row.slope**2 - row.x - row.added_x
    second = row.second_slope
    must.zero("slope of the second sum", is_step * ((row.slope + second) * (between - row.x) + 2 * row.y))
    x = second**2 - row.x - between
    leads_on, (end_x, end_y) = is_step - row.is_last_step, end_point()
    must.zero("x of a step", leads_on * (row.next.x - x))
    must.zero("y of a step", leads_on * (row.next.y - (second * (row.x - row.next.x) - row.y)))
    must.zero("x of the end", row.is_last_step * (end_x - x))
    must.zero("y of the end", row.is_last_step * (end_y - (second * (row.x - end_x) - row.y)))


def _derive(row: Row, must: Must) -> None:
    """A + V, A + Q + V and A + Q from V = -R and Q; in rows of their own, with the opposite signs; A + G and A."""
    minus_offset = lift(OFFSET[0]), lift(PRIME - OFFSET[1])
    for name, at, gate, start, held_x, held_slope in (
        ("nonce", NONCE, row.is_nonce, minus_offset, NONCE_X, NONCE_SLOPE),
        ("nonce, with the key", BOTH, row.is_both, _opposite(row.next), NONCE_X, BOTH_SLOPE),
        ("key", KEY, row.is_key, minus_offset, KEY_X, KEY_SLOPE),
    ):
        x, slope = _held(row, at, held_x), _held(row, at, held_slope)
        y = start[1] + slope * (x - start[0])
        must.zero(f"{name}: the point lies on the curve", gate * (y**2 - x**3 - x - BETA))
        sum_x, sum_y = _opposite(row)
        must.zero(f"{name}: x of the sum", gate * (sum_x - (slope**2 - start[0] - x)))
        must.zero(f"{name}: y of the sum", gate * (sum_y - (slope * (start[0] - sum_x) - start[1])))
    for name, gate, point in (("base", row.is_base, OFFSET_AND_BASE), ("rest", row.is_rest, OFFSET)):
        must.zero(f"x of the {name}", gate * (row.x - point[0]))
        must.zero(f"y of the {name}", gate * (row.y + point[1]))


def _add_base(row: Row, must: Must) -> None:
    """The line through the opposites of a point and of G has their sum at `added_x`."""
    gate = row.is_nonce + row.is_both + row.is_key
    (x, y), (base_x, base_y) = _opposite(row), GENERATOR
    must.zero("slope to the base", gate * (row.slope * (x - base_x) - (y + base_y)))
    must.zero("x of a sum with the base", gate * (row.added_x - (row.slope**2 - x - base_x)))


def _copies_of_base(row: Row) -> Expr:
    """Copies of A + G, as its row sees them."""
    return _held(row, BASE, COPIES_OF_CONSTANTS) - _held(row, BASE, COPIES_OF_REST)


def _differ(row: Row, must: Must) -> None:
    """No two points that the last rows add have one x; s is not zero: some copies are of points with V."""
    base_x, offset_x = GENERATOR[0], OFFSET[0]
    without_nonce = _held(row, KEY, COPIES_OF_KEY) + _held(row, KEY, COPIES_OF_CONSTANTS)
    nonce_row = (_held(row, NONCE, NONCE_X) - offset_x) * (row.x - base_x) * (row.next.x - base_x)
    both_row = row.next.x - _held(row, BOTH, NONCE_X)
    key_row = (_held(row, KEY, KEY_X) - offset_x) * (row.x - base_x) * ((1 << STEPS) - 1 - without_nonce)
    for name, at, gate, inverse, product in (
        ("offset and nonce, nonce and base, both and base differ", NONCE, row.is_nonce, INVERSES[0], nonce_row),
        ("key and nonce differ", BOTH, row.is_both, INVERSES[1], both_row),
        ("offset and key, key and base differ, s is not zero", KEY, row.is_key, INVERSES[2], key_row),
    ):
        must.zero(name, gate * (_held(row, at, inverse) * product - 1))


def _exchange(row: Row, must: Must) -> None:
    """Steps take their points, the last rows send them: those with G by `added_x`, the others by (x, y).

    In the last rows `selector` counts the copies of points with G in the rows before; a row sends what it grows by.
    """
    is_sum = row.is_nonce + row.is_both + row.is_key
    with_base = is_sum * row.next.selector - (row.is_both + row.is_key) * row.selector
    selector = (1 - is_sum - row.is_base - row.is_rest) * row.selector
    own_selector, times = lift(0), lift(0)
    for gate, value, copies in (
        (row.is_nonce, WITH_NONCE, row.is_nonce * _held(row, NONCE, COPIES_OF_NONCE)),
        (row.is_both, WITH_KEY + WITH_NONCE, row.is_both * _copies_of_both(row)),
        (row.is_key, WITH_KEY, row.is_key * (_held(row, KEY, COPIES_OF_KEY) - row.next.selector + row.selector)),
    ):
        selector = selector + (value + WITH_BASE) * gate
        own_selector, times = own_selector + value * gate, times + copies
    must.send(POINT, [row.number, selector, *_added(row)], with_base - row.weight)
    times = times + row.is_base * _copies_of_base(row) + row.is_rest * _held(row, REST, COPIES_OF_REST)
    x, minus_y = _opposite(row)
    must.send(POINT, [row.number, own_selector + WITH_BASE * row.is_base, x, -minus_y], times)


def _copies_of_both(row: Row) -> Expr:
    """Copies of A + Q + V, as its row sees them: what r has beyond those of A + Q + V + G, A + Q and A + Q + G."""
    with_base = row.next.selector - row.selector
    return _held(row, BOTH, NONCE_X) - _held(row, BOTH, COPIES_OF_KEY) - with_base


def _leave_empty(row: Row, must: Must) -> None:
    """Cells without use are zeros."""
    for name in ("inverse", "added_x", "selector"):
        must.zero(f"{name} is empty in the last row", row.is_rest * getattr(row, name))
