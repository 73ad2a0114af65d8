"""Children of a dynamic supervisor: start, terminate, list, count, and its options."""

import asyncio
import contextvars

import pytest

from beamish import (
    AlreadyStartedError,
    ChildSpec,
    Counts,
    DynamicSupervisor,
    GenServer,
    IgnoredError,
    NoProcessError,
    NotFoundError,
    Pid,
    Registry,
    StartError,
    Supervisor,
    process,
)

from .support import (
    CrashError,
    Scripted,
    Started,
    Stopped,
    Worker,
    crash,
    dynamic_pids,
    mailbox,
    started,
)

EMPTY = Counts(specs=0, active=0, supervisors=0, workers=0)


async def test_starts_without_children() -> None:
    """Elixir DynamicSupervisor, "Examples"."""
    sup = await DynamicSupervisor.start_link()

    assert await DynamicSupervisor.which_children(sup) == []
    assert await DynamicSupervisor.count_children(sup) == EMPTY


async def test_start_child_gives_a_child_that_is_ready(worker: type[Worker]) -> None:
    """Elixir ``DynamicSupervisor.start_child/2``."""
    sup = await DynamicSupervisor.start_link()

    pid = await DynamicSupervisor.start_child(sup, worker.child_spec("tag"))

    assert await worker.ping(pid) == "tag"
    [child] = await DynamicSupervisor.which_children(sup)
    assert (child.pid, child.type, child.status) == (pid, "worker", "running")


async def test_child_is_linked_to_the_supervisor_and_knows_it_as_parent() -> None:
    sup = await DynamicSupervisor.start_link()

    pid = await DynamicSupervisor.start_child(sup, Worker.child_spec())

    assert sup in process.info(pid).links
    assert process.info(pid).parent == sup
    assert pid not in process.info(process.current()).links


async def test_ids_need_not_be_unique() -> None:
    """Elixir ``DynamicSupervisor.start_child/2``: the id is ignored."""
    sup = await DynamicSupervisor.start_link()
    spec = Worker.child_spec()

    found = {await DynamicSupervisor.start_child(sup, spec) for _ in range(3)}

    assert len(found) == 3
    assert await dynamic_pids(sup) == found


async def test_start_child_takes_a_class() -> None:
    """Elixir ``DynamicSupervisor.start_child/2`` takes a module, too."""
    sup = await DynamicSupervisor.start_link()

    pid = await DynamicSupervisor.start_child(sup, Worker)

    assert await dynamic_pids(sup) == {pid}


@pytest.mark.parametrize("bad", [42, "worker", None, object()], ids=lambda bad: type(bad).__name__)
async def test_start_child_raises_for_an_invalid_spec(bad: object) -> None:
    """OTP 25: ``invalid_child_spec``; the supervisor lives on."""
    sup = await DynamicSupervisor.start_link()

    with pytest.raises((TypeError, ValueError)):
        await DynamicSupervisor.start_child(sup, bad)

    assert await DynamicSupervisor.count_children(sup) == EMPTY


async def test_failing_start_is_discarded(scripted: type[Scripted]) -> None:
    """Elixir ``DynamicSupervisor.start_child/2``: the specification is discarded."""
    sup = await DynamicSupervisor.start_link(max_restarts=0)

    with pytest.raises(StartError) as caught:
        await DynamicSupervisor.start_child(sup, scripted.child_spec("a", None, ["raise"]))

    assert isinstance(caught.value.__cause__, CrashError)
    assert isinstance(caught.value.reason, CrashError)
    assert await DynamicSupervisor.count_children(sup) == EMPTY


async def test_ignored_start_is_discarded(scripted: type[Scripted]) -> None:
    """Elixir ``DynamicSupervisor.start_child/2``: nothing is added."""
    sup = await DynamicSupervisor.start_link()

    with pytest.raises(IgnoredError):
        await DynamicSupervisor.start_child(sup, scripted.child_spec("a", None, ["ignore"]))

    assert await DynamicSupervisor.count_children(sup) == EMPTY


async def test_taken_name_gives_its_owner() -> None:
    sup = await DynamicSupervisor.start_link()
    spec = Worker.child_spec(name="taken")
    pid = await DynamicSupervisor.start_child(sup, spec)

    with pytest.raises(AlreadyStartedError) as caught:
        await DynamicSupervisor.start_child(sup, spec)

    assert caught.value.pid == pid
    assert await dynamic_pids(sup) == {pid}


