"""The field of P = 2**251 + 17 * 2**192 + 1 elements: operations for kernels, and arrays of elements.

An array of n elements has shape (n, 4): 64-bit limbs, least significant first. Unless a name says "plain", it holds
value * 2**256 mod P (Montgomery form) in [0, P). Inside kernels a *loose* value is any integer of 256 bits (almost
32 P) congruent to the element; each operation states what it needs and what it leaves.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from struct import iter_unpack
from typing import Any, Literal

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from stark.kernels import (
    FELT_BITS,
    LIMB_BITS,
    Felt,
    accumulation,
    concatenate,
    kernel,
    limb,
    limb_product,
    operation,
    row_product,
    settlement,
    shift_left,
    shift_right,
)

Felts = NDArray[np.uint64]  # shape (..., 4)

PRIME = 2**251 + 17 * 2**192 + 1
TOP_LIMB = PRIME >> 192  # the two limbs between it and the lowest, which is 1, are zero
FELT_BYTES = 32
RADIX = 2**FELT_BITS  # Montgomery form of x is x * RADIX mod PRIME

assert PRIME == TOP_LIMB << 192 | 1
assert 3199 * PRIME < 100 * RADIX < 3200 * PRIME  # a product of a P and b P, over RADIX, is below a b / 31.99 P


# --- operations for kernels -------------------------------------------------------------------------------------------


def _emit_montgomery(builder: Any, product: Any) -> Any:
    """product / 2**256 mod P, in (0, product / 2**256 + P).

    P is 1 modulo 2**192, so the multiple of P that clears the low three limbs is those limbs themselves: subtracting
    low * P removes them and takes low * TOP_LIMB from the rest. One more limb goes the same way. Adding P keeps the
    result positive, since less than 2**256 * P was subtracted. Four limb products instead of sixteen.
    """
    top = ir.Constant(ir.IntType(LIMB_BITS), TOP_LIMB)
    wide, felt = ir.IntType(320), ir.IntType(FELT_BITS)
    low = [limb(builder, product, index) for index in range(3)]
    rest = builder.trunc(shift_right(builder, product, 192), wide)
    rest = builder.sub(rest, builder.zext(row_product(builder, low, top), wide))
    last = concatenate(builder, list(limb_product(builder, limb(builder, rest, 0), top)), FELT_BITS)
    rest = builder.trunc(shift_right(builder, rest, LIMB_BITS), felt)
    return builder.sub(builder.add(rest, felt(PRIME)), shift_left(builder, last, 128, FELT_BITS))


def _emit_wide_product(builder: Any, first: Any, second: Any) -> Any:
    limbs = [limb(builder, first, index) for index in range(4)]
    total = ir.IntType(2 * FELT_BITS)(0)
    for index in range(4):
        row = row_product(builder, limbs, limb(builder, second, index))
        total = builder.add(total, shift_left(builder, row, LIMB_BITS * index, 2 * FELT_BITS))
    return total


def _emit_product(builder: Any, first: Any, second: Any) -> Any:
    return _emit_montgomery(builder, _emit_wide_product(builder, first, second))


def _emit_square(builder: Any, value: Any) -> Any:
    """Ten limb products: those of different limbs once, then doubled."""
    limbs = [limb(builder, value, index) for index in range(4)]
    total = ir.IntType(512)(0)
    for index in range(3):
        row = row_product(builder, limbs[index + 1 :], limbs[index])
        total = builder.add(total, shift_left(builder, row, LIMB_BITS * (2 * index + 1), 512))
    squares = [half for part in limbs for half in limb_product(builder, part, part)]
    total = builder.add(shift_left(builder, total, 1, 512), concatenate(builder, squares, 512))
    return _emit_montgomery(builder, total)


def _emit_fold(builder: Any, value: Any) -> Any:
    """With value = q * 2**251 + r: r + P - q * (17 * 2**192 + 1), by sign-extending 1 - q over the lower limbs."""
    word, felt = ir.IntType(LIMB_BITS), ir.IntType(FELT_BITS)
    quotient = limb(builder, shift_right(builder, value, 251), 0)
    remainder = builder.and_(value, felt(2**251 - 1))
    low = builder.sub(word(1), quotient)
    sign = builder.ashr(low, word(LIMB_BITS - 1))
    high = builder.add(builder.sub(word(TOP_LIMB), builder.mul(quotient, word(17))), sign)
    return builder.add(remainder, concatenate(builder, [low, sign, sign, high], FELT_BITS))


def _emit_subtract_prime(builder: Any, value: Any) -> Any:
    """value - P, or value where that is negative; value is below 2**255, so the top bit is the sign."""
    felt = ir.IntType(FELT_BITS)
    difference = builder.sub(value, felt(PRIME))
    return builder.select(builder.icmp_signed("<", difference, felt(0)), value, difference)


def _emit_subtract(builder: Any, first: Any, second: Any) -> Any:
    felt = ir.IntType(FELT_BITS)
    difference = builder.sub(first, second)
    negative = builder.icmp_signed("<", difference, felt(0))
    return builder.select(negative, builder.add(difference, felt(PRIME)), difference)


def _chain(*emits: Callable[..., Any]) -> Callable[..., Any]:
    """Emit one step on the arguments, then the rest each on the result before."""

    def emit(builder: Any, *values: Any) -> Any:
        value = emits[0](builder, *values)
        for step in emits[1:]:
            value = step(builder, value)
        return value

    return emit


def _emit_add(builder: Any, first: Any, second: Any) -> Any:
    return builder.add(first, second)


Unary = Callable[[Felt], Felt]
Binary = Callable[[Felt, Felt], Felt]

# Loose: a P times b P gives less than (1 + a b / 31.99) P. Nothing checks that products and sums fit in 256 bits: the
# kernel that uses them states its bounds.
multiply_loose: Binary = operation(2, _emit_product)
square_loose: Unary = operation(1, _emit_square)
add_loose: Binary = operation(2, _emit_add)
subtract_loose: Binary = operation(2, lambda builder, first, second: builder.sub(first, second))  # first >= second
double_loose: Unary = operation(1, lambda builder, value: shift_left(builder, value, 1, FELT_BITS))
fold: Unary = operation(1, _emit_fold)  # any loose value to the same element below 2 P
reduce: Unary = operation(1, _chain(_emit_fold, _emit_subtract_prime))  # any loose value to [0, P)

# Canonical: from [0, P) to [0, P).
add: Binary = operation(2, _chain(_emit_add, _emit_subtract_prime))
subtract: Binary = operation(2, _emit_subtract)
multiply: Binary = operation(2, _chain(_emit_product, _emit_subtract_prime))
square: Unary = operation(1, _chain(_emit_square, _emit_subtract_prime))


# Sums of products, reduced once: `accumulate` adds a product to eight limbs, `settle` makes an element of them. With
# factors below P so many fit.
SUMMED = 512
assert SUMMED * (PRIME - 1) ** 2 < 2**512 and SUMMED * (PRIME - 1) ** 2 // RADIX + PRIME < RADIX

Wide = tuple[int, int, int, int, int, int, int, int]
accumulate: Callable[[Wide, Felt, Felt], Wide] = accumulation(
    lambda builder, total, first, second: builder.add(total, _emit_wide_product(builder, first, second))
)
settle: Callable[[Wide], Felt] = settlement(_chain(_emit_montgomery, _emit_fold, _emit_subtract_prime))


def limbs_of(value: int) -> Felt:
    """The four limbs of an integer below 2**256, as constants for kernels."""
    # NumPy's integers, so that Numba sees 64 bits without sign.
    first, second, third, fourth = np.frombuffer(value.to_bytes(FELT_BYTES, "little"), np.uint64)
    return first, second, third, fourth


ZERO = limbs_of(0)
ONE = limbs_of(RADIX % PRIME)  # Montgomery form
NOTHING: Wide = (*ZERO, *ZERO)  # of a sum of products
PLAIN_ONE = limbs_of(1)
LAST = limbs_of(PRIME - 1)  # three zero limbs under the top limb of P
RADIX_SQUARED = limbs_of(RADIX * RADIX % PRIME)
_INVERSE_EXPONENT = limbs_of(PRIME - 2)


@kernel
def load(array: Felts, index: int) -> Felt:
    """Row `index` of an (n, 4) array."""
    return array[index, 0], array[index, 1], array[index, 2], array[index, 3]


@kernel
def store(array: Felts, index: int, value: Felt) -> None:
    """Write row `index` of an (n, 4) array."""
    for part in range(4):
        array[index, part] = value[part]


@kernel
def is_canonical(value: Felt) -> bool:
    """Whether the limbs are below P."""
    # Compared with constants of their own type: Numba would compare a limb and a Python integer as floats.
    if value[3] != LAST[3]:
        return value[3] < LAST[3]
    return value == LAST


@kernel
def invert(value: Felt) -> Felt:
    """1 / value by Fermat, canonical and in Montgomery form; 0 for 0."""
    result = ONE
    for bit in range(251, -1, -1):
        result = square(result)
        if (_INVERSE_EXPONENT[bit >> 6] >> np.uint64(bit & 63)) & np.uint64(1):
            result = multiply(result, value)
    return result


# --- arrays -----------------------------------------------------------------------------------------------------------

ADD, SUBTRACT, MULTIPLY, TO_MONTGOMERY, FROM_MONTGOMERY = range(5)


@kernel
def _each(operator: int, first: Felts, second: Felts, result: Felts) -> int:
    """Apply one operator row by row. Answers the row of the first plain value that is not below P, or -1."""
    for index in range(len(first)):
        value = load(first, index)
        if operator == ADD:
            value = add(value, load(second, index))
        elif operator == SUBTRACT:
            value = subtract(value, load(second, index))
        elif operator == FROM_MONTGOMERY:
            value = multiply(value, PLAIN_ONE)
        else:
            if operator == TO_MONTGOMERY and not is_canonical(value):
                return index
            value = multiply(value, RADIX_SQUARED if operator == TO_MONTGOMERY else load(second, index))
        store(result, index, value)
    return -1


@kernel
def _invert_each(values: Felts, result: Felts) -> int:
    """Montgomery's trick: one inversion and three products a row. Answers the row of the first zero, or -1."""
    running = ONE
    for index in range(len(values)):
        value = load(values, index)
        if value == ZERO:
            return index
        store(result, index, running)
        running = multiply(running, value)
    inverse = invert(running)
    for index in range(len(values) - 1, -1, -1):
        store(result, index, multiply(inverse, load(result, index)))
        inverse = multiply(inverse, load(values, index))
    return -1


