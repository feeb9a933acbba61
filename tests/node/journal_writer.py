"""A process that appends, acknowledges on its standard output, and is killed: by its parent or by its own hand.

Arguments: source folder, journal folder, seed, what to count ("bytes", "calls" or "nothing"), after how many to die.
Dying by bytes writes only a part of the data and is then killed, as a machine is that stops inside a write; dying
by calls is killed just before a write, a sync, a rename or a cut.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

GENESIS = bytes(range(32))
SEGMENT_BYTES = 12_000


def payload(sequence: int) -> bytes:
    """What record `sequence` holds: anybody can check it."""
    return sha256(b"%d" % sequence).digest() * (1 + sequence % 11)


def die() -> None:
    """No handler, no flush, no goodbye."""
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def arm(kind: str, budget: int) -> None:
    """Counts what the journal does with its files, and dies when the budget is spent."""
    left = [budget]

    def counted(function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                die()
            return function(*arguments)

        return call

    write = os.write

    def partial(file: int, data: Any) -> int:
        if file == 1:
            return write(file, data)
        if len(data) > left[0]:
            write(file, data[: left[0]])
            die()
        left[0] -= len(data)
        return write(file, data)

    if kind == "bytes":
        os.write = partial
    if kind == "calls":
        for name in ("fdatasync", "fsync", "rename", "ftruncate"):
            setattr(os, name, counted(getattr(os, name)))
        os.write = lambda file, data: (write if file == 1 else counted(write))(file, data)


def main() -> None:
    """Append groups until killed; every line of output is an acknowledgement."""
    source, folder, seed, kind, budget = sys.argv[1:]
    sys.path.insert(0, source)
    from bulkhead.node.journal import Journal

    chooser = random.Random(int(seed))
    arm(kind, int(budget))
    journal = Journal.open(Path(folder), GENESIS, repair=True, segment_bytes=SEGMENT_BYTES)
    while True:
        for _ in range(chooser.randint(1, 20)):
            journal.append(payload(journal.tip.sequence + 1 + len(journal._pending) // 3))
        os.write(1, b"%d\n" % journal.commit())


if __name__ == "__main__":
    main()