async def test_start_that_raises_is_a_start_error() -> None:
    """OTP 25: the supervisor survives a raising start function."""

    async def start() -> Pid:
        raise CrashError("no such device")

    sup = await DynamicSupervisor.start_link()

    with pytest.raises(StartError) as caught:
        await DynamicSupervisor.start_child(sup, ChildSpec("a", start))

    assert isinstance(caught.value.__cause__, CrashError)
    assert await DynamicSupervisor.count_children(sup) == EMPTY


async def test_start_that_gives_no_pid_is_a_start_error() -> None:
    """Elixir ``DynamicSupervisor.start_child/2``: an erroneous value."""

    async def start() -> object:
        return 42

    sup = await DynamicSupervisor.start_link()

    with pytest.raises(StartError):
        await DynamicSupervisor.start_child(sup, ChildSpec("a", start))  # type: ignore[arg-type]

    assert await DynamicSupervisor.count_children(sup) == EMPTY


async def test_terminate_child_stops_and_forgets_it(worker: type[Worker]) -> None:
    """Elixir ``DynamicSupervisor.terminate_child/2``."""
    sup = await DynamicSupervisor.start_link(max_restarts=0)
    spec = worker.child_spec("a", process.current())
    pid = await DynamicSupervisor.start_child(sup, spec)
    await mailbox()

    await DynamicSupervisor.terminate_child(sup, pid)

    assert not process.is_alive(pid)
    assert await mailbox() == [Stopped("a", "shutdown")]
    assert await DynamicSupervisor.count_children(sup) == EMPTY


async def test_terminate_child_of_an_unknown_pid_is_not_found() -> None:
    """Elixir ``DynamicSupervisor.terminate_child/2``: ``{:error, :not_found}``."""
    sup = await DynamicSupervisor.start_link()
    pid = await DynamicSupervisor.start_child(sup, Worker.child_spec())
    await DynamicSupervisor.terminate_child(sup, pid)

    for unknown in [pid, process.current(), sup]:
        with pytest.raises(NotFoundError):
            await DynamicSupervisor.terminate_child(sup, unknown)

    assert process.is_alive(sup)


async def test_terminate_child_leaves_its_siblings_alone() -> None:
    sup = await DynamicSupervisor.start_link()
    one, two, three = [
        await DynamicSupervisor.start_child(sup, Worker.child_spec()) for _ in range(3)
    ]

    await DynamicSupervisor.terminate_child(sup, two)

    assert await dynamic_pids(sup) == {one, three}


async def test_old_pid_of_a_restarted_child_is_not_found() -> None:
    sup = await DynamicSupervisor.start_link()
    spec = Worker.child_spec("a", process.current())
    old = await DynamicSupervisor.start_child(sup, spec)
    await mailbox()
    await crash(old)
    new = await started("a")

    with pytest.raises(NotFoundError):
        await DynamicSupervisor.terminate_child(sup, old)

    assert await dynamic_pids(sup) == {new}


async def test_count_children_tells_supervisors_from_workers() -> None:
    """Elixir ``DynamicSupervisor.count_children/1``."""
    sup = await DynamicSupervisor.start_link()
    for spec in [Worker.child_spec(), Supervisor.child_spec([]), DynamicSupervisor.child_spec()]:
        await DynamicSupervisor.start_child(sup, spec)

    assert await DynamicSupervisor.count_children(sup) == Counts(
        specs=3, active=3, supervisors=2, workers=1
    )


async def test_which_children_tells_the_type() -> None:
    sup = await DynamicSupervisor.start_link()
    below = await DynamicSupervisor.start_child(sup, Supervisor.child_spec([]))

    [child] = await DynamicSupervisor.which_children(sup)

    assert (child.pid, child.type, child.status) == (below, "supervisor", "running")


async def test_extra_arguments_come_before_the_childs_own() -> None:
    """Elixir ``DynamicSupervisor.start_link/1``, ``:extra_arguments``; at restarts, too."""
    received: list[object] = []

    async def start(*args: object, **kwargs: object) -> Pid:
        received.append((args, kwargs))
        return await Worker.start_link()

    sup = await DynamicSupervisor.start_link(extra_arguments=(1, 2))
    spec = ChildSpec("a", start, args=(3,), kwargs={"four": 4})
    pid = await DynamicSupervisor.start_child(sup, spec)

    await crash(pid)
    await mailbox()

    assert received == [((1, 2, 3), {"four": 4})] * 2