def _combine(operator: int, first: Felts, second: Felts) -> Felts:
    if first.shape != second.shape:
        raise ValueError(f"arrays of different shapes: {first.shape} and {second.shape}")
    first, second = checked(first), checked(second)
    result = np.empty_like(first)
    row = _each(operator, first, second, result)
    if row >= 0:
        raise ValueError(f"element {row} is not below the field's prime")
    return result


def checked(array: Felts) -> Felts:
    """The array as kernels take it (64-bit limbs without sign, rows of four, contiguous, writable)."""
    if array.dtype != np.uint64 or array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"not an (n, 4) array of uint64: {array.dtype} {array.shape}")
    return np.require(array, requirements=["C", "W"])


def add_arrays(first: Felts, second: Felts) -> Felts:
    """Element by element: first + second."""
    return _combine(ADD, first, second)


def subtract_arrays(first: Felts, second: Felts) -> Felts:
    """Element by element: first - second."""
    return _combine(SUBTRACT, first, second)


def multiply_arrays(first: Felts, second: Felts) -> Felts:
    """Element by element: first * second."""
    return _combine(MULTIPLY, first, second)


def invert_array(values: Felts) -> Felts:
    """Element by element: 1 / value; raises ZeroDivisionError if one is zero."""
    values = checked(values)
    result = np.empty_like(values)
    row = _invert_each(values, result)
    if row >= 0:
        raise ZeroDivisionError(f"element {row} is zero")
    return result


