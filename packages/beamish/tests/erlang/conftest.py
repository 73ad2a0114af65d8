"""What the tests of `beamish.erlang` share."""

import pytest

from beamish.erlang._node import connection, listener

from .support import LIMIT_SECONDS


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the time limits, so that no test depends on how fast the machine is."""
    monkeypatch.setattr(connection, "HANDSHAKE_SECONDS", LIMIT_SECONDS)
    monkeypatch.setattr(listener, "EPMD_SECONDS", LIMIT_SECONDS)
