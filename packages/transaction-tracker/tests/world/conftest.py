"""What holds for all simulated worlds."""

import pytest

from transaction_tracker.alerts import keeper, watcher


@pytest.fixture(autouse=True)
def rare_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluate the alerts every 10 minutes, not every 5 s: no test here waits for one.

    Simulated hours pass in some tests, and the alerts took half of their processor time.
    """
    monkeypatch.setattr(keeper, "SYNC_SECONDS", 600.0)
    monkeypatch.setattr(watcher, "CHECK_SECONDS", 600.0)
