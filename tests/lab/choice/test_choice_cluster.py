"""A comparison in parts: stretches of paths made apart, here or on a Ray cluster, are the sample made at once."""

from __future__ import annotations

from dataclasses import fields
from importlib.util import find_spec

import numpy as np
import pytest

from bulkhead.lab.choice.cluster import sampled_on, stretch
from bulkhead.lab.choice.comparison import Job, Setting, compare
from bulkhead.lab.choice.sample import Sample, sample_world
from bulkhead.lab.portfolio import Holding, Portfolio
from bulkhead.node.cluster import ClusterError

HELD = Portfolio("two", 5_000.0, (Holding("BTC", 0.4, 100_000.0), Holding("ETH", -7, 4_000.0)), "two.toml")
SETTING = Setting(paths=700, days=0.5, broken_paths=100)
MASKS = (1, 2, 3)


def job() -> Job:
    return Job(HELD, SETTING, None, None, None, lambda what, done, total: None)


def same(one: Sample, other: Sample) -> bool:
    return all(np.array_equal(getattr(one, name.name), getattr(other, name.name)) for name in fields(Sample))


def test_stretches_are_the_whole() -> None:
    make = job().maker()
    whole = Sample.joined(list(sample_world(make(), HELD, MASKS, 700, SETTING.steps)))
    parts = [stretch(make, HELD, MASKS, SETTING.steps, *ends) for ends in ((0, 512), (512, 700))]
    assert [part.paths for part in parts] == [512, 188]
    assert same(Sample.joined(parts), whole)


if find_spec("ray"):

    def test_a_local_cluster_gives_the_same() -> None:
        here, there = compare(HELD, SETTING), compare(HELD, SETTING, cluster="local")
        assert here.as_json() == there.as_json()

    def test_an_address_where_nobody_is_is_named() -> None:
        with pytest.raises(ClusterError, match="no Ray cluster answers at 127.0.0.1:1"):
            list(sampled_on("127.0.0.1:1", job().maker(), HELD, MASKS, 700, SETTING.steps, keep=lambda first: None))

else:

    def test_a_cluster_without_ray_says_what_to_install() -> None:
        with pytest.raises(ClusterError, match=r"pip install 'bulkhead\[cluster\]'"):
            list(sampled_on("local", job().maker(), HELD, MASKS, 700, SETTING.steps, keep=lambda first: None))
