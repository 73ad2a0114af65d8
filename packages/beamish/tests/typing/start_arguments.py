"""What type checkers know of the arguments of ``start_link`` and ``child_spec``.

Checked by mypy; pyright finds the same errors.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, assert_type

from beamish import (
    AlreadyStartedError,
    ChildSpec,
    Continue,
    GenServer,
    NoProcessError,
    Pid,
    Stop,
    Via,
)

T = TypeVar("T")


class Sensor(GenServer):
    def __init__(self, number: int, *, unit: str = "") -> None: ...

    def handle_info(self, message: object) -> Stop | None:
        return super().handle_info(message)

    async def init(self) -> None: ...

    def handle_continue(self, arg: object) -> Continue | None:
        return super().handle_continue(arg)

    def handle_cast(self, request: object) -> Stop | None:
        return super().handle_cast(request)


class Own(Sensor):
    @classmethod
    def child_spec(cls, *args: Any, **kwargs: Any) -> ChildSpec:
        return super().child_spec(*args, **kwargs).replace(restart="temporary")

    @classmethod
    async def start(cls, number: str) -> Pid:
        return await cls.start_link(int(number))

    @classmethod
    async def begin(cls, number: str) -> Pid:
        return await super().start_link(int(number))


class Holder(GenServer, Generic[T]):
    def __init__(self, value: T) -> None: ...


@dataclass
class Plain(GenServer):
    number: int


class Bare(GenServer): ...


class AnyNumber(GenServer):
    def __init__(self, *numbers: int, **units: str) -> None: ...


def specs(via: Via, name: str | None, kind: type[Sensor], options: dict[str, Any]) -> None:
    assert_type(Sensor.child_spec(1), ChildSpec)
    Sensor.child_spec(1, unit="m")
    Sensor.child_spec(1, name="sensor")
    Sensor.child_spec(1, name=via, unit="m")
    Sensor.child_spec(1, name=name)
    Sensor.child_spec(**options)
    kind.child_spec(1)
    kind.child_spec(1, name="sensor")
    Own.child_spec(1)
    Holder.child_spec(1)
    Plain.child_spec(1)
    Bare.child_spec()
    AnyNumber.child_spec(1, 2, a="m")


def later() -> Callable[..., ChildSpec]:
    return Sensor.child_spec


async def starts(kinds: list[type[GenServer]], kind: type[Sensor], options: dict[str, Any]) -> None:
    assert_type(await Sensor.start_link(1), Pid)
    await Sensor.start_link(1, unit="m")
    await Sensor.start_link(1, name="sensor", timeout=1.0)
    await Sensor.start_link(1, timeout=None, unit="m")
    await Sensor.start_link(**options)
    await kind.start_link(1)
    await Own.start("1")
    await Holder.start_link("value")
    await Plain.start_link(1)
    await Bare.start_link()
    for any_kind in kinds:
        await any_kind.start_link()


def wrong_specs() -> None:
    Sensor.child_spec("1")  # type: ignore[call-overload]
    Sensor.child_spec()  # type: ignore[call-overload]
    Sensor.child_spec(1, nuit="m")  # type: ignore[call-overload]
    Sensor.child_spec(1, name=42)  # type: ignore[call-overload]
    Plain.child_spec("1")  # type: ignore[call-overload]
    Bare.child_spec(1)  # type: ignore[call-overload]


async def wrong_starts() -> None:
    await Sensor.start_link("1")  # type: ignore[call-overload]
    await Sensor.start_link()  # type: ignore[call-overload]
    await Sensor.start_link(1, nuit="m")  # type: ignore[call-overload]
    await Sensor.start_link(1, name=42)  # type: ignore[call-overload]
    await Sensor.start_link(1, timeout="soon")  # type: ignore[call-overload]
    await Plain.start_link("1")  # type: ignore[call-overload]
    await Bare.start_link(1)  # type: ignore[call-overload]


def errors(started: AlreadyStartedError, gone: NoProcessError) -> None:
    assert_type(started.pid, Pid)
    assert_type(gone.restarting_in, float | None)
