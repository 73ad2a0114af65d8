"""What does not belong to a dynamic supervisor is logged, and ends neither it nor its children."""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from beamish import DynamicSupervisor, GenServer, Pid, TaskSupervisor, cast, process

from .support import until


class Unprintable:
    def __repr__(self) -> str:
        raise ValueError("not to be shown")


class Counter(GenServer):
    @cast
    def reset(self, to: object = 0) -> None: ...


STRAYS: dict[str, Callable[[Pid], object]] = {
    "cast": lambda sup: GenServer.cast(sup, "stray"),
    "cast method of another class": lambda sup: Counter.reset(sup, "stray"),
    "message": lambda sup: process.send(sup, "stray"),
}
UNPRINTABLE: dict[str, Callable[[Pid], object]] = {
    "cast": lambda sup: GenServer.cast(sup, Unprintable()),
    "cast method of another class": lambda sup: Counter.reset(sup, Unprintable()),
    "message": lambda sup: process.send(sup, Unprintable()),
}
SUPERVISORS: dict[str, Callable[[], Awaitable[Pid]]] = {
    "DynamicSupervisor": DynamicSupervisor.start_link,
    "TaskSupervisor": TaskSupervisor.start_link,
}


@pytest.mark.parametrize("start", SUPERVISORS.values(), ids=SUPERVISORS)
@pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS)
async def test_stray_is_logged_and_ends_nobody(
    stray: Callable[[Pid], object], start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="beamish")
    sup = await start()
    child = await DynamicSupervisor.start_child(sup, Counter)

    stray(sup)

    await until(lambda: any("'stray'" in record.getMessage() for record in caplog.records))
    assert (await DynamicSupervisor.count_children(sup)).active == 1
    assert process.is_alive(child)
    await DynamicSupervisor.stop(sup)


@pytest.mark.parametrize("start", SUPERVISORS.values(), ids=SUPERVISORS)
@pytest.mark.parametrize("stray", UNPRINTABLE.values(), ids=UNPRINTABLE)
async def test_stray_that_cannot_be_shown_ends_nobody(
    stray: Callable[[Pid], object], start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="beamish")
    sup = await start()

    stray(sup)

    await until(lambda: any("cannot be shown" in r.getMessage() for r in caplog.records))
    assert (await DynamicSupervisor.count_children(sup)).active == 0
    await DynamicSupervisor.stop(sup)
