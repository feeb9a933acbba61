"""Stark ECDSA as a narrow chip: 128 rows of 8 columns show that a message is signed under a key's x coordinate.

A signature (r, s) of message z under a point Q is valid if s R = z G + r Q for a point R whose x is r. With V = -R, r Q
+ s V + z G = 0, and every multiple of this: for a k that makes k r and k s half as long as the order n of the curve
(there is one: two such vectors span a lattice of determinant n), with r' = k r, s' = k s, z' = k z modulo n,

    r' Q + s' V + z0 G + z1 H = 0,    z' = z0 + 2**128 z1,    H = 2**128 G,    r' z = z' r modulo n.

**Whoever shows this with s' other than zero has a signature.** r is not zero modulo n, for no point has x = 0. If r'
were zero, z' r would be, so z', and s' V = 0: but V is no infinity. So k = r' / r is neither zero nor infinite, z' = k
z, and with s = s' / k the first equation holds. s is not zero, and of s and n - s, the signatures of R and -R, one is
below 2**251. The signs of Q and V are free, for a key and r are x coordinates; an honest prover takes V's so that s' >
0.

**One ladder of four scalars.** Every row of a signature is a step, the most significant bits first:

    (x, y) = 2 (x, y) + T,   T = A + [bit of r'] Q + [bit of s'] V + [bit of z0] G + [bit of z1] H,   from B,

and the multiples cancel if and only if it ends at 2**128 B + (2**128 - 1) A. A and B are points whose logarithms nobody
knows. A step writes neither its bits nor T: T follows from both slopes and the next row, and is taken off a bus of the
chip's own, row i taking 2**(127 - i) copies. Sixteen rows beside the ladder send the sixteen points, as often as cells
say. A set of rows takes the sum of its powers of two, below the prime, and zero for the empty set alone: no step adds
what is not sent. Numbers, from zero in the first block of 128 rows and one more in each, keep signatures apart.

**The scalars are counts of copies.** r' is claimed to be the sum of the counts of points with Q, and so are s', z0 and
z1. What a step takes is known by its coordinates alone, so where points are equal only the sum of their counts is
bound, modulo the prime. That is enough. Let d be what the steps add of each point, c what is claimed. c - d is a
combination, modulo P, of vectors u with entries -1, 0, 1: selectors of equal points, one less the other, so that u (Q,
V, G, H) = 0. Without their second entries vectors u that were independent still are, modulo P as over the rationals:
else a number of at most 16 times V would be infinity. The claims r', z0 and z1 are below 2**144 (limbs), and so is d.
By Cramer's rule there is a D from 1 to 16 such that D (c - d) is a combination of vectors u by integers below 2**152,
in these three entries exactly and in s' modulo P. So D r' Q + S V + D (z0 + 2**128 z1) G = 0 for an integer S, below
2**153 in size, that is D s' modulo P and not zero if s' is not. Divided by D it is what was to be shown.

**Equal and opposite points.** For every sum of two points on the curve there is one more rule beside the line through
them: slope * (y1 + y2) = x1**2 + x1 x2 + x2**2 + 1. It follows where x1 and x2 differ (subtract the curve's equations),
is the tangent's slope where the points are equal, and with the line's puts an unknown second point onto the curve.
Opposite points have no slope at all. The second sum of a step, (x, y) and (x, y) + T, needs no such rule: x coordinates
that were equal would give y = 0, and no point of an odd order has that. So what is derived is right, or there is no
table; and an honest signature has one, for whoever knows the logarithms of Q and V and meets a point with A or B in it
knows a logarithm that nobody does. One point is derived for Q, and one for V: they mean the same wherever they are.

**r' z = z' r modulo n** is the integer equation X = 0 for X = r' z + (q - 2**128) n - z' r, of numbers made of limbs of
16 bits: z and r below 2**251, which makes them the integers of their elements, q below 2**256, r', z0 and z1 below
2**144. So |X| < 2**524. It is shown modulo P, 2**96, 2**96 - 1 and 2**96 + 1, whose product (no two have a divisor in
common) is above 2**538. With z, r, q, n, z' as polynomials in 2**96, X(2**96) differs from X(x) by a multiple of 2**96
- x, and for x = 0, 1, -1 X(x) is (2**96 - x) times a carry of 144 bits; both sides are below 2**245, so that this holds
of integers. For x = 2**96 it is X itself that is zero modulo P.
"""

