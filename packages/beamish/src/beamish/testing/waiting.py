"""Reports of the processes and tasks of an event loop, and what each waits for."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from beamish._runtime import one_or_many
from beamish._runtime.process import Process
from beamish._runtime.runtime import running
from beamish._runtime.tasks import TaskProcess
from beamish._server import signature
from beamish._server.process import ServerProcess
from beamish._server.reports import shown_name
from beamish._server.requests import describe

_MAX_SHOWN = 20  # processes and tasks
_BENEATH = ("asyncio", "beamish")  # packages


def who(process: Process) -> str:
    """Return a process's class, name and pid."""
    name = getattr(process, "name", None)
    shown = process.label if name is None else shown_name(name)
    return f"{process.class_name()} {'' if shown is None else f'{shown} '}{process.pid!r}"


def place(task: asyncio.Task[Any]) -> str:
    """Return the innermost place of ``task`` outside asyncio and beamish."""
    frames = list(_frames(task))
    if not frames:
        return str(task.get_coro())
    own = [frame for frame in frames if _module(frame).partition(".")[0] not in _BENEATH]
    frame = own[-1] if own else frames[0]
    if _module(frame) == signature.__name__:  # the client function of a method
        return f"a call of {getattr(task.get_coro(), '__qualname__', 'a method')}"
    return f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def report() -> str:
    """Return a list of the running event loop's processes and tasks, and what each waits for."""
    tasks = asyncio.all_tasks()
    lines = sorted(_of_task(task) for task in tasks)
    unfinished = {task for task in tasks if not task.done()}
    idle: list[str] = []
    for process in _processes():
        if process.task not in unfinished:
            (lines if _is_stuck(process) else idle).append(_of_process(process))
    return "\n".join((*_some(lines), *(["idle:", *_some(idle)] if idle else [])))


def _some(lines: list[str]) -> list[str]:
    shown = [f"  {line}" for line in lines[:_MAX_SHOWN]]
    more = len(lines) - len(shown)
    return [*shown, f"  and {more} more"] if more > 0 else shown


def _of_task(task: asyncio.Task[Any]) -> str:
    process = _process_of(task)
    if process is None:
        return f"task {task.get_name()} {_waits_for(task)}"
    what = _waits_for(task)
    if isinstance(process, ServerProcess) and process.task is task:
        return f"{_of_process(process)}, {what}"
    return f"{who(process)} {what}"


def _of_process(process: Process) -> str:
    waiting, callback = process.queue_length(), process.current_callback()
    facts = [process.status() if callback is None else f"runs {callback}"]
    if waiting:
        facts.append(f"{waiting} queued messages")
    return f"{who(process)}: {', '.join(facts)}"


def _is_stuck(process: Process) -> bool:
    return process.queue_length() > 0 or process.current_callback() is not None


def _process_of(task: asyncio.Task[Any]) -> Process | None:
    return next((process for process in _processes() if process.task is task), None)


def _processes() -> list[Process]:
    return [pid._process for pid in running().processes if pid._process is not None]


def _waits_for(task: asyncio.Task[Any]) -> str:
    future = task._fut_waiter  # type: ignore[attr-defined] # the only place that shows it
    if future is None:
        return f"is ready to run in {place(task)}"
    for process in _processes():
        if isinstance(process, ServerProcess):
            for from_ in one_or_many.items(process.callers):
                if from_.future is future:
                    request = f"{describe(*from_.request)} of {who(process)}"
                    return f"waits for the reply to {request} in {place(task)}"
    if any(frame.f_code is TaskProcess.receive.__code__ for frame in _frames(task)):
        return f"waits for a message in {place(task)}"
    return f"waits in {place(task)}"


def _frames(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yield the frames of a waiting task, the outermost first."""
    awaited: Any = task.get_coro()
    while awaited is not None:
        awaited = getattr(
            awaited, "_coroutine", awaited
        )  # of a coroutine that began outside its task
        for kind, inner in (("cr", "await"), ("gi", "yieldfrom"), ("ag", "await")):
            frame = getattr(awaited, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                awaited = getattr(awaited, f"{kind}_{inner}")
                break
        else:
            return
