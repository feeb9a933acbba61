"""The same sample on a Ray cluster: stretches of paths to whatever machine has cores free."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from bulkhead.lab.choice.sample import Keep, Masks, Sample, sample_world
from bulkhead.lab.paths.cube import CHUNK, World
from bulkhead.lab.portfolio import Portfolio
from bulkhead.node.cluster import ClusterError, check_answers


def stretch(
    make: Callable[[], World], portfolio: Portfolio, masks: Masks, steps: int, first: int, last: int
) -> Sample:
    """Paths `first` to `last` of a world: the machine draws what comes before as well, for worlds begin at zero."""
    return Sample.joined(list(sample_world(Tail(make(), first), portfolio, masks, last, steps)))


class Tail:
    """A world without its first paths; their prices are drawn and dropped."""

    def __init__(self, world: World, first: int) -> None:
        self.world, self.first = world, first
        self.name, self.symbols, self.step_ms = world.name, world.symbols, world.step_ms
        self.seed, self.source = world.seed, world.source

    def chunks(self, paths: int, steps: int, size: int = CHUNK) -> Iterator[Any]:
        """As of the world."""
        for chunk in self.world.chunks(paths, steps, size):
            if chunk.first >= self.first:
                yield chunk


def sampled_on(
    address: str, make: Callable[[], World], portfolio: Portfolio, masks: Masks, paths: int, steps: int, *, keep: Keep
) -> Iterator[Sample]:
    """Chunks in order, computed on the cluster at `address` (host:port, ray://host:port, auto, local).

    Every machine needs this package and, for recorded worlds, the data at the same place. ClusterError where none
    answers. What is kept is read, not sent again.
    """
    try:
        import ray
    except ImportError as error:
        raise ClusterError("a cluster needs ray: pip install 'bulkhead[cluster]'") from error
    check_answers(address)
    try:
        ray.init(address=None if address == "local" else address, log_to_driver=False, ignore_reinit_error=True)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise ClusterError(f"no Ray cluster answers at {address}: {error}") from error
    try:
        work: Any = ray.remote(stretch)
        busy: list[tuple[int, Any]] = []
        for first in range(0, paths, CHUNK):
            place = keep(first)
            kept = Sample.read(place) if place else None
            last = min(paths, first + CHUNK)
            busy.append((first, kept or work.remote(make, portfolio, masks, steps, first, last)))
        for first, part in busy:
            found = part if isinstance(part, Sample) else ray.get(part)
            place = keep(first)
            if place is not None and not isinstance(part, Sample):
                found.write(place)
            yield found
    finally:
        ray.shutdown()