@pytest.mark.parametrize("form", ["pid", "name", "via"])
async def test_supervisor_may_be_given_by_pid_name_or_via(form: str) -> None:
    await Registry.start_link(keys="unique", name="names")
    via = Registry.via("names", "sup")
    name = {"pid": None, "name": "sup", "via": via}[form]

    pid = await DynamicSupervisor.start_link(name=name)
    dest = pid if name is None else name

    child = await DynamicSupervisor.start_child(dest, Worker.child_spec())
    assert await dynamic_pids(dest) == {child}
    await DynamicSupervisor.terminate_child(dest, child)
    await DynamicSupervisor.stop(dest)
    assert not process.is_alive(pid)


async def test_unknown_supervisor_raises_no_process_error() -> None:
    with pytest.raises(NoProcessError):
        await DynamicSupervisor.start_child("nobody", Worker.child_spec())
    with pytest.raises(NoProcessError):
        await DynamicSupervisor.which_children("nobody")
    with pytest.raises(NoProcessError):
        await DynamicSupervisor.terminate_child("nobody", process.current())


async def test_taken_supervisor_name_gives_the_running_one() -> None:
    """Elixir ``DynamicSupervisor.start_link/1``."""
    sup = await DynamicSupervisor.start_link(name="sup")

    with pytest.raises(AlreadyStartedError) as caught:
        await DynamicSupervisor.start_link(name="sup")

    assert caught.value.pid == sup


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "one_for_all"},
        {"strategy": "rest_for_one"},
        {"max_restarts": -1},
        {"max_seconds": 0},
        {"max_children": -1},
        {"max_children": "many"},
        {"extra_arguments": 1},
        {"intensity": "sibling"},
        {"backoff": 0.1},
        {"on_give_up": "log"},
    ],
    ids=str,
)
async def test_bad_option_is_refused(options: dict[str, object]) -> None:
    """OTP 25: ``supervisor_data`` errors."""
    [option] = options

    with pytest.raises((ValueError, TypeError), match=option):
        await DynamicSupervisor.start_link(**options)


async def test_runs_under_a_supervisor() -> None:
    sup = await Supervisor.start_link(
        [DynamicSupervisor.child_spec(name="dynamic", max_children=1)]
    )

    await DynamicSupervisor.start_child("dynamic", Worker.child_spec("a", process.current()))

    assert (await Supervisor.count_children(sup)).supervisors == 1
    await mailbox()
    await Supervisor.stop(sup)
    assert await mailbox() == [Stopped("a", "shutdown")]


async def test_start_child_from_outside_any_process() -> None:
    """A web handler's task, which is not a process, can start children."""
    sup = await DynamicSupervisor.start_link()
    found: list[Pid] = []

    async def outside() -> None:
        found.append(await DynamicSupervisor.start_child(sup, Worker.child_spec()))

    await asyncio.create_task(outside(), context=contextvars.Context())

    assert await dynamic_pids(sup) == set(found)


async def test_child_may_start_siblings() -> None:
    """Also from inside its own callback: the supervisor is not busy then."""

    class Parent(Worker):
        async def handle_call(self, request: object, from_: object) -> Pid:
            return await DynamicSupervisor.start_child("sup", Worker.child_spec("sibling"))

    sup = await DynamicSupervisor.start_link(name="sup")
    pid = await DynamicSupervisor.start_child(sup, Parent.child_spec())

    sibling = await GenServer.call(pid, "start one")

    assert process.info(sibling).parent == sup
    assert await dynamic_pids(sup) == {pid, sibling}


async def test_spawned_process_may_be_a_child() -> None:
    me = process.current()

    async def job() -> None:
        process.send(me, Started("job", process.current()))
        await process.receive()

    async def start() -> Pid:
        return process.spawn_link(job)

    sup = await DynamicSupervisor.start_link()
    pid = await DynamicSupervisor.start_child(sup, ChildSpec("job", start))
    assert await started("job") == pid

    process.exit(pid, "boom")

    assert await started("job") != pid
