"""The class of a supervisor is its server: what subclasses can do with it, and what callers see.

Source: Elixir, "Module-based supervisors"; there a module defines a ``start_child`` of its own.
"""

import asyncio
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from beamish import (
    ChildSpec,
    DynamicSupervisor,
    ExitError,
    GenServer,
    Pid,
    TaskSupervisor,
    call,
    debug,
    process,
)

from .support import Worker, dynamic_pids

KINDS: dict[str, Callable[[], Any]] = {
    "DynamicSupervisor": lambda: (DynamicSupervisor, DynamicSupervisor.spec),
    "TaskSupervisor": lambda: (TaskSupervisor, TaskSupervisor.spec),
}
every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


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
def test_request_of_a_supervisor_must_not_be_redefined(kind: Any) -> None:
    base, _ = kind()

    def start_child(self: object, spec: object) -> None: ...

    with pytest.raises(TypeError, match=r"must not redefine the request 'start_child'"):
        type("Own", (base,), {"start_child": call(start_child)})


@every_kind
def test_subclass_must_not_define_init_of_the_object(kind: Any) -> None:
    base, _ = kind()

    with pytest.raises(TypeError, match=r"must not define __init__.*; put it into init"):
        type("Own", (base,), {"__init__": lambda self: None})

    late = dataclasses.dataclass(type("Late", (base,), {"__annotations__": {"size": int}}))
    with pytest.raises(TypeError, match="must not define __init__"):
        late.child_spec()


@every_kind
@pytest.mark.parametrize("option", ["trap_exit", "strategy"])
def test_class_keywords_are_restart_and_shutdown(kind: Any, option: str) -> None:
    base, _ = kind()

    with pytest.raises(TypeError, match=f"takes restart and shutdown, not {option!r}"):
        type("Own", (base,), {}, **{option: True})


@every_kind
async def test_unknown_call_is_an_error_of_the_caller_only(kind: Any) -> None:
    base, _ = kind()
    sup = await base.start_link()

    with pytest.raises(TypeError, match="takes no such call"):
        await GenServer.call(sup, "request")
    with pytest.raises(TypeError, match="has no such @call method"):
        await Worker.ping(sup)

    assert (await base.count_children(sup)).active == 0
    await base.stop(sup)


@every_kind
async def test_supervisor_can_start_without_a_link(kind: Any) -> None:
    base, _ = kind()

    sup = await base.start(name="unlinked")

    assert base.whereis("unlinked") == sup
    assert process.info(process.current()).links == ()
    await base.stop(sup)


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
def test_child_spec_of_a_plain_supervisor_can_be_pickled(kind: Any) -> None:
    base, _ = kind()
    spec = base.child_spec(name="sup", max_children=3)

    assert pickle.loads(pickle.dumps(spec)) == spec


@every_kind
def test_wrong_option_is_an_error_where_it_is_given(kind: Any) -> None:
    base, _ = kind()

    with pytest.raises(ValueError, match="max_children"):
        base.child_spec(max_children=-1)
    with pytest.raises(TypeError, match="max_child"):
        base.child_spec(max_child=1)


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
    with pytest.raises(TypeError, match="a child is a ChildSpec"):
        await DynamicSupervisor.start_child(sup, 42)
    with pytest.raises(TypeError, match="knows its children by pid"):
        await DynamicSupervisor.terminate_child(sup, "name")

    await DynamicSupervisor.terminate_child(sup, pid=pid)
    assert await dynamic_pids(sup) == set()
