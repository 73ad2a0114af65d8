"""Supervisors as classes: ``init`` returns ``Supervisor.spec(...)``."""

import asyncio

import pytest

from beamish import (
    IGNORE,
    AlreadyStartedError,
    IgnoredError,
    Pid,
    StartError,
    Supervisor,
    process,
)

from .support import (
    CrashError,
    Started,
    Stopped,
    Worker,
    children,
    crash,
    mailbox,
    pids,
    started,
)


class Tree(Supervisor):
    """A worker for each tag, reporting to ``report``."""

    def init(self, report: Pid | None, *tags: str, strategy: str = "one_for_one") -> object:
        return Supervisor.spec(
            [Worker.child_spec(tag, report).replace(id=tag) for tag in tags], strategy=strategy
        )


async def test_init_gives_children_and_options() -> None:
    """Elixir Supervisor, "Module-based supervisors"."""
    sup = await Tree.start_link(process.current(), "a", "b", strategy="one_for_all")
    assert [event.tag for event in await mailbox()] == ["a", "b"]

    await crash((await pids(sup, "a"))[0])

    heard = await mailbox()
    assert [e.tag for e in heard if isinstance(e, Started)] == ["a", "b"]


async def test_init_runs_in_the_supervisors_process() -> None:
    ran_in: list[Pid] = []

    class Aware(Supervisor):
        def init(self) -> object:
            ran_in.append(process.current())
            return Supervisor.spec([])

    sup = await Aware.start_link()

    assert ran_in == [sup]


async def test_init_may_wait() -> None:
    class Waiting(Supervisor):
        async def init(self) -> object:
            await asyncio.sleep(0)
            return Supervisor.spec([Worker])

    sup = await Waiting.start_link()

    assert set(await children(sup)) == {Worker}


async def test_is_named_like_any_server() -> None:
    sup = await Tree.start_link(None, "a", name="tree")

    assert process.whereis("tree") == sup
    with pytest.raises(AlreadyStartedError) as caught:
        await Tree.start_link(None, "a", name="tree")
    assert caught.value.pid == sup


async def test_child_spec_is_a_supervisors() -> None:
    spec = Tree.child_spec(None, "a", name="tree")

    assert (spec.id, spec.type, spec.shutdown, spec.restart) == (
        "tree",
        "supervisor",
        None,
        "permanent",
    )
    assert Tree.child_spec(None).id is Tree


async def test_runs_under_another_supervisor() -> None:
    me = process.current()

    sup = await Supervisor.start_link([Tree.child_spec(me, "a", "b")])

    found = await children(sup)
    assert found[Tree].type == "supervisor"
    assert set(await children(found[Tree].pid)) == {"a", "b"}


async def test_ignoring_init_is_an_ignored_start() -> None:
    """Elixir ``Supervisor.start_link/3``: ``:ignore`` ends it with ``:normal``."""

    class Disabled(Supervisor):
        def init(self) -> object:
            return IGNORE

    with pytest.raises(IgnoredError):
        await Disabled.start_link(name="disabled")

    assert process.whereis("disabled") is None
    sup = await Supervisor.start_link([Disabled])
    assert await pids(sup, Disabled) == [None]


async def test_raising_init_is_a_failed_start() -> None:
    """Elixir ``Supervisor.start_link/3``."""

    class Broken(Supervisor):
        def init(self) -> object:
            raise CrashError("no configuration")

    with pytest.raises(StartError) as caught:
        await Broken.start_link(name="broken")

    assert isinstance(caught.value.__cause__, CrashError)
    assert process.whereis("broken") is None


@pytest.mark.parametrize("answer", [None, 42, []], ids=repr)
async def test_init_that_returns_no_spec_is_a_failed_start(answer: object) -> None:
    """Elixir ``Supervisor.start_link/3``: an incorrect value."""

    class Wrong(Supervisor):
        def init(self) -> object:
            return answer

    with pytest.raises(StartError):
        await Wrong.start_link()


async def test_spec_refuses_bad_options() -> None:
    with pytest.raises(ValueError, match="strategy"):
        Supervisor.spec([], strategy="all_for_one")


async def test_init_runs_again_when_the_supervisor_is_restarted() -> None:
    """A restart reads again what ``init`` reads."""
    me = process.current()
    tags = ["first"]

    class Configured(Supervisor):
        def init(self) -> object:
            return Supervisor.spec(
                [Worker.child_spec(tag, me).replace(id=tag) for tag in tags], max_restarts=0
            )

    await Supervisor.start_link([Configured])
    pid = await started("first")
    tags[:] = ["second"]

    await crash(pid)

    assert process.is_alive(await started("second"))


async def test_class_keywords_configure_its_child_spec() -> None:
    """Elixir Supervisor, "Module-based supervisors": ``use Supervisor, restart: ...``."""

    class Fleeting(Supervisor, restart="temporary"):
        def init(self) -> object:
            return Supervisor.spec([])

    assert Fleeting.child_spec().restart == "temporary"


async def test_stop_stops_its_children_in_reverse() -> None:
    sup = await Tree.start_link(process.current(), "a", "b")
    await mailbox()

    await Tree.stop(sup)

    assert await mailbox() == [Stopped("b", "shutdown"), Stopped("a", "shutdown")]


async def test_wrong_arguments_start_nothing() -> None:
    with pytest.raises((TypeError, StartError)):
        await Tree.start_link(nonsense=1)

    assert set(process.processes()) == {process.current()}
