"""A `BaseException` of a child ends that child, as any exception does, and nobody else.

One rule for ``__init__``, ``init`` and callbacks, sync and async. `SystemExit` and
`KeyboardInterrupt`, which reach the program as well, are in ``test_program_exits``.
"""

import asyncio
from typing import Any

import pytest

from beamish import (
    ChildSpec,
    DynamicSupervisor,
    GenServer,
    Pid,
    StartError,
    Supervisor,
    Via,
    process,
)

from .support import down, until


class OddError(BaseException):
    """An exception that is not an `Exception`."""


class RaisesInConstructor(GenServer):
    def __init__(self) -> None:
        raise OddError


class RaisesInInit(GenServer):
    def init(self) -> None:
        raise OddError


class RaisesInAsyncInit(GenServer):
    async def init(self) -> None:
        raise OddError


class RaisesInLateInit(GenServer):
    async def init(self) -> None:
        await asyncio.sleep(0)
        raise OddError


class RaisingNames:
    @staticmethod
    def register_name(name: object, pid: Pid) -> bool:
        raise OddError

    @staticmethod
    def unregister_name(name: object) -> None: ...

    @staticmethod
    def whereis_name(name: object) -> Pid | None:
        return None


class Sibling(GenServer):
    pass


async def start_that_raises() -> Pid:
    raise OddError


async def start_that_raises_later() -> Pid:
    await asyncio.sleep(0)
    raise OddError


FAILING = {
    "__init__": RaisesInConstructor.child_spec(),
    "init": RaisesInInit.child_spec(),
    "async init": RaisesInAsyncInit.child_spec(),
    "late init": RaisesInLateInit.child_spec(),
    "name": Sibling.child_spec(name=Via(RaisingNames, "name")),
    "start": ChildSpec("child", start_that_raises),
    "late start": ChildSpec("child", start_that_raises_later),
}


@pytest.mark.parametrize("extra", [(), (1,)], ids=["plain", "extra arguments"])
@pytest.mark.parametrize("spec", FAILING.values(), ids=FAILING)
async def test_start_that_raises_a_base_exception_spares_the_siblings(
    spec: ChildSpec, extra: tuple[Any, ...]
) -> None:
    if extra:  # another way in which the supervisor starts children
        spec = spec.replace(start=ignoring_arguments(spec), kwargs={})
    sup = await DynamicSupervisor.start_link(extra_arguments=extra)
    sibling = await DynamicSupervisor.start_child(
        sup, ChildSpec("sibling", ignoring_arguments(Sibling.child_spec()))
    )

    with pytest.raises(StartError) as caught:
        await DynamicSupervisor.start_child(sup, spec)

    assert isinstance(caught.value.reason, OddError)
    assert process.is_alive(sibling)
    assert (await DynamicSupervisor.count_children(sup)).active == 1
    await DynamicSupervisor.stop(sup)


def ignoring_arguments(spec: ChildSpec) -> Any:
    async def start(*_: object) -> Pid:
        return await spec.start(*spec.args, **spec.kwargs)

    return start


@pytest.mark.parametrize("spec", FAILING.values(), ids=FAILING)
async def test_static_supervisor_refuses_a_child_that_raises_a_base_exception(
    spec: ChildSpec,
) -> None:
    sup = await Supervisor.start_link([Sibling])

    with pytest.raises(StartError) as caught:
        await Supervisor.start_child(sup, spec.replace(id="raises"))

    assert isinstance(caught.value.reason, OddError)
    assert (await Supervisor.count_children(sup)).active == 1
    await Supervisor.stop(sup)


class RaisesLater(GenServer, restart="transient"):
    starts = 0

    def __init__(self) -> None:
        type(self).starts += 1
        if self.starts == 2:
            raise OddError

    def handle_info(self, message: object) -> None:
        raise OddError


class RaisesLaterAsync(RaisesLater):
    async def handle_info(self, message: object) -> None:  # type: ignore[override]
        raise OddError


@pytest.mark.parametrize("server", [RaisesLater, RaisesLaterAsync], ids=["sync", "async"])
async def test_child_that_raises_base_exceptions_is_restarted_like_any_other(
    server: type[RaisesLater],
) -> None:
    server.starts = 0
    sup = await DynamicSupervisor.start_link()
    sibling = await DynamicSupervisor.start_child(sup, Sibling)
    child = await DynamicSupervisor.start_child(sup, server)
    ref = process.monitor(child)

    process.send(child, "raise")

    assert isinstance(await down(ref), OddError)
    await until(lambda: server.starts == 3)  # the second start has failed
    assert (await DynamicSupervisor.count_children(sup)).active == 2
    assert process.is_alive(sibling)
    await DynamicSupervisor.stop(sup)


async def test_on_give_up_that_raises_a_base_exception_spares_the_siblings() -> None:
    called: list[object] = []

    def on_give_up(*facts: object) -> None:
        called.append(facts)
        raise OddError

    sup = await DynamicSupervisor.start_link(
        intensity="child", max_restarts=0, on_give_up=on_give_up
    )
    sibling = await DynamicSupervisor.start_child(sup, Sibling)
    child = await DynamicSupervisor.start_child(sup, Sibling)

    process.exit(child, "boom")

    await until(lambda: bool(called))
    assert process.is_alive(sibling)
    assert (await DynamicSupervisor.count_children(sup)).active == 1
    await DynamicSupervisor.stop(sup)
