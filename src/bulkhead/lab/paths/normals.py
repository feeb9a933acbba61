"""Random numbers by counting: draw k of a stream is a function of the stream's key and k alone.

So a path does not depend on which other paths were drawn, in what chunks or by how many threads. The bits are
SplitMix64's (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014), read at any place; normals are
Box and Muller's. Logarithm, exponential, sine and cosine are series of single precision written out, for loops over
them become vector code, and because the bits of a library's own differ from one machine to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from bulkhead.lab.compiled import inlined, kernel

GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
LOW_WORD = np.uint64(0xFFFFFFFF)

F32 = np.float32
ONE, HALF, TWO, THIRD = F32(1), F32(0.5), F32(2), F32(1 / 3)
FIFTH, SEVENTH, NINTH = F32(1 / 5), F32(1 / 7), F32(1 / 9)
LN_2, LN_2_HIGH, LN_2_LOW, PER_LN_2 = F32(np.log(2)), F32(0.693359375), F32(np.log(2) - 0.693359375), F32(1 / np.log(2))
ROOT_2 = F32(np.sqrt(2))
TO_UNIT = F32(2.0**-32)
QUARTER_TURN = F32(np.pi / 2)
S3, S5, S7 = F32(-1 / 6), F32(1 / 120), F32(-1 / 5040)
C2, C4, C6, C8 = F32(-1 / 2), F32(1 / 24), F32(-1 / 720), F32(1 / 40320)
E3, E4, E5, E6, E7 = F32(1 / 6), F32(1 / 24), F32(1 / 120), F32(1 / 720), F32(1 / 5040)
EXP_MAX, EXP_MIN = F32(87), F32(-87)


def _as_integer_code(_context: object, _value: object) -> tuple[Any, Any]:
    def generate(target: Any, builder: Any, _signature: object, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], target.get_value_type(types.int32))

    return types.int32(types.float32), generate


def _as_float_code(_context: object, _value: object) -> tuple[Any, Any]:
    def generate(target: Any, builder: Any, _signature: object, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], target.get_value_type(types.float32))

    return types.float32(types.int32), generate


_as_integer: Any = intrinsic(_as_integer_code)
_as_float: Any = intrinsic(_as_float_code)


@inlined
def mix(word: Any) -> Any:
    """SplitMix64's finisher: every bit of the result depends on every bit of the word."""
    word = (word ^ (word >> np.uint64(30))) * MIX_1
    word = (word ^ (word >> np.uint64(27))) * MIX_2
    return word ^ (word >> np.uint64(31))


@inlined
def key_of(seed: Any, path: Any) -> Any:
    """The key of one path's stream."""
    return mix(mix(np.uint64(seed) + GAMMA) ^ mix(np.uint64(path) * GAMMA + MIX_1))


@inlined
def bits(key: Any, counter: Any) -> Any:
    """Draw `counter` of a stream: 64 bits."""
    return mix(key + (np.uint64(counter) + np.uint64(1)) * GAMMA)


@inlined
def unit(word: Any) -> Any:
    """A double in (0, 1) of a word's upper 53 bits."""
    return (np.float64(word >> np.uint64(11)) + 0.5) * 2.0**-53


@inlined
def ln(value: Any) -> Any:
    """Natural logarithm of a positive normal single."""
    pattern = _as_integer(value)
    exponent = (pattern >> np.int32(23)) - np.int32(127)
    mantissa = _as_float((pattern & np.int32(0x7FFFFF)) | np.int32(0x3F800000))
    above = mantissa > ROOT_2
    mantissa = mantissa * HALF if above else mantissa
    exponent = exponent + np.int32(1) if above else exponent
    s = (mantissa - ONE) / (mantissa + ONE)
    t = s * s
    return F32(exponent) * LN_2 + TWO * s * (ONE + t * (THIRD + t * (FIFTH + t * (SEVENTH + t * NINTH))))


@inlined
def exp(value: Any) -> Any:
    """Exponential of a single, held inside the range of singles."""
    value = min(max(value, EXP_MIN), EXP_MAX)
    whole = np.floor(value * PER_LN_2 + HALF)
    rest = (value - whole * LN_2_HIGH) - whole * LN_2_LOW
    series = HALF + rest * (E3 + rest * (E4 + rest * (E5 + rest * (E6 + rest * E7))))
    scale = _as_float((np.int32(whole) + np.int32(127)) << np.int32(23))
    return (ONE + rest + rest * rest * series) * scale


@inlined
def fill_normals(key: Any, counter: Any, out: NDArray[np.float32]) -> None:
    """Fill an even number of standard normals: the pairs of draws `counter` and on."""
    half = len(out) // 2
    for place in range(half):
        word = bits(key, counter + place)
        first = (F32(word >> np.uint64(32)) + HALF) * TO_UNIT
        radius = np.sqrt(-TWO * ln(min(first, ONE)))
        # The angle is a quarter turn, counted by two bits, and a part of one between -1/2 and 1/2.
        low = word & LOW_WORD
        quarter = np.int32(low >> np.uint64(30))
        angle = (F32(np.int32(low & np.uint64(0x3FFFFFFF))) * F32(2.0**-30) - HALF) * QUARTER_TURN
        square = angle * angle
        sine = angle * (ONE + square * (S3 + square * (S5 + square * S7)))
        cosine = ONE + square * (C2 + square * (C4 + square * (C6 + square * C8)))
        swapped = (quarter & np.int32(1)) != 0
        east = sine if swapped else cosine
        north = cosine if swapped else sine
        out[place] = radius * (-east if quarter >= np.int32(2) else east)
        out[half + place] = radius * (-north if (quarter == np.int32(1)) | (quarter == np.int32(2)) else north)


@kernel
def normals(seed: int, path: int, counter: int, out: NDArray[np.float32]) -> None:
    """Standard normals of one path's stream from `counter` on, for tests and for worlds written in NumPy."""
    fill_normals(key_of(seed, path), np.uint64(counter), out)


@kernel
def _draws(seed: int, first: int, out: NDArray[np.int64]) -> None:
    for place in range(len(out)):
        out[place] = np.int64(bits(key_of(seed, first + place), 0) >> np.uint64(1))


def draws(seed: int, first: int, count: int) -> NDArray[np.int64]:
    """One number of 63 bits for each path from `first` on: the first draw of its stream."""
    out = np.empty(count, dtype=np.int64)
    _draws(seed, first, out)
    return out
