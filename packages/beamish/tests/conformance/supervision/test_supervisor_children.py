"""Changing a running static supervisor: start, terminate, restart, delete and count children."""

import pytest

from beamish import (
    AlreadyPresentError,
    AlreadyStartedError,
    ChildInfo,
    ChildSpec,
    Counts,
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
    children,
    mailbox,
    pids,
    specs,
    started,
)


async def test_start_child_starts_it_last(worker: type[Worker]) -> None:
    """Elixir ``Supervisor.start_child/2``."""
    sup = await Supervisor.start_link(specs("a", worker))

    pid = await Supervisor.start_child(sup, specs("b", worker)[0])

    assert await pids(sup, "b") == [pid]
    assert await worker.ping(pid) == "b"
    await mailbox()
    await Supervisor.stop(sup)
    assert await mailbox() == [Stopped("b", "shutdown"), Stopped("a", "shutdown")]


async def test_start_child_takes_a_class() -> None:
    """Elixir ``Supervisor.start_child/2`` takes a module, too."""
    sup = await Supervisor.start_link([])

    pid = await Supervisor.start_child(sup, Worker)

    assert await pids(sup, Worker) == [pid]


async def test_start_child_of_a_running_id_gives_its_pid() -> None:
    """Elixir ``Supervisor.start_child/2``: ``:already_started``; the new spec is discarded."""
    sup = await Supervisor.start_link(specs("a"))
    [a] = await pids(sup, "a")
    await mailbox()

    with pytest.raises(AlreadyStartedError) as caught:
        await Supervisor.start_child(sup, specs("a")[0])

    assert caught.value.pid == a
    assert await mailbox() == []


async def test_start_child_of_a_stopped_id_is_already_present() -> None:
    """Elixir ``Supervisor.start_child/2``: ``:already_present``."""
    sup = await Supervisor.start_link(specs("a"))
    await Supervisor.terminate_child(sup, "a")

    with pytest.raises(AlreadyPresentError):
        await Supervisor.start_child(sup, specs("a")[0])

    assert await pids(sup, "a") == [None]


async def test_start_child_that_fails_keeps_no_spec(scripted: type[Scripted]) -> None:
    """Elixir ``Supervisor.start_child/2``: the specification is discarded."""
    sup = await Supervisor.start_link([])

    with pytest.raises(StartError) as caught:
        await Supervisor.start_child(sup, scripted.child_spec("a", None, ["raise"]))

    assert isinstance(caught.value.__cause__, CrashError)
    assert isinstance(caught.value.reason, CrashError)
    assert await children(sup) == {}


async def test_start_child_that_ignores_keeps_the_spec(scripted: type[Scripted]) -> None:
    """Elixir ``Supervisor.start_child/2``: added with an undefined pid."""
    sup = await Supervisor.start_link([])

    with pytest.raises(IgnoredError):
        await Supervisor.start_child(
            sup, scripted.child_spec("a", None, ["ignore"]).replace(id="a")
        )

    assert await pids(sup, "a") == [None]
    pid = await Supervisor.restart_child(sup, "a")
    assert await pids(sup, "a") == [pid]


async def test_start_child_that_ignores_is_not_kept_when_temporary() -> None:
    """OTP 25: a temporary child without a process leaves no specification."""
    sup = await Supervisor.start_link([])

    with pytest.raises(IgnoredError):
        await Supervisor.start_child(
            sup, Scripted.child_spec("a", None, ["ignore"]).replace(restart="temporary")
        )

    assert await children(sup) == {}


async def test_start_child_whose_name_is_taken_gives_the_owner() -> None:
    other = await Worker.start_link(name="taken")
    sup = await Supervisor.start_link([])

    with pytest.raises(AlreadyStartedError) as caught:
        await Supervisor.start_child(sup, Worker.child_spec(name="taken"))

    assert caught.value.pid == other
    assert await children(sup) == {}
    await GenServer.stop(other)


@pytest.mark.parametrize("bad", [42, "worker", None, object()], ids=lambda bad: type(bad).__name__)
async def test_start_child_raises_for_an_invalid_spec(bad: object) -> None:
    sup = await Supervisor.start_link(specs("a"))

    with pytest.raises((TypeError, ValueError)):
        await Supervisor.start_child(sup, bad)

    assert set(await children(sup)) == {"a"}


