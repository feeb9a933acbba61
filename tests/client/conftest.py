"""One running venue for a module of tests of the SDK."""

from collections.abc import Iterator

import pytest

from tests.api.live import Fixed, Live, settings_for


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    running = Live(settings_for(tmp_path_factory.mktemp("node")), Fixed())
    yield running
    running.stop()
