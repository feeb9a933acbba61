"""Field elements eight at a time, for processors that multiply eight pairs of 52 bits at once (AVX-512 IFMA).

Eight elements are five vectors of 52-bit limbs, least significant first, of value * 2**260: what an array holds, which
is value * 2**256, is only cut at other places. *Even* limbs are in [0, 2**52), but for the top one; sums and
differences leave them uneven and even negative, which `evened` mends. A value of k P is any that is below that, and not
negative; it must stay below 2**260, which is almost 512 P. `stark.field` says the rest, of one element at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

from stark.field import PRIME, Felts, from_ints, load, multiply
from stark.kernels import kernel
from stark.lanes import LANES, VECTOR, WORD, data_of, put, splat, spread, take

LIMBS = 5
BITS = 52
EIGHT = LIMBS * LANES  # words of eight elements
MASK = 2**BITS - 1
HIGH, LOW = 2**43, 17 << 36  # P is 1, LOW in limb 3 and HIGH in limb 4
P_LIMBS = {0: 1, 3: LOW, 4: HIGH}

assert sum(part << BITS * index for index, part in P_LIMBS.items()) == PRIME

_types: Any = types
_code: Any = cgutils
_settings: Any = config
_machine: Any = binding
Vectors = list[Any]


def _is_available() -> bool:
    """Whether kernels are compiled for such a processor: this one, unless Numba was told of another."""
    features = _settings.CPU_FEATURES
    if features is not None:
        return "+avx512ifma" in features
    return bool(_machine.get_host_cpu_features().get("avx512ifma"))


AVAILABLE = _is_available()


# --- emitted ----------------------------------------------------------------------------------------------------------


def _multiply_add(builder: Any, half: str, total: Any, first: Any, second: Any) -> Any:
    """total + the low ("l") or high ("h") 52 bits of the products."""
    name = f"llvm.x86.avx512.vpmadd52{half}.uq.512"
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    return builder.call(_code.get_or_insert_function(builder.module, kind, name), [total, first, second])


def evened(builder: Any, limbs: Vectors) -> Vectors:
    """The same value with even limbs."""
    found, carry = [], None
    for index, each in enumerate(limbs):
        value = each if carry is None else builder.add(each, carry)
        if index < LIMBS - 1:
            carry = builder.ashr(value, splat(BITS))
            value = builder.and_(value, splat(MASK))
        found.append(value)
    return found


def sum_of(builder: Any, first: Vectors, second: Vectors) -> Vectors:
    """first + second."""
    return [builder.add(one, other) for one, other in zip(first, second, strict=True)]


def difference_of(builder: Any, first: Vectors, second: Vectors, multiple: int) -> Vectors:
    """first - second + multiple * P, which must not be negative."""
    return plus_primes(builder, [builder.sub(one, other) for one, other in zip(first, second, strict=True)], multiple)


def plus_primes(builder: Any, limbs: Vectors, multiple: int) -> Vectors:
    """The value and a multiple of P."""
    return [
        builder.add(each, splat(multiple * P_LIMBS[index])) if index in P_LIMBS else each
        for index, each in enumerate(limbs)
    ]


def add_product(builder: Any, total: Vectors, first: Vectors, second: Vectors) -> Vectors:
    """Add a product of even limbs to ten vectors: at most ten words below 2**52 to each."""
    total = list(total)
    for place, one in enumerate(first):
        for index, other in enumerate(second, place):
            total[index] = _multiply_add(builder, "l", total[index], one, other)
            total[index + 1] = _multiply_add(builder, "h", total[index + 1], one, other)
    return total


def square_of(builder: Any, value: Vectors) -> Vectors:
    """A square as ten vectors: products of different limbs once, then doubled."""
    total = [splat(0)] * 10
    for place, one in enumerate(value):
        for index in range(place + 1, LIMBS):
            total[place + index] = _multiply_add(builder, "l", total[place + index], one, value[index])
            total[place + index + 1] = _multiply_add(builder, "h", total[place + index + 1], one, value[index])
    total = [builder.shl(each, splat(1)) for each in total]
    for place, one in enumerate(value):
        total[2 * place] = _multiply_add(builder, "l", total[2 * place], one, one)
        total[2 * place + 1] = _multiply_add(builder, "h", total[2 * place + 1], one, one)
    return total


def settled(builder: Any, total: Vectors) -> Vectors:
    """Ten vectors over 2**260, below total / 2**260 + P; uneven. (As in `stark.field`, multiples of P clear the lower
    half, and since P is 1 modulo 2**192 they are those limbs themselves.)"""
    t, taken = list(total), [splat(0)] * 10

    def clear(index: int) -> None:
        """Take limb `index` times P; the limb itself is gone, and its carry moves on."""
        low = builder.and_(t[index], splat(MASK))
        t[index + 1] = builder.add(t[index + 1], builder.ashr(t[index], splat(BITS)))
        taken[index + 3] = _multiply_add(builder, "l", taken[index + 3], low, splat(LOW))
        high = builder.and_(builder.shl(low, splat(43)), splat(MASK))
        taken[index + 4] = builder.add(_multiply_add(builder, "h", taken[index + 4], low, splat(LOW)), high)
        taken[index + 5] = builder.add(taken[index + 5], builder.lshr(low, splat(9)))

    for index in range(LIMBS):
        if index >= 3:
            t[index] = builder.sub(t[index], taken[index])
        clear(index)
    upper = [builder.sub(each, gone) for each, gone in zip(t[LIMBS:], taken[LIMBS:], strict=True)]
    return plus_primes(builder, upper, 1)


def product_of(builder: Any, first: Vectors, second: Vectors) -> Vectors:
    """Of a P and b P, both even, below (1 + a b / 511) P; uneven."""
    return settled(builder, add_product(builder, [splat(0)] * 10, first, second))


def folded(builder: Any, limbs: Vectors) -> Vectors:
    """Even limbs to the same element below 2 P; uneven."""
    first, second, third, fourth, top = limbs
    quotient = builder.lshr(top, splat(43))
    first = builder.sub(first, quotient)
    fourth = builder.sub(fourth, builder.mul(quotient, splat(LOW)))
    top = builder.and_(top, splat(HIGH - 1))
    return plus_primes(builder, [first, second, third, fourth, top], 1)


def _shuffle(builder: Any, first: Any, second: Any, places: list[int]) -> Any:
    index = ir.IntType(32)
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(index, len(places)), [*map(index, places)]))


def load_rows(builder: Any, start: Any, index: Any, stride: Any) -> Vectors:
    """Eight elements of an array, so many words apart, of up to 16 times what they are there; even."""
    part = ir.VectorType(WORD, 4)
    rows = []
    for row in range(LANES):
        where = builder.gep(start, [builder.add(index, builder.mul(stride, WORD(row)))])
        rows.append(builder.load(builder.bitcast(where, part.as_pointer()), align=8))
    pairs = [_shuffle(builder, rows[row], rows[row + 1], [*range(8)]) for row in range(0, LANES, 2)]
    parts = []
    for limb in (0, 2):
        places = [limb + offset for offset in (0, 4, 8, 12, 1, 5, 9, 13)]
        one, other = (_shuffle(builder, pairs[at], pairs[at + 1], places) for at in (0, 2))
        parts.append(_shuffle(builder, one, other, [0, 1, 2, 3, 8, 9, 10, 11]))
        parts.append(_shuffle(builder, one, other, [4, 5, 6, 7, 12, 13, 14, 15]))
    limbs = [builder.and_(builder.shl(parts[0], splat(4)), splat(MASK))]
    for place, right in ((0, 48), (1, 36), (2, 24)):
        low, high = builder.lshr(parts[place], splat(right)), builder.shl(parts[place + 1], splat(64 - right))
        limbs.append(builder.and_(builder.or_(low, high), splat(MASK)))
    return [*limbs, builder.lshr(parts[3], splat(12))]


def _divided(builder: Any, limbs: Vectors) -> Vectors:
    """Even limbs of k P, over 16 as elements are: below (k / 16 + 1) P, and still 4 bits too far up. Even."""
    low = builder.and_(limbs[0], splat(15))
    return evened(builder, _less_primes(builder, plus_primes(builder, limbs, 16), low))


def _less_primes(builder: Any, limbs: Vectors, multiples: Any) -> Vectors:
    """The value less a small multiple of P for each lane."""
    return [
        builder.sub(each, builder.mul(multiples, splat(P_LIMBS[index]))) if index in P_LIMBS else each
        for index, each in enumerate(limbs)
    ]


def _canonical(builder: Any, limbs: Vectors) -> Vectors:
    """What `_divided` left, to [0, P); even. The quotient by 2**251, times P, is at most a little too much."""
    quotient = builder.shl(builder.lshr(limbs[4], splat(47)), splat(4))
    found = evened(builder, _less_primes(builder, limbs, quotient))
    sign = builder.ashr(found[4], splat(63))
    found = [
        builder.add(each, builder.and_(sign, splat(P_LIMBS[index] << 4))) if index in P_LIMBS else each
        for index, each in enumerate(found)
    ]
    return evened(builder, found)


def store_rows(builder: Any, limbs: Vectors, start: Any, index: Any, stride: Any, *, is_last: bool) -> None:
    """Write eight elements to an array: below P if it is for others, else below (k / 16 + 1) P. Limbs are even."""
    limbs = _divided(builder, limbs)
    if is_last:
        limbs = _canonical(builder, limbs)
    parts = []
    for place, right in enumerate((4, 16, 28, 40)):
        low, high = builder.lshr(limbs[place], splat(right)), builder.shl(limbs[place + 1], splat(BITS - right))
        parts.append(builder.or_(low, high))
    pairs: Vectors = [None] * 4
    for half, places in ((0, [0, 8, 1, 9, 2, 10, 3, 11]), (1, [4, 12, 5, 13, 6, 14, 7, 15])):
        one, other = (_shuffle(builder, parts[at], parts[at + 1], places) for at in (0, 2))
        pairs[2 * half] = _shuffle(builder, one, other, [0, 1, 8, 9, 2, 3, 10, 11])
        pairs[2 * half + 1] = _shuffle(builder, one, other, [4, 5, 12, 13, 6, 7, 14, 15])
    part = ir.VectorType(WORD, 4)
    for row in range(LANES):
        places = [*range(4)] if row % 2 == 0 else [*range(4, 8)]
        value = _shuffle(builder, pairs[row // 2], pairs[row // 2], places)
        where = builder.gep(start, [builder.add(index, builder.mul(stride, WORD(row)))])
        builder.store(value, builder.bitcast(where, part.as_pointer()), align=8)


def take_eight(builder: Any, start: Any, index: Any) -> Vectors:
    """Five vectors in a row."""
    return [take(builder, start, builder.add(index, WORD(LANES * limb))) for limb in range(LIMBS)]


def put_eight(builder: Any, start: Any, index: Any, limbs: Vectors) -> None:
    """Write five vectors in a row."""
    for limb, value in enumerate(limbs):
        put(builder, start, builder.add(index, WORD(LANES * limb)), value)


def take_one(builder: Any, start: Any, index: Any) -> Vectors:
    """One element's five limbs, for all lanes."""
    return [
        spread(builder, builder.load(builder.gep(start, [builder.add(index, WORD(limb))]))) for limb in range(LIMBS)
    ]


