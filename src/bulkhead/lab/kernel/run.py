"""Runs accounts over paths: the compiled kernel, spread over the threads of the machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bulkhead.lab.compiled import spread, threads
from bulkhead.lab.kernel.accounts import Accounts, Outcomes
from bulkhead.lab.kernel.course import Course
from bulkhead.lab.kernel.linear import MARKS, MONEY
from bulkhead.lab.kernel.scan import run_accounts, run_pairs
from bulkhead.lab.kernel.terms import KernelError, Venue
from bulkhead.lab.paths.cube import Paths

TOGETHER = 64  # accounts that share a block of prices while it is in the cache


def course_of(venue: Venue, paths: Paths) -> Course:
    """Paths as the kernel reads them. Raises KernelError where the markets are others, or a price is none."""
    if paths.symbols != venue.symbols:
        raise KernelError(f"paths of {', '.join(paths.symbols)} for a venue of {', '.join(venue.symbols)}")
    seen = paths.seen()
    wrong = ~(np.isfinite(seen.ratio) & (seen.ratio > 0))
    if wrong.any():
        path, step, market = (int(place) for place in np.unravel_index(int(np.argmax(wrong)), wrong.shape))
        value = seen.ratio[path, step, market]
        raise KernelError(
            f"{paths.source}: path {paths.first + path}, step {step}: {paths.symbols[market]} is {value}; "
            "a price is above zero"
        )
    markets = len(paths.symbols)
    none = np.empty((0, 0, markets), np.float32)
    depth = none if paths.depth_factor is None else paths.depth_factor[None].astype(np.float32)
    return Course(
        venue.start,
        np.ascontiguousarray(seen.ratio, dtype=np.float32),
        none if paths.funding is None else np.ascontiguousarray(paths.funding, dtype=np.float32),
        0 if paths.funding is None else paths.funding_steps,
        paths.step_ms,
        np.empty(0, bool) if paths.venue_open is None else paths.venue_open,
        np.empty((0, 0), bool) if paths.feed_alive is None else paths.feed_alive,
        depth,
    )


def run(venue: Venue, accounts: Accounts, paths: Paths, course: Course | None = None) -> Outcomes:
    """Every account on every path, checked at every step and liquidated by rule; the same whatever the threads.

    Results take 92 bytes an account and path. `course` is that of the paths where it is made already, or was changed.
    Raises KernelError for what does not fit together.
    """
    if accounts.size.shape[1] != len(venue.markets):
        raise KernelError(f"accounts of {accounts.size.shape[1]} markets at a venue of {len(venue.markets)}")
    course, rules = course or course_of(venue, paths), venue.rules
    count, places = len(paths), -(-len(accounts) // TOGETHER)
    money = np.empty((count, len(accounts), MONEY))
    marks = np.empty((count, len(accounts), MARKS), np.int32)
    # Threads share paths; where there are fewer paths than threads, each takes its part of the accounts.
    parts = 1 if count >= threads() else min(places, threads())
    by_market = np.zeros((parts, count, 2, len(venue.markets)))
    fixed = (rules, course, accounts.size, accounts.balance, accounts.is_scenario)

    def work(first: int, last: int) -> None:
        for part in range(first, last):
            for place in range(places * part // parts, places * (part + 1) // parts):
                members = (place * TOGETHER, min(len(accounts), (place + 1) * TOGETHER))
                run_accounts(*fixed, 0, count, *members, money, marks, by_market[part])

    def work_paths(first: int, last: int) -> None:
        for place in range(places):
            members = (place * TOGETHER, min(len(accounts), (place + 1) * TOGETHER))
            run_accounts(*fixed, first, last, *members, money, marks, by_market[0])

    if parts == 1:
        spread(work_paths, count)
    else:
        spread(work, parts, parts)
    return Outcomes(money, marks, by_market.sum(axis=0))


def run_some(venue: Venue, accounts: Accounts, paths: Paths, wanted: NDArray[np.bool_]) -> Outcomes:
    """Only the pairs of `wanted` (paths, accounts), in the order of `np.nonzero(wanted)`: arrays (pairs) of outcomes.

    `by_market` is not counted here and empty.
    """
    if wanted.shape != (len(paths), len(accounts)):
        raise KernelError(f"wanted {wanted.shape} is not of {len(paths)} paths and {len(accounts)} accounts")
    course, rules = course_of(venue, paths), venue.rules
    members = np.nonzero(wanted)[1]
    offsets = np.concatenate([[0], np.cumsum(wanted.sum(axis=1))])
    money, marks = np.empty((len(members), MONEY)), np.empty((len(members), MARKS), np.int32)
    fixed = (rules, course, accounts.size, accounts.balance, accounts.is_scenario, offsets, members)
    spread(lambda first, last: run_pairs(*fixed, first, last, money, marks), len(paths), 4 * threads())
    return Outcomes(money, marks, np.zeros((0, 2, len(venue.markets))))
