"""Asks a question at all its points: what the cache has is read, the rest computed here or on a Ray cluster.

Each point is kept as soon as it is known, so a sweep that was stopped goes on where it was.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bulkhead.lab.cache import Cache, file_digest, key_of
from bulkhead.lab.pages import Page
from bulkhead.lab.sweep.question import Point, Question, QuestionError, Result, Settings
from bulkhead.node.cluster import ClusterError, check_answers

Progress = Callable[[int, int, int], None]
"""Told (points known, points in all, points read from the cache)."""


def answer(
    question: Question,
    settings: Settings,
    cache: Cache | None = None,
    cluster: str | None = None,
    progress: Progress = lambda known, total, kept: None,
) -> tuple[Page, list[Result]]:
    """The page of a question, and what was measured at each point. `cache` None keeps nothing."""
    digests = [file_digest(path) for path in question.files(settings)]
    points = list(question.points(settings))
    keys = [_key(question, settings, point, digests) for point in points]
    found: dict[int, Result] = {}
    for place, key in enumerate(keys):
        kept = None if cache is None else cache.get(key)
        if kept is not None:
            found[place] = kept
    reused = len(found)
    progress(len(found), len(points), reused)
    missing = [place for place in range(len(points)) if place not in found]
    compute = _here if cluster is None else _on(cluster)
    for place, result in compute(question, settings, [(place, points[place]) for place in missing]):
        found[place] = result
        if cache is not None:
            cache.put(keys[place], result)
        progress(len(found), len(points), reused)
    results = [found[place] for place in range(len(points))]
    return question.page(settings, list(zip(points, results, strict=True))), results


def _key(question: Question, settings: Settings, point: Point, digests: Sequence[str]) -> str:
    chosen = dataclasses.asdict(settings)
    del chosen["data_dir"]  # its content counts, not where it lies
    if not question.worlds:
        chosen = {"seed": settings.seed}
    return key_of(question=question.name, settings=chosen, point=dict(point), files=list(digests))


Work = Iterator[tuple[int, Result]]


def _here(question: Question, settings: Settings, points: Sequence[tuple[int, Point]]) -> Work:
    for place, point in points:
        yield place, question.measure(settings, point)


def _remote(question: Question, settings: Settings, place: int, point: Point) -> tuple[int, Result]:
    """One point on a machine of the cluster, which has this package and, at the same place, the data."""
    return place, question.measure(settings, point)


def _on(address: str) -> Callable[[Question, Settings, Sequence[tuple[int, Point]]], Work]:
    """Points on a Ray cluster: host:port, ray://host:port, auto, or local for one that lives as long as we do."""

    def compute(question: Question, settings: Settings, points: Sequence[tuple[int, Point]]) -> Work:
        try:
            import ray
        except ImportError as error:
            raise QuestionError("a cluster needs ray: pip install 'bulkhead[cluster]'") from error
        try:
            check_answers(address)
            ray.init(address=None if address == "local" else address, log_to_driver=False, ignore_reinit_error=True)
        except (ClusterError, ConnectionError, ValueError, RuntimeError) as error:
            raise QuestionError(f"no Ray cluster at {address}: {error}") from error
        try:
            work: Any = ray.remote(_remote)
            busy = [work.remote(question, settings, place, point) for place, point in points]
            while busy:
                done, busy = ray.wait(busy)
                for reference in done:
                    yield ray.get(reference)
        finally:
            ray.shutdown()

    return compute
