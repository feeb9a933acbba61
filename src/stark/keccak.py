"""Keccak-256 as Ethereum uses it: of bytes, of rows of field elements, of pairs of digests.

Words are 32 bytes, most significant first; inside the permutation a lane is 64 bits, least significant byte first.
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stark.field import PLAIN_ONE, Felts, load, multiply
from stark.kernels import kernel
from stark.lanes import LANES, on_two_arrays, put, repeated, rotate, spread, take

Lanes = NDArray[np.uint64]
Lane = np.uint64
Bytes = NDArray[np.uint8]

RATE_BYTES = 136
RATE_LANES = RATE_BYTES // 8
DIGEST_BYTES = 32
ROUNDS = 24


def _round_constants() -> Lanes:
    """The constants come from a linear feedback register of eight bits (FIPS 202, algorithm 5)."""
    constants, register = [], 1
    for _ in range(ROUNDS):
        value = 0
        for bit in range(7):
            if register & 1:
                value |= 1 << ((1 << bit) - 1)
            register = (register << 1) ^ (0x171 if register & 0x80 else 0)
        constants.append(value)
    return np.array(constants, np.uint64)


CONSTANTS = _round_constants()


def _offsets() -> list[int]:
    """How far each lane is turned: by rising triangular numbers, along the walk of the lanes (FIPS 202, 3.2.2)."""
    offsets, x, y = [0] * 25, 1, 0
    for step in range(24):
        offsets[x + 5 * y] = (step + 1) * (step + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return offsets


OFFSETS = _offsets()


@kernel
def _rotate(lane: Lane, count: int) -> Lane:
    return (lane << np.uint64(count)) | (lane >> np.uint64(64 - count))


@kernel
def _permute(state: Lanes, constants: Lanes) -> None:
    """Keccak-f[1600]: lane x + 5 y of the state. Unrolled over a round so that lanes stay in registers."""
    a0, a1, a2, a3, a4 = state[0], state[1], state[2], state[3], state[4]
    a5, a6, a7, a8, a9 = state[5], state[6], state[7], state[8], state[9]
    a10, a11, a12, a13, a14 = state[10], state[11], state[12], state[13], state[14]
    a15, a16, a17, a18, a19 = state[15], state[16], state[17], state[18], state[19]
    a20, a21, a22, a23, a24 = state[20], state[21], state[22], state[23], state[24]
    for index in range(24):
        c0, c1, c2 = a0 ^ a5 ^ a10 ^ a15 ^ a20, a1 ^ a6 ^ a11 ^ a16 ^ a21, a2 ^ a7 ^ a12 ^ a17 ^ a22
        c3, c4 = a3 ^ a8 ^ a13 ^ a18 ^ a23, a4 ^ a9 ^ a14 ^ a19 ^ a24
        d0, d1, d2 = c4 ^ _rotate(c1, 1), c0 ^ _rotate(c2, 1), c1 ^ _rotate(c3, 1)
        d3, d4 = c2 ^ _rotate(c4, 1), c3 ^ _rotate(c0, 1)
        # Each lane turned by its offset, and moved to where its row is mixed next.
        b0, b1, b2 = a0 ^ d0, _rotate(a6 ^ d1, 44), _rotate(a12 ^ d2, 43)
        b3, b4 = _rotate(a18 ^ d3, 21), _rotate(a24 ^ d4, 14)
        b5, b6, b7 = _rotate(a3 ^ d3, 28), _rotate(a9 ^ d4, 20), _rotate(a10 ^ d0, 3)
        b8, b9 = _rotate(a16 ^ d1, 45), _rotate(a22 ^ d2, 61)
        b10, b11, b12 = _rotate(a1 ^ d1, 1), _rotate(a7 ^ d2, 6), _rotate(a13 ^ d3, 25)
        b13, b14 = _rotate(a19 ^ d4, 8), _rotate(a20 ^ d0, 18)
        b15, b16, b17 = _rotate(a4 ^ d4, 27), _rotate(a5 ^ d0, 36), _rotate(a11 ^ d1, 10)
        b18, b19 = _rotate(a17 ^ d2, 15), _rotate(a23 ^ d3, 56)
        b20, b21, b22 = _rotate(a2 ^ d2, 62), _rotate(a8 ^ d3, 55), _rotate(a14 ^ d4, 39)
        b23, b24 = _rotate(a15 ^ d0, 41), _rotate(a21 ^ d1, 2)
        a0, a1, a2 = b0 ^ (~b1 & b2), b1 ^ (~b2 & b3), b2 ^ (~b3 & b4)
        a3, a4 = b3 ^ (~b4 & b0), b4 ^ (~b0 & b1)
        a5, a6, a7 = b5 ^ (~b6 & b7), b6 ^ (~b7 & b8), b7 ^ (~b8 & b9)
        a8, a9 = b8 ^ (~b9 & b5), b9 ^ (~b5 & b6)
        a10, a11, a12 = b10 ^ (~b11 & b12), b11 ^ (~b12 & b13), b12 ^ (~b13 & b14)
        a13, a14 = b13 ^ (~b14 & b10), b14 ^ (~b10 & b11)
        a15, a16, a17 = b15 ^ (~b16 & b17), b16 ^ (~b17 & b18), b17 ^ (~b18 & b19)
        a18, a19 = b18 ^ (~b19 & b15), b19 ^ (~b15 & b16)
        a20, a21, a22 = b20 ^ (~b21 & b22), b21 ^ (~b22 & b23), b22 ^ (~b23 & b24)
        a23, a24 = b23 ^ (~b24 & b20), b24 ^ (~b20 & b21)
        a0 ^= constants[index]
    state[0], state[1], state[2], state[3], state[4] = a0, a1, a2, a3, a4
    state[5], state[6], state[7], state[8], state[9] = a5, a6, a7, a8, a9
    state[10], state[11], state[12], state[13], state[14] = a10, a11, a12, a13, a14
    state[15], state[16], state[17], state[18], state[19] = a15, a16, a17, a18, a19
    state[20], state[21], state[22], state[23], state[24] = a20, a21, a22, a23, a24


@kernel
def _swap(lane: Lane) -> Lane:
    """The bytes of a lane in the opposite order."""
    lane = ((lane & np.uint64(0x00FF00FF00FF00FF)) << np.uint64(8)) | (
        (lane >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF)
    )
    lane = ((lane & np.uint64(0x0000FFFF0000FFFF)) << np.uint64(16)) | (
        (lane >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    )
    return (lane << np.uint64(32)) | (lane >> np.uint64(32))


@kernel
def _hash_bytes(data: Bytes, constants: Lanes, digest: Bytes) -> None:
    state = np.zeros(25, np.uint64)
    position = 0
    for index in range(len(data)):
        state[position >> 3] ^= np.uint64(data[index]) << np.uint64(8 * (position & 7))
        position += 1
        if position == 136:
            _permute(state, constants)
            position = 0
    state[position >> 3] ^= np.uint64(1) << np.uint64(8 * (position & 7))
    state[16] ^= np.uint64(0x8000000000000000)
    _permute(state, constants)
    for index in range(32):
        digest[index] = (state[index >> 3] >> np.uint64(8 * (index & 7))) & np.uint64(0xFF)


def keccak256(data: bytes) -> bytes:
    """Keccak-256 with Ethereum's padding."""
    digest = np.empty(DIGEST_BYTES, np.uint8)
    _hash_bytes(np.frombuffer(bytearray(data), np.uint8), CONSTANTS, digest)
    return digest.tobytes()


