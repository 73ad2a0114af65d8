"""What the tests of the exporters share."""

from collections.abc import Iterator

import pytest

from beamish import telemetry


@pytest.fixture(autouse=True)
def _nothing_is_left_attached() -> Iterator[None]:
    yield
    assert telemetry.enabled is False
