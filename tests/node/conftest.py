"""What tests of the node share: which are left out (ray comes by `pip install bulkhead[cluster]`, pgserver up to Python
3.12), and the profile of a settling world.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

NEEDED = {"test_cluster.py": "ray", "test_postgres.py": "pgserver"}
collect_ignore = [name for name, module in NEEDED.items() if find_spec(module) is None]


@pytest.fixture(scope="module")
def settling_profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Proofs that take seconds: for modules whose tests use `settling_world.world`."""
    from tests.node.settling_world import quick_profile  # not for tests that settle nothing

    with quick_profile(tmp_path_factory.getbasetemp()):
        yield
