"""What type checkers know of supervisors, whose classes are their servers. Checked by mypy."""

from typing import Any, assert_type

from beamish import (
    ChildInfo,
    ChildSpec,
    Counts,
    DynamicSupervisor,
    PartitionSupervisor,
    Pid,
    Registry,
    Supervisor,
    TaskSupervisor,
    Via,
    call,
)


class Sessions(DynamicSupervisor, restart="transient"):
    """A module-based supervisor whose ``init`` has parameters of its own, and a request."""

    def init(self, limit: int, *, name_of: str = "") -> Any:
        self.limit = limit
        return self.spec(max_children=limit)

    @call
    def limit_of(self) -> int:
        return self.limit

    def terminate(self) -> None:
        return None


class Tree(Supervisor):
    async def init(self, *tags: str) -> Any:
        return Supervisor.spec([])


async def dynamic_supervisors(pid: Pid, via: Via, spec: ChildSpec) -> None:
    assert_type(await DynamicSupervisor.start_link(max_children=3, name="sup"), Pid)
    assert_type(await DynamicSupervisor.start(name=via), Pid)
    assert_type(DynamicSupervisor.child_spec(name="sup", id="id"), ChildSpec)
    assert_type(await DynamicSupervisor.start_child(pid, spec), Pid)
    assert_type(await DynamicSupervisor.start_child("sup", spec=Sessions), Pid)
    assert_type(await DynamicSupervisor.start_child.timeout(1.0)(via, spec), Pid)
    assert_type(await DynamicSupervisor.which_children("sup"), list[ChildInfo])
    assert_type(await DynamicSupervisor.count_children("sup"), Counts)
    await DynamicSupervisor.terminate_child(pid, pid)
    await DynamicSupervisor.stop(pid)
    assert_type(DynamicSupervisor.whereis("sup"), Pid | None)
    assert_type(await Sessions.start_link(3, name="sessions"), Pid)
    assert_type(await Sessions.limit_of("sessions"), int)
    assert_type(await TaskSupervisor.which_children("sup"), list[ChildInfo])


async def static_supervisors(pid: Pid, spec: ChildSpec) -> None:
    assert_type(await Supervisor.start_link([spec], strategy="one_for_all"), Pid)
    assert_type(await Tree.start_link("a", "b", name="tree"), Pid)
    assert_type(await Supervisor.start_child(pid, spec), Pid)
    assert_type(await Supervisor.restart_child(pid, "id"), Pid)
    await Supervisor.terminate_child(pid, "id")
    await Supervisor.delete_child(pid, id="id")
    assert_type(await Supervisor.which_children(pid), list[ChildInfo])
    async with Tree.running("a", name="tree") as tree:
        assert_type(tree, Pid)
    assert_type(await PartitionSupervisor.count_children("parts"), Counts)


async def registries() -> None:
    assert_type(await Registry.start_link(keys="unique", name="names"), Pid)
    assert_type(Registry.child_spec(keys="duplicate", name="names"), ChildSpec)
    assert_type(Registry.whereis("names", "key"), Pid | None)


async def wrong_types(pid: Pid) -> None:
    await DynamicSupervisor.start_child(42, "spec")  # type: ignore[arg-type]
    await DynamicSupervisor.terminate_child(pid, "id")  # type: ignore[arg-type]
    await DynamicSupervisor.start_child(pid)  # type: ignore[call-arg]
    await Supervisor.restart_child(pid, "id", "more")  # type: ignore[call-arg]
    await Registry.start_link(keys="some", name="names")  # type: ignore[arg-type]
    await TaskSupervisor.start_link(strategy="one_for_all")  # type: ignore[call-arg]
