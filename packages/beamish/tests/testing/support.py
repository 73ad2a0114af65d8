"""Servers that the tests of simulations share."""

from collections.abc import Awaitable, Callable

from beamish import GenServer, NoReply, call, cast
from beamish.testing import simulate

HOUR = 3600.0


class Counter(GenServer):
    def __init__(self) -> None:
        self.count = 0

    @call
    def read(self) -> int:
        return self.count

    @call
    def write(self, count: int) -> None:
        self.count = count

    @cast
    def add(self, number: int) -> None:
        self.count += number


class Silent(GenServer):
    @call
    def ask(self) -> NoReply:
        return NoReply()


def outcomes(main: Callable[[], Awaitable[object]], seeds: int = 200) -> set[object]:
    """What ``main`` gives with different seeds."""
    return {simulate(main, seed) for seed in range(seeds)}
