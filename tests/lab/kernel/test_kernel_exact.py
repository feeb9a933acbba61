"""The compiled kernel against the exchange's own rules: same decisions, same steps, money within one unit."""

from __future__ import annotations

import numpy as np
import pytest

from bulkhead.lab.kernel import run
from bulkhead.lab.kernel.exact import Exact
from bulkhead.lab.paths import Paths
from tests.lab.kernel.worlds import accounts_of, paths_of, venue_of

STEPS = ("first_step", "liquidations", "whole_step", "flat_step", "call_66_step", "call_80_step")
MONEY = ("equity", "fees", "penalty", "bad_debt", "closed")
UNIT = 1.0  # 10^-6 USD


def differences(seed: int, *, funded: bool = False, scripted: bool = False) -> tuple[int, int]:
    """Walk twelve accounts both ways; how many were liquidated, how many wholly."""
    draw = np.random.default_rng(seed)
    venue = venue_of(draw, int(draw.integers(1, 9)))
    accounts = accounts_of(draw, venue, 6)
    paths = paths_of(draw, venue, 2, 300, funded=funded)
    if scripted:
        shape = (paths.steps, len(venue.markets))
        paths = Paths(
            paths.symbols, paths.step_ms, paths.ratio, paths.source, 0,
            feed_alive=draw.random(shape) < 0.9,
            venue_open=draw.random(paths.steps) < 0.8,
            depth_factor=draw.choice([0, 0.1, 1], shape).astype(np.float32),
        )
    fast = run(venue, accounts, paths)
    exact = Exact(venue, paths)
    liquidated = wholly = 0
    for path in range(2):
        for account in range(len(accounts)):
            story = exact.walk(accounts, account, path)
            place = f"seed {seed}, path {path}, account {account}"
            for name in STEPS:
                assert getattr(fast, name)[path, account] == getattr(story, name), (place, name)
            for name in MONEY:
                assert abs(getattr(fast, name)[path, account] - getattr(story, name)) <= UNIT, (place, name)
            assert fast.worst_health[path, account] == pytest.approx(story.worst_health, rel=1e-9, abs=1e-9), place
            liquidated += story.liquidations > 0
            wholly += story.whole_step >= 0
    return liquidated, wholly


def test_kernel_agrees_with_the_rules() -> None:
    """Linear and scenario accounts, one to eight positions, tiers crossed, books from deep to empty."""
    counts = [differences(seed) for seed in range(24)]
    assert sum(count for count, _ in counts) > 60, "the worlds are not rough enough to test anything"
    assert sum(count for _, count in counts) > 10


def test_kernel_agrees_where_the_venue_fails() -> None:
    """Dead feeds, a closed venue and an empty book stop liquidations at the same steps."""
    assert sum(differences(seed, scripted=True)[0] for seed in range(100, 108)) > 20


def test_kernel_agrees_where_funding_is_paid() -> None:
    """Payments are rounded up in one sum at each settlement, as the ledger does."""
    assert sum(differences(seed, funded=True)[0] for seed in range(200, 208)) > 20