async def test_start_child_whose_start_gives_no_pid_fails() -> None:
    async def start() -> object:
        return "not a pid"

    sup = await Supervisor.start_link(specs("a"))

    with pytest.raises(StartError):
        await Supervisor.start_child(sup, ChildSpec("bad", start))  # type: ignore[arg-type]

    assert set(await children(sup)) == {"a"}


async def test_terminate_child_stops_it_and_keeps_the_spec(worker: type[Worker]) -> None:
    """Elixir ``Supervisor.terminate_child/2``."""
    sup = await Supervisor.start_link(specs("ab", worker))
    a, b = await pids(sup, "a", "b")
    await mailbox()

    await Supervisor.terminate_child(sup, "a")

    assert not process.is_alive(a)
    assert await mailbox() == [Stopped("a", "shutdown")]
    assert await pids(sup, "a", "b") == [None, b]


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
async def test_terminate_child_is_not_a_crash(strategy: str) -> None:
    """A permanent child that is terminated stays down, its siblings up, whatever the strategy."""
    sup = await Supervisor.start_link(specs("abc"), strategy=strategy, max_restarts=0)
    a, _, c = await pids(sup, *"abc")
    await mailbox()

    await Supervisor.terminate_child(sup, "b")

    assert await mailbox() == [Stopped("b", "shutdown")]
    assert await pids(sup, *"abc") == [a, None, c]


async def test_terminate_child_drops_a_temporary_childs_spec() -> None:
    """Elixir ``Supervisor.terminate_child/2``: kept unless the child is temporary."""
    sup = await Supervisor.start_link(specs("a", restart="temporary"))

    await Supervisor.terminate_child(sup, "a")

    assert await children(sup) == {}


async def test_terminate_child_of_a_stopped_child_does_nothing() -> None:
    """OTP 25: ``ok``."""
    sup = await Supervisor.start_link(specs("a"))
    await Supervisor.terminate_child(sup, "a")

    await Supervisor.terminate_child(sup, "a")

    assert await pids(sup, "a") == [None]


async def test_restart_child_starts_it_again_in_its_place(worker: type[Worker]) -> None:
    """Elixir ``Supervisor.restart_child/2``."""
    sup = await Supervisor.start_link(specs("ab", worker))
    await Supervisor.terminate_child(sup, "a")
    await mailbox()

    pid = await Supervisor.restart_child(sup, "a")

    assert await pids(sup, "a") == [pid]
    assert await mailbox() == [Started("a", pid)]
    await Supervisor.stop(sup)
    assert [event.tag for event in await mailbox()] == ["b", "a"]


async def test_restart_child_does_not_count_as_a_restart() -> None:
    sup = await Supervisor.start_link(specs("a"), max_restarts=0)

    for _ in range(3):
        await Supervisor.terminate_child(sup, "a")
        await Supervisor.restart_child(sup, "a")

    assert process.is_alive(sup)


async def test_restart_child_of_a_running_child_is_refused() -> None:
    """Elixir ``Supervisor.restart_child/2``: ``{:error, :running}``."""
    sup = await Supervisor.start_link(specs("a"))
    [a] = await pids(sup, "a")

    with pytest.raises(AlreadyStartedError) as caught:
        await Supervisor.restart_child(sup, "a")

    assert caught.value.pid == a
    assert await pids(sup, "a") == [a]


async def test_restart_child_that_fails_keeps_the_spec(scripted: type[Scripted]) -> None:
    """OTP 25: the child stays as it was, without a process."""
    script: list[str] = ["ok", "raise", "ok"]
    sup = await Supervisor.start_link([scripted.child_spec("a", None, script).replace(id="a")])
    await Supervisor.terminate_child(sup, "a")

    with pytest.raises(StartError):
        await Supervisor.restart_child(sup, "a")

    assert await pids(sup, "a") == [None]
    await Supervisor.restart_child(sup, "a")


async def test_restart_child_that_ignores_stays_without_a_process() -> None:
    """Elixir ``Supervisor.restart_child/2`` gives ``{:ok, :undefined}``."""
    sup = await Supervisor.start_link(
        [Scripted.child_spec("a", None, ["ok", "ignore"]).replace(id="a")]
    )
    await Supervisor.terminate_child(sup, "a")

    with pytest.raises(IgnoredError):
        await Supervisor.restart_child(sup, "a")

    assert await pids(sup, "a") == [None]


