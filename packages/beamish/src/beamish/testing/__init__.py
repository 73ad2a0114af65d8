"""Testing: pytest fixtures, `settle`, and `simulate`, which finds races and repeats them.

The pytest plugin is part of the package (`beamish.testing.plugin`). Its fixtures ``attached``,
``start_supervised`` and ``leak_check`` work with pytest-asyncio and with anyio's plugin. Only the
plugin imports pytest.

When not to use it: in production. To wait for a result, await a call, a message or a monitor
instead of `settle`.
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
