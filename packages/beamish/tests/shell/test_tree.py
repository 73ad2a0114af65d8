"""The supervision tree, as data and as text."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from beamish import (
    IGNORE,
    Backoff,
    DynamicSupervisor,
    GenServer,
    NoProcessError,
    PartitionSupervisor,
    Pid,
    Registry,
    Supervisor,
    TaskSupervisor,
    debug,
    process,
)
from beamish.shell import Node, Restarts, look, render


class Worker(GenServer):
    def handle_cast(self, request: object) -> None:
        raise ValueError(request)


class Shy(GenServer):
    def init(self) -> object:
        return IGNORE


class Waiting(GenServer):
    async def init(self) -> None:
        await asyncio.Event().wait()


@pytest.fixture(autouse=True)
async def _attached() -> AsyncIterator[None]:
    async with process.attach():
        yield


async def test_node_of_a_supervisor_has_its_children_in_start_order() -> None:
    first, second = Worker.child_spec(name="first"), Worker.child_spec(name="second")
    async with Supervisor.running([first, second], name="top") as sup:
        node = look("top")

        assert node == Node(
            id="top",
            pid=sup,
            class_name="Supervisor",
            status="running",
            type="supervisor",
            restarts=Restarts(used=0, allowed=3, seconds=5.0),
            children=(
                Node("first", process.whereis("first"), "Worker", "running", "worker"),
                Node("second", process.whereis("second"), "Worker", "running", "worker"),
            ),
        )


async def test_supervisor_without_a_name_goes_by_its_class() -> None:
    class Till(Supervisor):
        def init(self) -> object:
            return self.spec([Worker])

    async with Till.running() as sup:
        assert look(sup).id == look(sup).class_name


async def test_supervisors_of_every_kind_show_what_is_below_them() -> None:
    kinds = [
        Supervisor.child_spec([Worker], name="static"),
        DynamicSupervisor.child_spec(name="dynamic"),
        PartitionSupervisor.child_spec(child_spec=Worker, partitions=2, name="partitions"),
        TaskSupervisor.child_spec(name="tasks"),
    ]
    async with Supervisor.running(kinds) as sup:
        await DynamicSupervisor.start_child("dynamic", Worker)
        await TaskSupervisor.start_child("tasks", asyncio.Event().wait)

        found = {child.id: [below.id for below in child.children] for child in look(sup).children}

    assert found["static"] == [Worker]
    assert found["dynamic"] == [Worker]
    assert found["partitions"] == [0, 1]
    assert len(found["tasks"]) == 1


async def test_child_without_a_process_is_shown_as_stopped() -> None:
    async with Supervisor.running([Shy.child_spec().replace(id="shy")]) as sup:
        assert look(sup).children == (Node("shy", None, None, "stopped", "worker"),)


async def test_child_between_two_processes_is_shown_as_restarting() -> None:
    backoff = Backoff(initial=60.0)
    dynamic = DynamicSupervisor.child_spec(name="dynamic", backoff=backoff)
    async with Supervisor.running([dynamic]):
        pid = await DynamicSupervisor.start_child("dynamic", Worker.child_spec())
        await GenServer.stop(pid, "crash")

        node = look("dynamic")

    assert node.children == (Node(Worker, None, None, "restarting", "worker"),)
    assert node.restarts == Restarts(1, 3, 5.0)


async def test_restarts_of_a_supervisor_are_counted() -> None:
    async with Supervisor.running([Worker.child_spec(name="worker")], max_restarts=5) as sup:
        await GenServer.stop("worker", "crash")
        await GenServer.stop("worker", "crash")

        assert look(sup).restarts == Restarts(2, 5, 5.0)


async def test_restarts_of_a_child_with_an_intensity_of_its_own_are_shown_at_the_child() -> None:
    dynamic = DynamicSupervisor.child_spec(name="dynamic", intensity="child")
    async with Supervisor.running([dynamic]):
        await DynamicSupervisor.start_child("dynamic", Worker.child_spec(name="calm"))
        pid = await DynamicSupervisor.start_child("dynamic", Worker.child_spec(name="crashing"))
        await GenServer.stop(pid, "crash")

        found = {child.id: child.restarts for child in look("dynamic").children}

    assert found == {"calm": None, "crashing": Restarts(1, 3, 5.0)}


async def test_masses_of_children_are_counted_and_not_listed() -> None:
    async with Supervisor.running([DynamicSupervisor.child_spec(name="dynamic")]):
        for _ in range(1_000):
            await DynamicSupervisor.start_child("dynamic", Worker.child_spec())

        node = look("dynamic", children=3)

    assert len(node.children) == 3
    assert node.left_out == 997
    assert "└─ … 997 more" in render(node)


async def test_busy_and_suspended_supervisors_are_shown_all_the_same() -> None:
    inner = Supervisor.child_spec([Worker, Waiting], name="inner")
    outer = DynamicSupervisor.child_spec(name="outer")
    async with Supervisor.running([outer]) as sup:
        await debug.suspend(sup)
        start = asyncio.create_task(DynamicSupervisor.start_child("outer", inner))
        while process.whereis("inner") is None:
            await asyncio.sleep(0)

        node = look(sup)
        starting = look("inner")

        await debug.resume(sup)
        start.cancel()
    assert [child.id for child in node.children] == ["outer"]
    assert starting.status == "starting"
    assert [child.status for child in starting.children] == ["running", "stopped"]


async def test_worker_is_a_tree_of_one() -> None:
    pid = await Worker.start_link(name="alone")

    assert (look(pid).id, look(pid).children) == ("alone", ())


async def test_unknown_name_has_no_tree() -> None:
    with pytest.raises(NoProcessError):
        look("nobody")


@pytest.mark.parametrize("children", [-1, 2.5, True])
async def test_number_of_children_is_checked(children: object) -> None:
    pid = await Worker.start_link()

    with pytest.raises(ValueError, match="children"):
        look(pid, children=children)


async def test_columns_are_aligned() -> None:
    inner = Supervisor.child_spec([Worker.child_spec(name="a worker with a long name")], name="in")
    async with Supervisor.running([inner, Worker.child_spec(name="last")], name="top"):
        lines = render(look("top")).splitlines()

    assert [line[: max(line.find("#PID"), 2)].rstrip() for line in lines] == [
        "id",
        "top",
        "├─ in",
        "│  └─ a worker with a long name",
        "└─ last",
    ]
    assert len({line.index("#PID") for line in lines[1:]}) == 1
    assert len({line.index("running") for line in lines[1:]}) == 1
    assert lines[1].endswith("0 of 3 in 5 s")


async def test_via_names_show_the_registry_and_the_key() -> None:
    registry = Registry.child_spec(keys="unique", name="Shop.Registry")
    dynamic = DynamicSupervisor.child_spec(name="dynamic")
    async with Supervisor.running([registry, dynamic]):
        name = Registry.via("Shop.Registry", "txn_1")
        await DynamicSupervisor.start_child("dynamic", Worker.child_spec(name=name))

        assert "└─ Shop.Registry / txn_1" in render(look("dynamic"))


@pytest.mark.parametrize(
    ("id_", "shown"),
    [(("till", 1), "('till', 1)"), ("a\nb", "'a\\nb'"), ("x" * 99, "x" * 59 + "…"), (Pid, "Pid")],
)
async def test_ids_of_any_kind_take_one_line(id_: object, shown: str) -> None:
    async with Supervisor.running([Worker.child_spec().replace(id=id_)]) as sup:
        assert f"└─ {shown}  " in render(look(sup))