async def test_delete_child_forgets_a_stopped_child() -> None:
    """Elixir ``Supervisor.delete_child/2``."""
    sup = await Supervisor.start_link(specs("ab"))
    await Supervisor.terminate_child(sup, "a")

    await Supervisor.delete_child(sup, "a")

    assert set(await children(sup)) == {"b"}
    pid = await Supervisor.start_child(sup, specs("a")[0])
    assert await pids(sup, "a") == [pid]


async def test_delete_child_of_a_running_child_is_refused() -> None:
    """Elixir ``Supervisor.delete_child/2``: ``{:error, :running}``."""
    sup = await Supervisor.start_link(specs("a"))
    [a] = await pids(sup, "a")

    with pytest.raises(AlreadyStartedError):
        await Supervisor.delete_child(sup, "a")

    assert await pids(sup, "a") == [a]


@pytest.mark.parametrize("change", ["terminate_child", "restart_child", "delete_child"])
async def test_unknown_child_is_not_found(change: str) -> None:
    """Elixir Supervisor: ``{:error, :not_found}``."""
    sup = await Supervisor.start_link(specs("a"))

    with pytest.raises(NotFoundError, match="nobody"):
        await getattr(Supervisor, change)(sup, "nobody")

    assert set(await children(sup)) == {"a"}


async def test_which_children_tells_id_pid_type_and_status() -> None:
    """Elixir ``Supervisor.which_children/1``."""
    below = Supervisor.child_spec([], name="below")
    sup = await Supervisor.start_link([*specs("ab"), below])
    await Supervisor.terminate_child(sup, "b")
    a = await started("a")

    found = await Supervisor.which_children(sup)

    assert sorted(found, key=lambda child: str(child.id)) == [
        ChildInfo(id="a", pid=a, type="worker", status="running"),
        ChildInfo(id="b", pid=None, type="worker", status="stopped"),
        ChildInfo(id="below", pid=process.whereis("below"), type="supervisor", status="running"),
    ]


async def test_count_children_counts_stopped_ones_as_specs_only() -> None:
    """Elixir ``Supervisor.count_children/1``: dead or alive, but for ``active``."""
    below = Supervisor.child_spec([], name="below")
    sup = await Supervisor.start_link([*specs("abc"), below])
    await Supervisor.terminate_child(sup, "b")

    assert await Supervisor.count_children(sup) == Counts(
        specs=4, active=3, supervisors=1, workers=3
    )


async def test_empty_supervisor_has_no_children() -> None:
    sup = await Supervisor.start_link([])

    assert await Supervisor.which_children(sup) == []
    assert await Supervisor.count_children(sup) == Counts(
        specs=0, active=0, supervisors=0, workers=0
    )


@pytest.mark.parametrize("form", ["pid", "name", "via"])
async def test_supervisor_may_be_given_by_pid_name_or_via(form: str) -> None:
    await Registry.start_link(keys="unique", name="names")
    via = Registry.via("names", "sup")
    name = {"pid": None, "name": "sup", "via": via}[form]

    pid = await Supervisor.start_link(specs("a"), name=name)
    dest = pid if name is None else name

    assert set(await children(dest)) == {"a"}
    await Supervisor.terminate_child(dest, "a")
    await Supervisor.restart_child(dest, "a")
    await Supervisor.stop(dest)
    assert not process.is_alive(pid)


@pytest.mark.parametrize(
    "ask", [Supervisor.which_children, Supervisor.count_children, Supervisor.stop]
)
async def test_unknown_supervisor_raises_no_process_error(ask: object) -> None:
    with pytest.raises(NoProcessError):
        await ask("nobody")  # type: ignore[operator]


async def test_ids_are_any_hashable_and_told_apart_by_equality() -> None:
    ids = ["a", ("a", 1), 1, None, frozenset({1})]
    sup = await Supervisor.start_link(specs(ids))

    assert set(await children(sup)) == set(ids)
    for child_id in ids:
        await Supervisor.terminate_child(sup, child_id)
    assert await pids(sup, *ids) == [None] * 5


async def test_unlinked_child_is_stopped_all_the_same() -> None:
    """OTP 25: a start function that does not link still gives a child that is shut down."""

    async def start() -> Pid:
        return process.spawn(process.receive)

    sup = await Supervisor.start_link([ChildSpec("loose", start)])
    [loose] = await pids(sup, "loose")

    await Supervisor.stop(sup)

    assert not process.is_alive(loose)