Emit = Callable[..., None]


def on_words(emit: Emit) -> Any:
    """For kernels: what `emit(builder, first, second, *places)` does with the words of two arrays and four places."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = zip(signature.args[:2], arguments[:2], strict=True)
        emit(builder, *[data_of(context, builder, kind, value) for kind, value in arrays], *arguments[2:])
        return context.get_dummy_value()

    def signature(first: Any, second: Any) -> Any:
        return _types.void(first, second, *[_types.int64] * 4)

    return intrinsic(lambda typing, first, second, one, two, three, four: (signature(first, second), generate))


# --- for kernels ------------------------------------------------------------------------------------------------------

SIXTEEN = from_ints([16])


@kernel
def _cut(values: Felts, factor: Felts, limbs: Felts) -> None:
    scale, mask = load(factor, 0), np.uint64(2**52 - 1)
    for row in range(len(values)):
        first, second, third, fourth = multiply(load(values, row), scale)
        limbs[row, 0] = np.uint64(first) & mask
        limbs[row, 1] = (np.uint64(first) >> np.uint64(52) | np.uint64(second) << np.uint64(12)) & mask
        limbs[row, 2] = (np.uint64(second) >> np.uint64(40) | np.uint64(third) << np.uint64(24)) & mask
        limbs[row, 3] = (np.uint64(third) >> np.uint64(28) | np.uint64(fourth) << np.uint64(36)) & mask
        limbs[row, 4] = np.uint64(fourth) >> np.uint64(16)


def cut(values: Felts) -> Felts:
    """Elements (n, 4) as limbs (n, 5), below P."""
    limbs = np.empty((len(values), LIMBS), np.uint64)
    _cut(values, SIXTEEN, limbs)
    return limbs


def side_by_side(values: Felts) -> Felts:
    """Elements (n, 4), a multiple of eight of them, as vectors (n / 8, 5, 8)."""
    return np.ascontiguousarray(cut(values).reshape(-1, LANES, LIMBS).transpose(0, 2, 1))
