"""Dynamic supervisors as classes: ``init`` returns ``DynamicSupervisor.spec(...)``."""

import pytest

from beamish import (
    IGNORE,
    DynamicSupervisor,
    Exit,
    IgnoredError,
    MaxChildrenError,
    StartError,
    Supervisor,
    process,
)

from .support import CrashError, Worker, dynamic_pids, expect, started


class Limited(DynamicSupervisor):
    def init(self, max_children: int) -> object:
        return DynamicSupervisor.spec(max_children=max_children)


async def test_init_gives_the_options() -> None:
    """Elixir DynamicSupervisor, "Module-based supervisors"."""
    sup = await Limited.start_link(1, name="limited")

    await Limited.start_child("limited", Worker.child_spec())

    with pytest.raises(MaxChildrenError):
        await DynamicSupervisor.start_child(sup, Worker.child_spec())


async def test_takes_every_option_in_spec() -> None:
    received: list[object] = []

    class Configured(DynamicSupervisor):
        def init(self) -> object:
            return DynamicSupervisor.spec(
                strategy="one_for_one",
                max_restarts=0,
                max_seconds=1.0,
                max_children=10,
                extra_arguments=("extra",),
                backoff=None,
                intensity="child",
                on_give_up=lambda spec, pid, reason: received.append(pid),
            )

    sup = await Configured.start_link()

    assert await DynamicSupervisor.which_children(sup) == []
    assert received == []


async def test_runs_under_a_supervisor() -> None:
    top = await Supervisor.start_link([Limited.child_spec(5, name="limited")])

    pid = await DynamicSupervisor.start_child("limited", Worker.child_spec())

    assert await dynamic_pids("limited") == {pid}
    assert (await Supervisor.count_children(top)).supervisors == 1


async def test_child_spec_is_a_supervisors() -> None:
    spec = Limited.child_spec(5)

    assert (spec.id, spec.type, spec.shutdown) == (Limited, "supervisor", None)
    assert Limited.child_spec(5, name="limited").id == "limited"


async def test_ignoring_init_is_an_ignored_start() -> None:
    """Elixir ``DynamicSupervisor.start_link/3``."""

    class Disabled(DynamicSupervisor):
        def init(self) -> object:
            return IGNORE

    with pytest.raises(IgnoredError):
        await Disabled.start_link()


async def test_raising_init_is_a_failed_start() -> None:
    """Elixir ``DynamicSupervisor.start_link/3``."""

    class Broken(DynamicSupervisor):
        def init(self) -> object:
            raise CrashError("no configuration")

    with pytest.raises(StartError) as caught:
        await Broken.start_link()

    assert isinstance(caught.value.__cause__, CrashError)


@pytest.mark.parametrize("answer", [None, 42, {}], ids=repr)
async def test_init_that_returns_no_spec_is_a_failed_start(answer: object) -> None:
    """Elixir ``DynamicSupervisor.start_link/3``: an incorrect value."""

    class Wrong(DynamicSupervisor):
        def init(self) -> object:
            return answer

    with pytest.raises(StartError):
        await Wrong.start_link()


async def test_supervisors_spec_is_not_a_dynamic_supervisors() -> None:
    class Mixed(DynamicSupervisor):
        def init(self) -> object:
            return Supervisor.spec([])

    with pytest.raises(StartError):
        await Mixed.start_link()


async def test_spec_refuses_bad_options() -> None:
    with pytest.raises(ValueError, match="strategy"):
        DynamicSupervisor.spec(strategy="one_for_all")


async def test_limit_of_its_own_ends_it() -> None:
    process.flag(trap_exit=True)

    class Strict(DynamicSupervisor):
        def init(self) -> object:
            return DynamicSupervisor.spec(max_restarts=0)

    sup = await Strict.start_link()
    pid = await Strict.start_child(sup, Worker.child_spec("a", process.current()))
    await started("a")

    Worker.crash_later(pid)

    assert (await expect(Exit, pid=sup)).reason == "shutdown"
