"""Keccak-256 against an independent one, and rows and nodes against its definition."""

import random

import numpy as np

from stark.field import from_ints
from stark.keccak import CONSTANTS, digest_nodes, digest_rows, keccak256
from stark.prime import PRIME
from tests.reference import naive_proof

DRAW = random.Random(9)


def test_published_digests() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert keccak256(b"abc").hex() == "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"


def test_every_length_around_the_rate_and_random_ones() -> None:
    for length in [*range(300), *(DRAW.randrange(5_000) for _ in range(200))]:
        data = DRAW.randbytes(length)
        assert keccak256(data) == naive_proof.keccak256(data), length


def test_rows_of_every_width() -> None:
    for width in range(1, 40):
        values = [DRAW.choice([0, 1, PRIME - 1, DRAW.randrange(PRIME)]) for _ in range(3 * width)]
        digests = np.empty((3, 4), np.uint64)
        digest_rows(from_ints(values).reshape(3, width, 4), CONSTANTS, 3, digests)
        for row in range(3):
            words = b"".join(value.to_bytes(32, "big") for value in values[row * width : (row + 1) * width])
            assert digests[row].tobytes() == naive_proof.keccak256(b"\0" + words)


def test_nodes_with_and_without_a_row() -> None:
    parts = np.frombuffer(DRAW.randbytes(3 * 5 * 32), np.uint64).reshape(3, 5, 4)
    digests = np.empty((5, 4), np.uint64)
    for entering in (parts[2][:0], parts[2]):
        digest_nodes(parts[0], parts[1], entering, CONSTANTS, digests)
        for index in range(5):
            last = parts[2][index].tobytes() if len(entering) else b""
            data = parts[0][index].tobytes() + parts[1][index].tobytes() + last
            assert digests[index].tobytes() == naive_proof.keccak256(data)
