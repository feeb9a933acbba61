"""Beyond eight positions: the search against every partition, on portfolios drawn by chance, and a whole comparison."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bulkhead.cli.main import app
from bulkhead.lab.choice import searching
from bulkhead.lab.choice.comparison import Job, Setting, silent
from bulkhead.lab.choice.partitions import cross, isolated
from bulkhead.lab.choice.sample import Sample
from bulkhead.lab.portfolio import Holding, Portfolio

PRICES = {"BTC": 100_000.0, "ETH": 4_000.0, "XRP": 2.5, "LTC": 100.0, "BCH": 500.0, "ADA": 0.8, "SOL": 200.0,
          "DOGE": 0.2, "LINK": 20.0, "AVAX": 30.0, "NEAR": 3.0, "DOT": 5.0}  # fmt: skip


def drawn(count: int, seed: int) -> Portfolio:
    """Longs and shorts of the shipped markets, of 20,000 USD in the median, four to seventeen times levered."""
    draw = np.random.default_rng(seed)
    names = [str(name) for name in draw.permutation(list(PRICES))[:count]]
    notional = draw.lognormal(np.log(20e3), 0.8, count) * draw.choice([-1, 1], count, p=[0.4, 0.6])
    pairs = zip(names, notional, strict=True)
    holdings = tuple(Holding(name, float(usd / PRICES[name]), PRICES[name]) for name, usd in pairs)
    return Portfolio("drawn", float(np.abs(notional).sum() * draw.uniform(0.06, 0.25)), holdings, "drawn.toml")


@pytest.mark.parametrize(("count", "seed"), [(8, 4), (8, 5), (9, 1)])
def test_the_search_is_within_two_per_cent_of_every_partition(count: int, seed: int) -> None:
    """Judged on all paths, of which the search begins with a part: 2.1 and 5.5 % worse at these two of eight, if it
    ended there. At nine there are 21,147 partitions."""
    job = Job(drawn(count, seed), Setting(seed=seed, paths=2_048, days=0.5, broken_paths=0), None, None, None, silent)
    starts = [isolated(count), cross(count)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "EXACT_MOST", count)
        _, _, every, exact = searching.best_partition(job, starts)
        patch.setattr(searching, "EXACT_MOST", count - 1)
        sample, masks, found, seen = searching.best_partition(job, starts)
    assert len(every) == exact and seen < exact / 5
    assert found[0][0] <= 1.02 * every[0][0]
    costs = {one: cost for cost, one in every}
    assert [cost for cost, _ in found] == pytest.approx([costs[one] for _, one in found])
    assert sample.equity.shape == (len(masks) + 1, 2_048)


def test_sets_that_come_later_stand_behind_the_first() -> None:
    job = Job(drawn(3, 1), Setting(paths=100, days=0.1, broken_paths=0), None, None, None, silent)
    first, more, all_of_them = (job.sample("", masks, 100) for masks in ((1, 2), (4, 7), (1, 2, 4, 7)))
    both = first.beside(more)
    for name in Sample.__dataclass_fields__:
        assert np.array_equal(getattr(both, name), getattr(all_of_them, name)), name


def test_ten_positions_of_markets_beyond_the_six(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of ten, in the default world: numbers of twelve markets are taken, which the report says."""
    monkeypatch.setenv("BULKHEAD_CACHE", str(tmp_path))
    words = ["lab", "compare", "examples/portfolios/basket.toml", "--paths", "300", "--days", "0.3", "--json"]
    done = CliRunner().invoke(app, [*words, "--broken-paths", "100"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert not told["is_exact"] and told["held_out"] is None and "SOL" in told["world_source"]
    assert 10 < told["partitions"] < 2_000 and len(told["positions"]) == 10
    assert {mode["name"] for mode in told["modes"]} >= {"isolated", "cross", "scenario"}
    lowest = min(mode["shortfall"][0] for mode in told["modes"] if mode["name"] != "scenario")
    assert told["ranked"][0]["shortfall"] == pytest.approx(lowest)
