"""A server may be a dataclass: its fields are its arguments."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pytest

from beamish import GenServer, StartError, call, debug, process


@dataclass
class Plain(GenServer, restart="transient", shutdown=1.5):
    step: int
    unit: str = "m"
    seen: list[int] = field(default_factory=list)

    @call
    def advance(self) -> tuple[int, str]:
        self.seen.append(self.step)
        return sum(self.seen), self.unit


@dataclass(frozen=True)
class Frozen(GenServer, restart="transient", shutdown=1.5):
    step: int
    unit: str = "m"
    seen: list[int] = field(default_factory=list)

    @call
    def advance(self) -> tuple[int, str]:
        self.seen.append(self.step)
        return sum(self.seen), self.unit


@dataclass(slots=True)
class Slotted(GenServer, restart="transient", shutdown=1.5):
    step: int
    unit: str = "m"
    seen: list[int] = field(default_factory=list)

    @call
    def advance(self) -> tuple[int, str]:
        self.seen.append(self.step)
        return sum(self.seen), self.unit


@dataclass(frozen=True, slots=True)
class FrozenSlotted(GenServer, restart="transient", shutdown=1.5):
    step: int
    unit: str = "m"
    seen: list[int] = field(default_factory=list)

    @call
    def advance(self) -> tuple[int, str]:
        self.seen.append(self.step)
        return sum(self.seen), self.unit


@dataclass
class Inherits(Plain):
    further: int = 0


KINDS: list[type[Any]] = [Plain, Frozen, Slotted, FrozenSlotted, Inherits]


@pytest.mark.parametrize("kind", KINDS)
async def test_fields_of_a_dataclass_are_its_arguments(kind: type[Any]) -> None:
    pid = await kind.start(2, unit="km", name="server")

    assert await kind.advance(pid) == (2, "km")
    assert await kind.advance("server") == (4, "km")
    await GenServer.stop(pid)


@pytest.mark.parametrize("kind", KINDS)
async def test_each_server_has_a_field_of_its_own_from_a_default_factory(kind: type[Any]) -> None:
    first, second = await kind.start(1), await kind.start(1)

    assert await kind.advance(first) == (1, "m")
    assert await kind.advance(second) == (1, "m")
    for pid in (first, second):
        await GenServer.stop(pid)


@pytest.mark.parametrize("kind", KINDS)
async def test_wrong_fields_are_a_type_error_at_the_caller(kind: type[Any]) -> None:
    with pytest.raises(TypeError, match="step"):
        await kind.start()
    with pytest.raises(TypeError, match="colour"):
        await kind.start(1, colour="red")
    with pytest.raises(TypeError, match="step"):
        kind.child_spec()


@pytest.mark.parametrize("kind", KINDS)
def test_class_keywords_survive_the_decorator(kind: type[Any]) -> None:
    """With ``slots=True`` the decorator makes another class, without the keywords."""
    spec = kind.child_spec(1, name="server")

    assert (spec.restart, spec.shutdown, spec.id) == ("transient", 1.5, "server")


@pytest.mark.parametrize("kind", KINDS)
async def test_state_of_a_dataclass_can_be_read_and_replaced(kind: type[Any]) -> None:
    pid = await kind.start(2)

    await debug.replace_state(pid, lambda state: {**state, "step": 5})

    assert (await debug.get_state(pid))["step"] == 5
    assert await kind.advance(pid) == (5, "m")
    await GenServer.stop(pid)


async def test_frozen_server_cannot_set_its_fields() -> None:
    @dataclass(frozen=True)
    class Sets(GenServer):
        step: int = 0

        @call
        def set_step(self) -> None:
            self.step = 1  # type: ignore[misc]

    pid = await Sets.start()
    ref_error = None
    try:
        await Sets.set_step(pid)
    except Exception as error:  # looked at below
        ref_error = error.__cause__

    assert isinstance(ref_error, dataclasses.FrozenInstanceError)
    assert not process.is_alive(pid)


@pytest.mark.parametrize("reserved", ["name", "timeout"])
async def test_field_that_start_link_uses_is_refused(reserved: str) -> None:
    """The class is finished before the decorator adds the field: it is refused when used."""
    kind: Any = dataclasses.make_dataclass("Reserved", [(reserved, str)], bases=(GenServer,))

    with pytest.raises(TypeError, match=f"parameter called '{reserved}'"):
        await kind.start("x")
    with pytest.raises(TypeError, match=f"parameter called '{reserved}'"):
        kind.child_spec("x")


async def test_post_init_that_raises_is_a_start_error() -> None:
    @dataclass
    class Checks(GenServer):
        step: int

        def __post_init__(self) -> None:
            if self.step < 0:
                raise ValueError("step must not be negative")

    with pytest.raises(StartError) as caught:
        await Checks.start(-1)

    assert isinstance(caught.value.reason, ValueError)
