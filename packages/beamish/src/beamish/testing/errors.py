"""What a simulation raises of its own."""

from beamish.errors import BeamishError


class SimulationError(BeamishError):
    """A simulation cannot go on; the message says why."""


class DeadlockError(SimulationError):
    """Everything waits: nothing can run, and no timer will fire."""


class StepLimitError(SimulationError):
    """The simulation has taken its ``max_steps``, and still is not at its end."""