def to_montgomery(plain: Felts) -> Felts:
    """Plain values to Montgomery form; raises ValueError on a value that is not below P."""
    return _combine(TO_MONTGOMERY, plain, plain)


def from_montgomery(values: Felts) -> Felts:
    """Montgomery form to plain values."""
    return _combine(FROM_MONTGOMERY, values, values)


# --- integers ---------------------------------------------------------------------------------------------------------


_LITTLE: Literal["little"] = "little"


def plain_from_ints(values: Iterable[int]) -> Felts:
    """Integers in [0, 2**256) as plain limbs, (n, 4); the kernels that read plain limbs refuse those not below P."""
    try:
        data = bytearray(b"".join(map(int.to_bytes, values, repeat(FELT_BYTES), repeat(_LITTLE))))
    except OverflowError:
        raise ValueError("an element is negative or needs more than 256 bits") from None
    return np.frombuffer(data, np.uint64).reshape(-1, 4)


def ints_from_plain(plain: Felts) -> list[int]:
    """Plain limbs as integers."""
    parts = [data for (data,) in iter_unpack(f"{FELT_BYTES}s", plain.tobytes())]
    return list(map(int.from_bytes, parts, repeat(_LITTLE)))


def from_small(values: NDArray[Any]) -> Felts:
    """Numbers of at most 64 bits that are not negative, (n,), as elements: without a Python integer for each."""
    assert values.size == 0 or values.min() >= 0, "a negative number is no small one"
    plain = np.zeros((values.size, 4), np.uint64)
    plain[:, 0] = values
    return to_montgomery(plain)


def from_ints(values: Sequence[int]) -> Felts:
    """Integers in [0, P) as an array in Montgomery form; raises ValueError on any other integer."""
    return to_montgomery(plain_from_ints(values))


def to_ints(values: Felts) -> list[int]:
    """An array in Montgomery form as integers in [0, P)."""
    return ints_from_plain(from_montgomery(values))
