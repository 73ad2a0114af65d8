"""What type checkers know of tasks, agents and partitions. Checked by mypy."""

from typing import Any, assert_type

from beamish import (
    Agent,
    ChildSpec,
    Exited,
    Ok,
    PartitionSupervisor,
    Pid,
    Task,
    TaskSupervisor,
    Via,
)


async def fetch(url: str, tries: int) -> bytes:
    return b""


def length(text: str) -> int:
    return len(text)


async def tasks(pid: Pid) -> None:
    task = Task.async_(fetch, "url", 3)
    assert_type(task, Task[bytes])
    assert_type(Task.async_(length, "text"), Task[int])
    assert_type(await Task.await_(task), bytes)
    assert_type(await task.await_(timeout=None), bytes)
    assert_type(await Task.await_many([task, task], timeout=1.0), list[bytes])
    assert_type(await Task.yield_(task, timeout=0), Ok[bytes] | Exited | None)
    assert_type(await Task.shutdown(task, "brutal_kill"), Ok[bytes] | Exited | None)
    assert_type(await Task.ignore(task), Ok[bytes] | Exited | None)
    assert_type(await Task.completed(3), Task[int])
    assert_type(await Task.start(fetch, "url", 3), Pid)
    assert_type(await Task.start_link(length, "text"), Pid)
    assert_type(Task.child_spec(fetch, "url", 3), ChildSpec)
    async for answer in Task.async_stream(["text"], length, max_concurrency=3):
        assert_type(answer, Ok[Any] | Exited)


async def supervised_tasks(via: Via) -> None:
    task = TaskSupervisor.async_(via, fetch, "url", 3, shutdown=1.0)
    assert_type(task, Task[bytes])
    assert_type(TaskSupervisor.async_nolink("sup", length, "text"), Task[int])
    assert_type(await TaskSupervisor.start_child("sup", length, "text", restart="transient"), Pid)
    assert_type(await TaskSupervisor.children("sup"), list[Pid])
    assert_type(TaskSupervisor.child_spec(name="sup", max_children=3), ChildSpec)
    async for answer in TaskSupervisor.async_stream_nolink("sup", ["text"], length, ordered=False):
        assert_type(answer, Ok[Any] | Exited)


async def agents(pid: Pid) -> None:
    async def slowly(state: int) -> str:
        return str(state)

    assert_type(await Agent.start_link(dict, name="agent"), Pid)
    assert_type(await Agent.get(pid, len), int)
    assert_type(await Agent.get("agent", slowly, timeout=None), str)
    assert_type(await Agent.get_and_update(pid, lambda state: (1, state)), int)


async def partitions() -> None:
    assert_type(PartitionSupervisor.via("parts", 3), Via)
    assert_type(await PartitionSupervisor.partitions("parts"), int)
    assert_type(await PartitionSupervisor.resize("parts", 3), int)


async def wrong_types(pid: Pid) -> None:
    Task.async_(length, 3)  # type: ignore[arg-type]
    Task.async_(fetch, "url")  # type: ignore[arg-type]
    TaskSupervisor.async_(3, length, "text")  # type: ignore[call-overload]
    await Task.await_(pid)  # type: ignore[arg-type]
    await Agent.start_link(3)  # type: ignore[arg-type]
    Task.async_stream(3, length)  # type: ignore[arg-type]
    Task.async_stream([3], length)  # type: ignore[arg-type]
