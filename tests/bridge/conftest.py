"""The chain under test: each there is, and pytest names it with every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bulkhead.bridge.chain import Chain
from tests.bridge.chains import KINDS, running


@pytest.fixture(params=KINDS)
def chain(request: pytest.FixtureRequest) -> Iterator[Chain]:
    """A fresh chain of each kind."""
    with running(request.param) as made:
        yield made
