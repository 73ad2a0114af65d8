"""The class of a supervisor is its server: what subclasses can do with it, and what callers see.

Source: Elixir, "Module-based supervisors"; there a module defines a ``start_child`` of its own.
"""

import asyncio
import dataclasses
import pickle
from typing import Any

import pytest

from beamish import (
    ChildSpec,
    DynamicSupervisor,
    ExitError,
    GenServer,
    PartitionSupervisor,
    Pid,
    Supervisor,
    TaskSupervisor,
    call,
    debug,
    process,
)

from .support import Worker, dynamic_pids

KINDS: dict[str, tuple[Any, tuple[Any, ...], dict[str, Any]]] = {
    "DynamicSupervisor": (DynamicSupervisor, (), {"max_restarts": 3}),
    "TaskSupervisor": (TaskSupervisor, (), {"max_restarts": 3}),
    "Supervisor": (Supervisor, ([],), {"max_restarts": 3}),
    "PartitionSupervisor": (PartitionSupervisor, (), {"child_spec": Worker, "partitions": 2}),
}
every_kind = pytest.mark.parametrize(("kind", "args", "options"), KINDS.values(), ids=KINDS)


class Gated(GenServer):
    """Starts when its gate opens."""

    def __init__(self, gate: asyncio.Future[None], begun: asyncio.Event) -> None:
        self.gate, self.begun = gate, begun

    async def init(self) -> None:
        self.begun.set()
        await self.gate


class Sessions(DynamicSupervisor):
    """Has its own words for starting and ending children, as Elixir's documentation shows."""

    def init(self, limit: int) -> object:
        self.limit = limit
        self.children = "free for subclasses"
        return self.spec(max_children=limit)

    @staticmethod
    async def start_child(supervisor: Pid, tag: str) -> Pid:  # type: ignore[override]
        return await DynamicSupervisor.start_child(supervisor, Worker.child_spec(tag))

    def terminate(self, reason: object) -> None:
        raise AssertionError("not a callback of a supervisor")

    def handle_info(self, message: object) -> None:
        raise AssertionError("not a callback of a supervisor")

    def get(self) -> int:
        return self.limit


async def test_subclass_with_a_start_child_of_its_own_keeps_the_request() -> None:
    sup = await Sessions.start_link(5)

    pid = await Sessions.start_child(sup, "session")
    other = await DynamicSupervisor.start_child(sup, Worker)
    process.send(sup, "a message")

    assert await Worker.ping(pid) == "session"
    assert await dynamic_pids(sup) == {pid, other}
    await Sessions.stop(sup)
    assert not process.is_alive(pid)


async def test_attributes_that_init_sets_are_those_of_the_supervisor() -> None:
    sup = await Sessions.start_link(5)

    state = await debug.get_state(sup)

    assert (state["limit"], state["children"]) == (5, "free for subclasses")
    assert await dynamic_pids(sup) == set()
    await Sessions.stop(sup)


async def test_subclass_can_have_requests_of_its_own() -> None:
    class Counting(DynamicSupervisor):
        def init(self) -> object:
            self.asked = 0
            return self.spec()

        @call
        def count(self) -> int:
            self.asked += 1
            return self.asked

    sup = await Counting.start_link()

    assert [await Counting.count(sup), await Counting.count(sup)] == [1, 2]
    await Counting.stop(sup)


@every_kind
def test_request_of_a_supervisor_must_not_be_redefined(kind: Any, args: Any, options: Any) -> None:
    def which_children(self: object) -> None: ...

    with pytest.raises(TypeError, match="must not redefine the request 'which_children'"):
        type("Own", (kind,), {"which_children": call(which_children)})


@every_kind
def test_subclass_must_not_define_init_of_the_object(kind: Any, args: Any, options: Any) -> None:
    with pytest.raises(TypeError, match=r"must not define __init__.*; put it into init"):
        type("Own", (kind,), {"__init__": lambda self: None})

    late = dataclasses.dataclass(type("Late", (kind,), {"__annotations__": {"size": int}}))
    with pytest.raises(TypeError, match="must not define __init__"):
        late.child_spec(*args, name="late", **options)


@every_kind
@pytest.mark.parametrize("option", ["trap_exit", "strategy"])
def test_class_keywords_are_restart_and_shutdown(
    kind: Any, args: Any, options: Any, option: str
) -> None:
    with pytest.raises(TypeError, match=f"takes restart and shutdown, not {option!r}"):
        type("Own", (kind,), {}, **{option: True})


@every_kind
async def test_unknown_call_is_an_error_of_the_caller_only(
    kind: Any, args: Any, options: Any
) -> None:
    sup = await kind.start_link(*args, name="sup", **options)
    before = await kind.count_children(sup)

    with pytest.raises(TypeError, match="takes no such call"):
        await GenServer.call(sup, "request")
    with pytest.raises(TypeError, match="has no such @call method"):
        await Worker.ping(sup)

    assert await kind.count_children(sup) == before
    await kind.stop(sup)