from __future__ import annotations

from stark.air.chip import Bus, Chip, Must, Row
from stark.air.expr import Expr, lift, total
from stark.chips.ecdsa_rows import END, LENT, OFFSET, ROWS, START, TOP_BITS, periodic_columns
from stark.chips.ranges import LIMB_BITS, range_bus

__all__ = ["CARRIED", "POINT", "ROWS", "SIGNED", "TIMES", "Ecdsa"]

SIGNED = Bus("signed", ("public_key", "message"))
POINT = Bus("point of a signature", ("number", "kind", "x", "y"))
CARRIED = Bus("part of a signature", ("number", "kind", "first", "second", "third", "single"))
TIMES = LENT, "side[0]"  # the cell that says how often the signature is lent

Pair = tuple[Expr, Expr]


class Ecdsa(Chip):
    """1,024 cells a signature and 384 of its buses; degree 5. Sends (key, message) as often as `TIMES` says.

    Lends r and messages below 2**251 only, r and s above 0, as the ledger demands; a key with a point of either sign.
    Unused places hold the signature of nobody, sent 0 times. Takes limbs of 16 bits from a range table.
    """

    name = "ecdsa"
    columns = ("x", "y", "slope", "second_slope", "number", ("side", 3))
    periodic = periodic_columns()

    def constrain(self, row: Row, must: Must) -> None:
        """The ladder; what its points and their counts are; and what the counts have to do with r and the message."""
        must.first("the first signature has number 0", row.number)
        must.transition("numbers count signatures", row.next.number - row.number - row.is_last)
        for name, value in zip(("x", "y"), START, strict=True):
            must.zero(f"{name} starts where nobody knows", row.is_first * (getattr(row, name) - value))
        added = _step(row, must)
        own = _points(row, must)
        _join(row, must, own)
        _sums(row, must)
        _products(row, must)
        _leave(row, must)
        side, after = row["side"], row.next["side"]
        must.send(POINT, [row.number, 0, *added], -row.weight)
        must.send(SIGNED, [after[0], after[2]], row.is_lent * side[0])
        must.send(POINT, [row.number, row.point_kind, side[0], own], row.is_counted * side[2] + row.hands_on)
        _carry(row, must)
        for column in range(3):
            limb = after[column] - side[column] * (1 << LIMB_BITS)
            must.send(range_bus(LIMB_BITS), [limb], getattr(row, f"is_limb{column}"))
        must.send(range_bus(LIMB_BITS), [after[0] * (1 << TOP_BITS)], row.is_top)


def _chord(slope: Expr, left: tuple[Expr | int, Expr], right: tuple[Expr | int, Expr | int]) -> Expr:
    """Zero for the slope of the line through two points of the curve, of the tangent if they are one."""
    (x, y), (other_x, other_y) = left, right
    return slope * (y + other_y) - (lift(x) ** 2 + lift(x) * other_x + lift(other_x) ** 2 + 1)


def _step(row: Row, must: Must) -> Pair:
    """(x, y) + T, and (x, y) again; answers T. No cells are needed for T and the sum in between."""
    next_x = row.next.x + row.is_last * (END[0] - START[0])  # the next block starts where every block does
    next_y = row.next.y + row.is_last * (END[1] - START[1])
    slope, second = row.slope, row.second_slope
    added_x = next_x - second**2 + slope**2
    added_y = row.y - slope * (row.x - added_x)
    between = second**2 - row.x - next_x
    must.zero("slope of a sum", _chord(slope, (row.x, row.y), (added_x, added_y)))
    must.zero("slope of the second sum", (slope + second) * (between - row.x) + 2 * row.y)
    must.zero("y of a step", next_y - (second * (row.x - next_x) - row.y))
    return added_x, added_y


