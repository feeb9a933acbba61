"""Memory that is free goes back to the system."""

import os
from pathlib import Path

import pytest

from bulkhead.node import memory

BLOCK_BYTES, BLOCKS = 50_000, 2_000  # less than what the C library maps by itself, of which nothing stays


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(memory._trim is None, reason="the C library is not glibc")
def test_what_lives_between_free_blocks_does_not_hold_them() -> None:
    blocks = [bytearray(b"\1" * BLOCK_BYTES) for _ in range(BLOCKS)]
    kept = blocks[::50]
    del blocks
    before = resident_bytes()
    memory.give_back()
    assert before - resident_bytes() > BLOCK_BYTES * BLOCKS // 2
    assert all(block[0] == 1 for block in kept)