@every_kind
async def test_supervisor_can_start_without_a_link(kind: Any, args: Any, options: Any) -> None:
    sup = await kind.start(*args, name="unlinked", **options)

    assert kind.whereis("unlinked") == sup
    assert process.info(process.current()).links == ()
    await kind.stop(sup)


async def test_child_spec_of_a_module_based_supervisor_can_be_pickled() -> None:
    spec = Sessions.child_spec(3, name="sessions")

    copied = pickle.loads(pickle.dumps(spec))

    assert copied == spec
    assert (copied.id, copied.type, copied.shutdown) == ("sessions", "supervisor", None)
    top = await DynamicSupervisor.start_link()
    pid = await DynamicSupervisor.start_child(top, copied)
    assert (await debug.get_state(pid))["limit"] == 3
    await DynamicSupervisor.stop(top)


@every_kind
def test_child_spec_of_a_plain_supervisor_can_be_pickled(
    kind: Any, args: Any, options: Any
) -> None:
    spec = kind.child_spec(*args, name="sup", **options)

    assert pickle.loads(pickle.dumps(spec)) == spec


@every_kind
def test_wrong_option_is_an_error_where_it_is_given(kind: Any, args: Any, options: Any) -> None:
    with pytest.raises(ValueError, match="max_restarts"):
        kind.child_spec(*args, name="sup", **{**options, "max_restarts": -1})
    with pytest.raises(TypeError, match="max_restart'"):
        kind.child_spec(*args, name="sup", **options, max_restart=1)


async def gated(sup: Pid) -> tuple[asyncio.Task[Pid], asyncio.Future[None]]:
    """Return a task that waits for the start of a child, and the gate of the child."""
    gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    begun = asyncio.Event()
    spec: ChildSpec = Gated.child_spec(gate, begun, name="gated")
    starting = asyncio.create_task(DynamicSupervisor.start_child(sup, spec))
    await begun.wait()
    return starting, gate


async def test_caller_hears_at_once_that_a_supervisor_was_killed_while_a_start_waits() -> None:
    async with process.attach():
        sup = await DynamicSupervisor.start()
        starting, _ = await gated(sup)

        process.exit(sup, "kill")

        with pytest.raises(ExitError) as caught:
            await starting
        assert caught.value.reason == "killed"


async def test_caller_that_is_cancelled_leaves_the_start_alone() -> None:
    async with process.attach():
        sup = await DynamicSupervisor.start_link()
        starting, gate = await gated(sup)

        starting.cancel()
        await asyncio.wait([starting])
        assert (await DynamicSupervisor.count_children(sup)).active == 0
        gate.set_result(None)
        pid = process.whereis("gated")
        assert pid is not None
        await debug.get_state(pid)  # answered once it has started

        assert await dynamic_pids(sup) == {pid}
        assert starting.cancelled()
        await DynamicSupervisor.stop(sup)


async def test_start_by_keyword_is_checked_by_the_caller() -> None:
    sup = await DynamicSupervisor.start_link()

    pid = await DynamicSupervisor.start_child(sup, spec=Worker)
    with pytest.raises(TypeError, match="a child must be a ChildSpec"):
        await DynamicSupervisor.start_child(sup, 42)
    with pytest.raises(TypeError, match="must be given by its pid"):
        await DynamicSupervisor.terminate_child(sup, "name")

    await DynamicSupervisor.terminate_child(sup, pid=pid)
    assert await dynamic_pids(sup) == set()


class Tree(Supervisor):
    """Has its own words, as `Sessions`."""

    async def init(self, *tags: str) -> object:
        self.children = tags
        await asyncio.sleep(0)
        return self.spec([Worker.child_spec(tag).replace(id=tag) for tag in tags])

    @classmethod
    async def start_link(cls, *tags: str) -> Pid:
        return await super().start_link(*tags, name="tree")

    @staticmethod
    async def start_child(tag: str) -> Pid:  # type: ignore[override]
        return await Supervisor.start_child("tree", Worker.child_spec(tag).replace(id=tag))

    def terminate(self, reason: object) -> None:
        raise AssertionError("not a callback of a supervisor")


async def test_static_supervisor_can_have_words_of_its_own() -> None:
    sup = await Tree.start_link("first", "second")

    pid = await Tree.start_child("third")

    assert [child.id for child in await Tree.which_children(sup)] == ["first", "second", "third"]
    assert (await debug.get_state("tree"))["children"] == ("first", "second")
    await Tree.stop(sup)
    assert not process.is_alive(pid)


async def test_supervisor_of_trees_starts_them_in_their_own_way() -> None:
    spec = Tree.child_spec("first")
    assert pickle.loads(pickle.dumps(spec)) == spec

    top = await Supervisor.start_link([spec])

    assert (spec.id, spec.type) == (Tree, "supervisor")
    assert [child.id for child in await Supervisor.which_children("tree")] == ["first"]
    await Supervisor.stop(top)
