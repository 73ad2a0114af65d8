"""What holds for all simulated worlds."""

import os
from pathlib import Path

import pytest

from transaction_tracker.alerts import keeper, watcher

HERE = f"{Path(__file__).parent}{os.sep}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # No socket, thread or clock of a CPython is in a world, and each world takes long.
    for item in items:
        if str(item.path).startswith(HERE):
            item.add_marker("once")


@pytest.fixture(autouse=True)
def rare_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate the alerts every 10 minutes, not every 5 s: no test here waits for one.

    Simulated hours pass in some tests, and the alerts took half of their processor time.
    """
    monkeypatch.setattr(keeper, "SYNC_SECONDS", 600.0)
    monkeypatch.setattr(watcher, "CHECK_SECONDS", 600.0)