@kernel
def gather_rows(columns: Felts, start: int, stop: int, offset: int, buffer: Felts) -> None:
    """Copy rows start..stop of columns (width, rows, 4) to buffer[row - start, offset + column].

    Rows are gathered a block at a time: reading column by column keeps to whole cache lines.
    """
    for column in range(len(columns)):
        for row in range(start, stop):
            for part in range(4):
                buffer[row - start, offset + column, part] = columns[column, row, part]


def _emit_permute_eight(builder: Any, state: Any, constants: Any) -> None:
    """Keccak-f[1600] of eight states at once: lane x + 5 y of all eight begins at word 8 (x + 5 y)."""

    def turn(number: Any, lanes: list[Any]) -> list[Any]:
        columns = [reduce(builder.xor, lanes[x::5]) for x in range(5)]
        mixed = [builder.xor(columns[x - 1], rotate(builder, columns[(x + 1) % 5], 1)) for x in range(5)]
        moved: list[Any] = [None] * 25
        for x in range(5):
            for y in range(5):
                lane = builder.xor(lanes[x + 5 * y], mixed[x])
                moved[y + 5 * ((2 * x + 3 * y) % 5)] = rotate(builder, lane, OFFSETS[x + 5 * y])
        found = []
        for y in range(0, 25, 5):
            row = moved[y : y + 5]
            for x in range(5):
                others = builder.and_(builder.not_(row[(x + 1) % 5]), row[(x + 2) % 5])
                found.append(builder.xor(row[x], others))
        constant = builder.load(builder.gep(constants, [number]))
        found[0] = builder.xor(found[0], spread(builder, constant))
        return found

    lanes = repeated(builder, ROUNDS, [take(builder, state, LANES * lane) for lane in range(25)], turn)
    for lane, value in enumerate(lanes):
        put(builder, state, LANES * lane, value)


