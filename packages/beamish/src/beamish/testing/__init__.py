"""Testing: fixtures for pytest, `settle`, and `simulate`, which finds races and replays them.

The pytest plugin comes with the package (`beamish.testing.plugin`); it gives the fixtures
``attached``, ``start_supervised`` and ``leak_check``, under pytest-asyncio and under anyio's
plugin. Nothing here imports pytest but the plugin.

When not to use it: in production. `settle` in particular is no way to wait for a result; await a
call, a message or a monitor.
"""

from beamish.testing.errors import DeadlockError, SimulationError, StepLimitError
from beamish.testing.settling import settle
from beamish.testing.simulation import find_race, simulate
from beamish.testing.supervised import StartSupervised

__all__ = [
    "DeadlockError",
    "SimulationError",
    "StartSupervised",
    "StepLimitError",
    "find_race",
    "settle",
    "simulate",
]
