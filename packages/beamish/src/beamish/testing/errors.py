"""The errors of a simulation."""

from beamish.errors import BeamishError


class SimulationError(BeamishError):
    """A simulation cannot continue; the message says why."""


class DeadlockError(SimulationError):
    """All tasks and processes wait, and no timer is scheduled."""


class StepLimitError(SimulationError):
    """The simulation has not ended after ``max_steps``."""