def _points(row: Row, must: Must) -> Expr:
    """A point a row: its x, and the slope of the line through it and a constant; answers its y.

    The next is their sum, where one is due.
    """
    (x, slope, _), (next_x, next_slope, _) = row["side"], row.next["side"]
    y = row.own_y + slope * (x - row.own_x)
    next_y = row.then_y + next_slope * (next_x - row.then_x)
    must.zero("a point lies on the curve", row.is_point * _chord(slope, (x, y), (row.own_x, row.own_y)))
    must.zero("x of the next point", row.is_chained * (next_x - (slope**2 - x - row.own_x)))
    must.zero("y of the next point", row.is_chained * (next_y + row.own_y + slope * (next_x - row.own_x)))
    must.zero("x of the offset", row.is_constant * (x - OFFSET[0]))
    must.zero("y of the offset", row.is_constant * (y - OFFSET[1]))
    return y


def _join(row: Row, must: Must, y: Expr) -> None:
    """A + Q + V. The row of A + Q holds its x, the row of V the slope between them."""
    (x, _, sum_x), (next_x, next_slope, across) = row["side"], row.next["side"]
    next_y = row.then_y + next_slope * (next_x - row.then_x)
    must.zero("line from key to nonce", row.is_sum * (across * (x - next_x) - (y - next_y)))
    must.zero("slope from key to nonce", row.is_sum * _chord(across, (x, y), (next_x, next_y)))
    must.zero("x of key and nonce", row.is_sum * (sum_x - (across**2 - x - next_x)))
    must.zero("y of key and nonce", row.is_both * (next_y + y + row["side"][2] * (next_x - x)))


def _sums(row: Row, must: Must) -> None:
    """Running sums of copies: of points with G, with H, and of all. These start so that they are zero after V's."""
    (base, high, every), (next_base, next_high, next_every) = row["side"], row.next["side"]
    copies = next_every - every
    must.zero("copies of points with the base", row.is_copies * (next_base - base) - row.has_base * copies)
    must.zero("copies of points with its multiple", row.is_copies * (next_high - high) - row.has_high * copies)
    must.zero("copies of points with the nonce", row.is_weight * (base - (every - next_every)))
    must.zero("s is not zero", row.is_weight * (base * high - 1))


def _products(row: Row, must: Must) -> None:
    """The equation modulo the order, at a point, of z, r and the quotient, and in the next row z', r' and a carry."""
    (z, r, quotient), (scaled_z, scaled_r, carry) = row["side"], row.next["side"]
    known = row.order * quotient + row.added - row.gap * carry
    must.zero("r' z is z' r modulo the order", row.is_product * (scaled_r * z - scaled_z * r) + known)
    low, high, above = row.next["side"]
    halves = row.upper_half * high + row.above * above
    must.zero("the message's scalar is its halves", row.is_split * (row["side"][0] - low) - halves)


def _leave(row: Row, must: Must) -> None:
    """Cells that the row after repeats, and cells without use, from which limbs start."""
    for column, (cell, after) in enumerate(zip(row["side"], row.next["side"], strict=True)):
        must.zero(f"column {column} is kept", getattr(row, f"is_kept{column}") * (after - cell))
        must.zero(f"column {column} is empty", getattr(row, f"is_empty{column}") * cell)


def _carry(row: Row, must: Must) -> None:
    """What other rows of the signature need."""
    (first, second, third), (next_first, next_second, next_third) = row["side"], row.next["side"]
    single = total(
        [
            row.single0 * first, row.single1 * second, row.single2 * third,
            row.single_next0 * next_first, row.single_next2 * next_third,
        ]
    )  # fmt: skip
    values = [
        row.first_own * first + row.first_next * next_first,
        row.rest_own * second + row.rest_next * next_second,
        row.rest_own * third + row.rest_next * next_third,
        single,
    ]
    must.send(CARRIED, [row.number, row.carry_kind, *values], row.carry_times)
