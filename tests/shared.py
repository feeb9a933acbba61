"""What takes long to make and is the same for every test: made by whichever process of a run needs it first.

The processes that share the tests find it on the disk of that one run; nothing is kept from one run to the next, so
what is looked at was made by the sources that are tested.
"""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

FOLDER = "BULKHEAD_TESTS_FOLDER"  # in the environment: the run's folder, as `tests/conftest.py` makes it
Made = TypeVar("Made")


def made_once(name: str, make: Callable[[], Made]) -> Made:
    """What `make` gives, or what it gave to another process of this run under this name. Without a run: what it gives.

    Whoever comes second waits for the first. What is made must be the same in every process, and can be pickled.
    """
    if FOLDER not in os.environ:
        return make()
    path = Path(os.environ[FOLDER], sha256(name.encode()).hexdigest())
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            found: Made = pickle.loads(path.read_bytes())
            return found
        made = make()
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(pickle.dumps(made))
        unfinished.rename(path)
        return made
