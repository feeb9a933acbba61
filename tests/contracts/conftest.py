"""The machine under test: each there is, and pytest names it with every test."""

from __future__ import annotations

import pytest

from tests.contracts.machine import Machine
from tests.contracts.machines import KINDS, machine_of


@pytest.fixture(params=KINDS)
def machine(request: pytest.FixtureRequest) -> Machine:
    """A fresh machine of each kind."""
    return machine_of(request.param)
