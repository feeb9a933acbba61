"""What sets need, against the kernel that walks each account: the same liquidations, calls and ends."""

from __future__ import annotations

import numpy as np
import pytest

from bulkhead.lab.choice.needs import needs_of, scenario_needs_of, tree_of
from bulkhead.lab.kernel import Accounts, run
from bulkhead.lab.kernel.run import run_some
from tests.lab.kernel.worlds import paths_of, venue_of


def test_a_tree_reaches_every_set_once() -> None:
    """Each row adds one position to the row above at its depth."""
    for masks in (tuple(range(1, 32)), (5, 21, 16), (1 << 15 | 1, 7)):
        stack: list[int] = [0]
        found = []
        for depth, place, out in tree_of(masks):
            stack[depth + 1 :] = [stack[depth] | 1 << int(place)]
            if out >= 0:
                assert masks[out] == stack[depth + 1]
                found.append(int(out))
        assert sorted(found) == list(range(len(masks)))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("funded", [False, True])
def test_needs_tell_who_is_liquidated_and_called(seed: int, funded: bool) -> None:
    draw = np.random.default_rng(seed)
    venue = venue_of(draw, 5)
    paths = paths_of(draw, venue, 12, 300, funded=funded)
    notional = draw.lognormal(12, 1, 5) * draw.choice([-1, 1], 5)
    size = np.rint(notional * 1e6 / venue.start)
    masks = tuple(range(1, 32))
    inside = np.array([[mask >> place & 1 for place in range(5)] for mask in masks])
    sizes = np.concatenate([inside * size, size[None, :]])
    equity = np.rint(np.abs(sizes) @ venue.start * draw.uniform(0.05, 0.3, len(sizes))) / 1e6
    accounts = Accounts.of_lots(venue, sizes, equity, np.arange(len(sizes)) == len(masks))
    out = run(venue, accounts, paths)
    needs, won = needs_of(venue, size, paths, masks)
    everything = np.concatenate([needs, scenario_needs_of(venue, size, paths)[:, None]], axis=1)
    given = equity[:, None] * 1e6
    assert 0.02 < out.is_liquidated.mean() < 0.98
    for kind, hit in ((0, out.is_liquidated), (1, out.call_80_step >= 0), (2, out.call_66_step >= 0)):
        away = np.abs(everything[kind] - given) > 2  # 10^-6 USD from the line both are roundings
        assert ((everything[kind] > given) == hit.T)[away].all(), kind
    calm = ~out.is_liquidated[:, :-1].T
    ends = given[:-1] + inside @ won
    assert np.abs(ends - out.equity[:, :-1].T)[calm].max() <= 6  # a rounding a position
    wanted = out.is_liquidated
    some = run_some(venue, accounts, paths, wanted)
    assert (some.equity == out.equity[wanted]).all() and (some.marks == out.marks[wanted]).all()