_emitted = on_two_arrays(_emit_permute_eight)


@kernel
def _permute_eight(state: Lanes, constants: Lanes) -> None:
    """A function of its own, so that it is compiled once."""
    _emitted(state, constants)


@kernel
def _absorb_words(words: Lanes, carried: Lanes, state: Lanes, position: int, constants: Lanes) -> int:
    """Take in one word of each of eight rows, moved on by a byte. Answers the next position."""
    for part in range(3, -1, -1):
        for row in range(LANES):
            lane = words[part * LANES + row]
            state[position * LANES + row] ^= (lane << np.uint64(8)) | carried[row]
            carried[row] = lane >> np.uint64(56)
        position += 1
        if position == 17:
            _permute_eight(state, constants)
            position = 0
    return position


@kernel
def digest_rows(buffer: Felts, constants: Lanes, count: int, digests: Lanes) -> None:
    """keccak256(0x00 || words) of `count` gathered rows in Montgomery form, as four lanes each.

    Eight rows at once; behind the last one it stands in for those that are missing.
    """
    state, words, carried = np.empty(25 * LANES, np.uint64), np.empty(4 * LANES, np.uint64), np.empty(LANES, np.uint64)
    for first in range(0, count, LANES):
        state[:] = np.uint64(0)
        carried[:] = np.uint64(0)
        position = 0
        for column in range(buffer.shape[1]):
            for row in range(LANES):
                value = multiply(load(buffer[min(first + row, count - 1)], column), PLAIN_ONE)
                for part in range(4):
                    words[part * LANES + row] = _swap(np.uint64(value[part]))
            position = _absorb_words(words, carried, state, position, constants)
        for row in range(LANES):
            state[position * LANES + row] ^= carried[row] | np.uint64(0x100)
        _finish(state, constants, first, min(count, first + LANES), digests)


@kernel
def digest_nodes(left: Lanes, right: Lanes, entering: Lanes, constants: Lanes, digests: Lanes) -> None:
    """keccak256(left || right), with || entering where rows of a shorter table enter; four lanes each."""
    state, count = np.empty(25 * LANES, np.uint64), len(left)
    for first in range(0, count, LANES):
        state[:] = np.uint64(0)
        end = 12 if len(entering) else 8
        for row in range(LANES):
            index = min(first + row, count - 1)
            for lane in range(4):
                state[lane * LANES + row] = left[index, lane]
                state[(4 + lane) * LANES + row] = right[index, lane]
                if len(entering):
                    state[(8 + lane) * LANES + row] = entering[index, lane]
            state[end * LANES + row] = np.uint64(1)
        _finish(state, constants, first, min(count, first + LANES), digests)


@kernel
def _finish(state: Lanes, constants: Lanes, first: int, stop: int, digests: Lanes) -> None:
    """The padding's last bit, the last permutation, and the digests of the rows that there are."""
    for row in range(LANES):
        state[16 * LANES + row] ^= np.uint64(0x8000000000000000)
    _permute_eight(state, constants)
    for index in range(first, stop):
        for lane in range(4):
            digests[index, lane] = state[lane * LANES + index - first]


@kernel
def search_nonce(prefix: Lanes, constants: Lanes, bits: int, start: int, stop: int) -> int:
    """The first nonce in start..stop for which keccak256(state || nonce word) has `bits` leading zeros, or -1."""
    state = np.empty(25 * LANES, np.uint64)
    for first in range(start, stop, LANES):
        state[:] = np.uint64(0)
        for row in range(LANES):
            for lane in range(4):
                state[lane * LANES + row] = prefix[lane]
            state[7 * LANES + row] = _swap(np.uint64(first + row))
            state[8 * LANES + row] = np.uint64(1)
            state[16 * LANES + row] = np.uint64(0x8000000000000000)
        _permute_eight(state, constants)
        for row in range(min(LANES, stop - first)):
            if bits == 0 or _swap(state[row]) >> np.uint64(64 - bits) == 0:
                return first + row
    return -1
