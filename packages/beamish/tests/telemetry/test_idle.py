"""What telemetry costs while nothing is attached: looks at an attribute, which are counted here.

What they take stands in docs/benchmarks.md.
"""

from collections.abc import Iterator
from types import ModuleType

import pytest

from beamish import DynamicSupervisor, GenServer, call, cast, telemetry
from beamish._native import core
from beamish.testing import settle

# The native core looks into the dict of the module, where nothing counts.
LOOKS_OF_A_CALL = 1 if core is None else 0


class Counter(GenServer):
    def __init__(self) -> None:
        self.count = 0

    @call
    def read(self) -> int:
        return self.count

    @cast
    def bump(self) -> None:
        self.count += 1


class Looks(ModuleType):
    """The module of telemetry, which counts who looks whether anything is attached."""

    count = 0

    @property
    def enabled(self) -> bool:
        type(self).count += 1
        return False

    observes = enabled


@pytest.fixture
def looks() -> Iterator[type[Looks]]:
    Looks.count = 0
    telemetry.__class__ = Looks
    yield Looks
    telemetry.__class__ = ModuleType


async def test_a_call_looks_once(looks: type[Looks]) -> None:
    pid = await Counter.start()
    before = looks.count

    await Counter.read(pid)

    assert looks.count - before == LOOKS_OF_A_CALL


async def test_a_cast_looks_once_until_it_has_been_handled(looks: type[Looks]) -> None:
    pid = await Counter.start()
    before = looks.count

    Counter.bump(pid)
    await settle()

    assert looks.count - before == 1


async def test_a_start_looks_before_and_after_init(looks: type[Looks]) -> None:
    await Counter.start()

    assert looks.count == 2


async def test_a_supervised_start_looks_at_the_call_too(
    attached: object, looks: type[Looks]
) -> None:
    supervisor = await DynamicSupervisor.start_link()
    before = looks.count

    await DynamicSupervisor.start_child(supervisor, Counter.child_spec())

    assert looks.count - before == 2 + LOOKS_OF_A_CALL
    await DynamicSupervisor.stop(supervisor)
