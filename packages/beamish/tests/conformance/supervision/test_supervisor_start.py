"""Starting a supervisor: order, unwinding when a child fails, names and options."""

import asyncio
import contextvars

import pytest

from beamish import (
    AlreadyStartedError,
    ChildSpec,
    Exit,
    GenServer,
    NoProcessError,
    Pid,
    Registry,
    StartError,
    Supervisor,
    process,
)

from .support import (
    CrashError,
    Gated,
    Scripted,
    Started,
    Stopped,
    Worker,
    children,
    mailbox,
    pids,
    settle,
    specs,
    started,
)


async def test_children_start_in_order(worker: type[Worker]) -> None:
    """Elixir Supervisor, "Start and shutdown"."""
    sup = await Supervisor.start_link(specs("abc", worker))

    heard = await mailbox()
    a, b, c = await pids(sup, "a", "b", "c")
    assert heard == [Started("a", a), Started("b", b), Started("c", c)]
    assert a < b < c


async def test_a_child_starts_only_when_the_one_before_is_ready() -> None:
    gate = asyncio.Event()
    me = process.current()
    first = Gated.child_spec("first", me, gate).replace(id="first")

    start = asyncio.create_task(Supervisor.start_link([first, *specs(["second"])]))
    await started("first")
    assert await mailbox() == []

    gate.set()
    await start
    await started("second")


async def test_children_are_ready_when_start_link_returns(worker: type[Worker]) -> None:
    sup = await Supervisor.start_link([worker.child_spec("tag", name="ready")])

    assert await worker.ping("ready") == "tag"
    assert [child.status for child in (await children(sup)).values()] == ["running"]


async def test_children_are_linked_to_the_supervisor_and_know_it_as_parent() -> None:
    sup = await Supervisor.start_link(specs("a"))

    [child] = await pids(sup, "a")

    assert sup in process.info(child).links
    assert process.info(child).parent == sup
    assert child in process.info(sup).links


async def test_supervisor_is_linked_to_its_starter() -> None:
    sup = await Supervisor.start_link([])

    assert process.current() in process.info(sup).links


async def test_takes_classes_that_start_without_arguments() -> None:
    """Elixir ``Supervisor.start_link/2``: a module stands for its ``child_spec([])``."""

    class Tree(Supervisor):
        def init(self) -> object:
            return Supervisor.spec([Worker])

    sup = await Supervisor.start_link([Worker, Tree])

    found = await children(sup)
    assert set(found) == {Worker, Tree}
    assert (found[Worker].type, found[Tree].type) == ("worker", "supervisor")


async def test_start_runs_in_the_supervisors_process() -> None:
    ran_in: list[Pid] = []

    async def start() -> Pid:
        ran_in.append(process.current())
        return process.spawn_link(process.receive)

    sup = await Supervisor.start_link([ChildSpec("spawned", start)])

    assert ran_in == [sup]


async def test_passes_args_and_kwargs_to_start() -> None:
    received: list[object] = []

    async def start(*args: object, **kwargs: object) -> Pid:
        received.append((args, kwargs))
        return process.spawn_link(process.receive)

    await Supervisor.start_link([ChildSpec("id", start, args=(1, 2), kwargs={"three": 3})])

    assert received == [((1, 2), {"three": 3})]


async def test_failing_child_stops_those_already_started_in_reverse(
    worker: type[Worker], scripted: type[Scripted]
) -> None:
    """Elixir ``Supervisor.start_link/2``: the started children end with ``"shutdown"``."""
    me = process.current()
    broken = scripted.child_spec("broken", me, ["raise"]).replace(id="broken")

    with pytest.raises(StartError) as caught:
        await Supervisor.start_link([*specs("ab", worker), broken, *specs("z", worker)])

    assert "broken" in str(caught.value)
    heard = await mailbox()
    assert [type(event) for event in heard] == [Started, Started, Started, Stopped, Stopped]
    assert [event.tag for event in heard] == ["a", "b", "broken", "b", "a"]
    assert heard[3:] == [Stopped("b", "shutdown"), Stopped("a", "shutdown")]


async def test_failing_childs_exception_is_in_the_causes(scripted: type[Scripted]) -> None:
    broken = scripted.child_spec("broken", None, ["raise"])

    with pytest.raises(StartError) as caught:
        await Supervisor.start_link([broken])

    causes = []
    error: BaseException | None = caught.value
    while error is not None:
        causes.append(error)
        error = error.__cause__
    assert isinstance(causes[-1], CrashError)


async def test_failed_start_sends_no_exit_to_a_trapping_starter() -> None:
    """Differs from Elixir, where the starter also gets the exit of the failed supervisor."""
    process.flag(trap_exit=True)

    with pytest.raises(StartError):
        await Supervisor.start_link([Scripted.child_spec("broken", None, ["raise"])])

    assert [event for event in await mailbox() if isinstance(event, Exit)] == []


