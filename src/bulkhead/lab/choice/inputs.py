"""What a world is made from beside its name, by content: the calibration it names, and the folder of price sets."""

from __future__ import annotations

from pathlib import Path

from bulkhead.lab.cache import file_digest

Listing = list[list[str | int]]


def inputs_of(world: str, data_dir: Path | None) -> Listing:
    """JSON that changes when a file does that a world may be made from.

    A calibration counts by its digest. Price sets count by name, size and time: there are gigabytes of them.
    """
    argument = world.split("+")[0].split(",")[0].partition(":")[2]
    named = Path(argument) if argument else None
    found: Listing = [[argument, file_digest(named)]] if named is not None and named.is_file() else []
    if data_dir is not None and data_dir.is_dir():
        for path in sorted(each for each in data_dir.rglob("*") if each.is_file()):
            status = path.stat()
            found.append([path.relative_to(data_dir).as_posix(), status.st_size, status.st_mtime_ns])
    return found
