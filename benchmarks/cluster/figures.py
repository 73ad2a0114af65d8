"""What is measured, and the results. Pure."""

from dataclasses import dataclass

CALLERS = 1_000
"""Callers at once."""
FEW = 10
"""The names of the host whose take-over shows what does not depend on their number."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured.

    Args:
        names: The number of names.
        shards: The number of hosts, each of which has about an equal share of them.
        look_ups: The number of look-ups.
    """

    names: int
    shards: int
    look_ups: int


@dataclass(frozen=True, slots=True)
class Figures:
    """The results, in seconds.

    Args:
        sizes: How much was measured.
        start: To start a name: in one program, and in the cluster.
        look_up: To look a name up: in one program, in the cluster one at a time, and in the
            cluster with `CALLERS` at once.
        taken_over: The names of the host that was killed.
        take_over: From the kill until all its names answer: with `FEW` names, and with all.
    """

    sizes: Sizes
    start: tuple[float, float]
    look_up: tuple[float, float, float]
    taken_over: int
    take_over: tuple[float, float]
