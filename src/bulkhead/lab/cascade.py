"""Liquidations that move the price that liquidates the next: a feedback on top of the kernel, as an option of sweeps.

The kernel takes prices as given. So it is run, what it sold in each market and step presses on the price, and it is run
again on those paths, until what is sold no longer changes. What is pressed comes back: half of it every `HALF_LIFE_MS`.

This is a model of prices, not a rule. It errs toward too little within a step (who is liquidated in it does not see
what others sold in that step), and spreads an account's steps evenly between its first and its last.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bulkhead.lab.kernel import Outcomes, Venue, run
from bulkhead.lab.kernel.linear import LAST
from bulkhead.lab.kernel.terms import MICRO
from bulkhead.lab.paths.cube import Paths
from bulkhead.lab.population import Crowd
from bulkhead.lab.prices.bars import Floats

HALF_LIFE_MS = 30 * 60_000
STEP_MOST_MS = 900_000
"""In longer steps whole crowds are liquidated at one price, and what they sell presses on that very price."""
ROUNDS_MOST = 6
SETTLED = 0.01
"""Rounds end when the notional sold changes by less than this share."""
PRESSED_MOST = 0.5


@dataclass(frozen=True, eq=False)
class Cascade:
    """Outcomes on the paths as they became, those paths, and in how many rounds."""

    outcomes: Outcomes
    paths: Paths
    rounds: int
    is_settled: bool


def run_cascade(venue: Venue, crowd: Crowd, paths: Paths, strength: float = 1.0) -> Cascade:
    """Run the crowd with feedback. `strength` scales what is sold: the crowd stands for that many like it."""
    outcomes = run(venue, crowd.accounts, paths)
    sold, pressed = float(outcomes.closed.sum()), paths
    for rounds in range(1, ROUNDS_MOST + 1):
        flow = strength * flows(crowd, outcomes, paths.steps)
        pressed = press(venue, paths, flow)
        outcomes = run(venue, crowd.accounts, pressed)
        before, sold = sold, float(outcomes.closed.sum())
        if abs(sold - before) <= SETTLED * max(sold, 1.0):
            return Cascade(outcomes, pressed, rounds, True)
    return Cascade(outcomes, pressed, ROUNDS_MOST, False)


def flows(crowd: Crowd, outcomes: Outcomes, steps: int) -> Floats:
    """USD sold (bought: negative) by liquidations: (paths, steps, markets)."""
    count, markets = len(outcomes.money), crowd.notional.shape[1]
    marks = outcomes.marks
    change = np.zeros((count, steps + 1, markets))
    gross = np.abs(crowd.notional).sum(axis=1)
    path, account = np.nonzero(outcomes.is_liquidated)
    first, last = marks[path, account, 0], np.maximum(marks[path, account, LAST], marks[path, account, 0])
    closed = outcomes.closed[path, account] / MICRO
    share = crowd.notional[account] / gross[account, None]
    rate = closed[:, None] * share / (last - first + 1)[:, None]
    np.add.at(change, (path, first), rate)
    np.add.at(change, (path, last + 1), -rate)
    return np.cumsum(change, axis=1)[:, :-1]


def press(venue: Venue, paths: Paths, flow: Floats) -> Paths:
    """The paths with what was sold in each step pressing on the price, and coming back."""
    kept = 0.5 ** (paths.step_ms / HALF_LIFE_MS)
    rows = np.array(venue.rules.impact)
    spread, scale, exponent = rows[:, 0], rows[:, 1], rows[:, 2]
    moved = np.sign(flow) * np.where(flow != 0, spread + scale * (np.abs(flow) / 1e6) ** exponent, 0.0)
    displaced = np.empty_like(moved)
    running = np.zeros(moved[:, 0].shape)
    for step in range(moved.shape[1]):
        running = np.clip(running * kept + moved[:, step], -PRESSED_MOST, PRESSED_MOST)
        displaced[:, step] = running
    factor = (1.0 - displaced).astype(np.float32)

    return replace(
        paths,
        ratio=paths.ratio * factor,
        low=None if paths.low is None else paths.low * factor,
        high=None if paths.high is None else paths.high * factor,
        source=f"{paths.source}; with liquidations pressing on prices",
    )
