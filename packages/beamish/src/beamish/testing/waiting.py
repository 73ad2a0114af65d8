"""Reports of the processes and tasks of an event loop, and what each waits for."""

import asyncio
from functools import lru_cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from beamish._diagnostics.stuck import frames
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
    coroutine = task.get_coro()
    found = None
    for frame in frames(coroutine):
        if found is None or _is_own(_module(frame)):
            found = frame
    if found is None:
        return str(coroutine)
    if _module(found) == signature.__name__:  # the client function of a method
        return f"a call of {getattr(coroutine, '__qualname__', 'a method')}"
    return _line(found.f_code, found.f_lineno)


@lru_cache(maxsize=4_096)  # a simulation shows a place with each step
def _line(code: CodeType, number: int) -> str:
    return f"{code.co_qualname} ({Path(code.co_filename).name}:{number})"


@lru_cache(maxsize=4_096)
def _is_own(module: str) -> bool:
    return module.partition(".")[0] not in _BENEATH


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
    if any(frame.f_code is TaskProcess.receive.__code__ for frame in frames(task.get_coro())):
        return f"waits for a message in {place(task)}"
    return f"waits in {place(task)}"
