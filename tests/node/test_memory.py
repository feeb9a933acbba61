"""Memory that is free goes back to the system."""

import os
from pathlib import Path

from bulkhead.node.memory import give_back

BLOCK_BYTES, BLOCKS = 50_000, 2_000  # less than what the C library maps by itself, of which nothing stays


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_what_lives_between_free_blocks_does_not_hold_them() -> None:
    """With glibc, as on every machine this is tested on."""
    blocks = [bytearray(b"\1" * BLOCK_BYTES) for _ in range(BLOCKS)]
    kept = blocks[::50]
    del blocks
    before = resident_bytes()
    give_back()
    assert before - resident_bytes() > BLOCK_BYTES * BLOCKS // 2
    assert all(block[0] == 1 for block in kept)