async def test_failed_start_leaves_no_name() -> None:
    broken = Scripted.child_spec("broken", None, ["raise"], name="broken")

    with pytest.raises(StartError):
        await Supervisor.start_link([Worker.child_spec(name="good"), broken], name="sup")

    assert [process.whereis(name) for name in ("sup", "good", "broken")] == [None, None, None]


async def test_child_whose_start_raises_fails_the_supervisor() -> None:
    async def start() -> Pid:
        raise CrashError("no such device")

    with pytest.raises(StartError, match="device-reader"):
        await Supervisor.start_link([ChildSpec("device-reader", start)])


async def test_child_whose_start_gives_no_pid_fails_the_supervisor() -> None:
    """OTP supervisor: a start function's erroneous value is an error."""

    async def start() -> object:
        return 42

    with pytest.raises(StartError, match="wrong-start"):
        await Supervisor.start_link([*specs("a"), ChildSpec("wrong-start", start)])  # type: ignore[arg-type]

    assert [type(event) for event in await mailbox()] == [Started, Stopped]


async def test_child_whose_name_is_taken_fails_the_supervisor() -> None:
    other = await Worker.start_link(name="taken")

    with pytest.raises(StartError):
        await Supervisor.start_link([Worker.child_spec(name="taken")])

    assert process.whereis("taken") == other
    await GenServer.stop(other)


async def test_ignored_child_is_kept_without_a_process(scripted: type[Scripted]) -> None:
    """Elixir GenServer ``init``: the rest of the tree is started all the same."""
    ignored = scripted.child_spec("ignored", None, ["ignore"]).replace(id="ignored")

    sup = await Supervisor.start_link([ignored, *specs("a")])

    found = await children(sup)
    assert (found["ignored"].pid, found["ignored"].status) == (None, "stopped")
    assert found["a"].status == "running"


async def test_ignored_temporary_child_is_not_kept() -> None:
    """OTP supervisor: a temporary child without a process has no specification."""
    ignored = Scripted.child_spec("ignored", None, ["ignore"]).replace(restart="temporary")

    sup = await Supervisor.start_link([ignored])

    assert await children(sup) == {}


async def test_duplicate_ids_are_refused_before_anything_starts() -> None:
    """Elixir Supervisor, "Child specification": conflicting ids are refused."""
    with pytest.raises((StartError, ValueError), match="twin"):
        await Supervisor.start_link(specs(["twin", "twin"]))

    assert await mailbox() == []


@pytest.mark.parametrize(
    "options",
    [
        {"strategy": "simple_one_for_one"},
        {"strategy": None},
        {"max_restarts": -1},
        {"max_restarts": "3"},
        {"max_seconds": 0},
        {"max_seconds": -1.0},
        {"auto_shutdown": "always"},
    ],
    ids=str,
)
async def test_bad_option_is_a_value_error(options: dict[str, object]) -> None:
    """OTP supervisor: ``supervisor_data`` errors; a period of 0 is invalid."""
    [option] = options

    with pytest.raises(ValueError, match=option):
        await Supervisor.start_link(specs("a"), **options)

    assert await mailbox() == []


async def test_unknown_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="max_restart"):
        await Supervisor.start_link([], max_restart=3)


@pytest.mark.parametrize(
    "child", [42, "worker", None, object()], ids=lambda bad: type(bad).__name__
)
async def test_invalid_child_raises(child: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        await Supervisor.start_link([child])


async def test_name_is_registered_and_freed() -> None:
    sup = await Supervisor.start_link([], name="sup")
    assert process.whereis("sup") == sup

    await Supervisor.stop("sup")

    assert process.whereis("sup") is None


async def test_taken_name_gives_the_running_supervisor() -> None:
    """Elixir ``Supervisor.start_link/2``: ``{:error, {:already_started, pid}}``."""
    sup = await Supervisor.start_link([], name="sup")

    with pytest.raises(AlreadyStartedError) as caught:
        await Supervisor.start_link(specs("a"), name="sup")

    assert caught.value.pid == sup
    assert await mailbox() == []


async def test_name_may_be_a_via() -> None:
    await Registry.start_link(keys="unique", name="names")
    via = Registry.via("names", "sup")

    sup = await Supervisor.start_link(specs("a"), name=via)

    assert Registry.whereis("names", "sup") == sup
    assert set(await children(via)) == {"a"}
    await Supervisor.stop(sup)


async def test_start_link_outside_a_process_is_refused() -> None:
    async def outside() -> None:
        with pytest.raises(NoProcessError):
            await Supervisor.start_link([])

    await asyncio.create_task(outside(), context=contextvars.Context())
    await settle()
