"""The commands ``top``, ``tree``, ``info`` and ``trace``, of a running program or of a copy.

When not to use it: in a program; these functions print.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from beamish._snapshots.query import MAX_ROWS
from beamish._snapshots.supervisors import node_of
from beamish.pid import Pid
from beamish.shell import command
from beamish.shell.attach import Remote, is_address, meant
from beamish.shell.command import Status
from beamish.shell.facts import process_lines, safe
from beamish.shell.source import ERRORS, Local, Source
from beamish.shell.target import Target
from beamish.shell.top import Choice
from beamish.shell.top import top as show_top
from beamish.shell.tree import render


def top(target: str, choice: Choice) -> Status:
    """Show a live table of processes.

    Args:
        target: The path of an observer's socket, its URL, or ``module:Application``.
        choice: What to show first.
    """
    return _run(target, lambda source: show_top(source, choice))


def tree(target: str, children: int) -> Status:
    """Print the supervision trees; see `top` for the target.

    Args:
        target: The program.
        children: Maximum number of children listed for each supervisor.
    """
    if not is_address(target) and not meant(target):
        return command.tree(target, children)

    async def show(source: Source) -> None:
        limit = str(max(1, min(children, MAX_ROWS)))
        for root in (await source.read("tree", limit=limit))["roots"]:
            print("\n".join(map(safe, render(node_of(root, _pid)).splitlines())))

    return _run(target, show)


def info(target: str, pid: str) -> Status:
    """Print the facts about a process; see `top` for the target.

    Args:
        target: The program.
        pid: The number in its pid, its pid, or its local name.
    """

    async def show(source: Source) -> None:
        print(process_lines(await source.read("process", pid=pid)))

    return _run(target, show)


def trace(target: str, pid: str) -> Status:
    """Print what a server does, for a minute; see `info` for the arguments."""

    async def show(source: Source) -> None:
        async for line in source.trace(pid):
            print(safe(line), flush=True)

    return _run(target, show)


def _pid(serial: int) -> Pid:
    """Return the identity of a process of another program: it only has a number."""
    pid = object.__new__(Pid)
    pid.serial, pid._runtime, pid._process = serial, None, None
    return pid


def _run(target: str, work: Callable[[Source], Awaitable[None]]) -> Status:
    if address := meant(target):
        expected = "expected the URL or the path of an observer, or module:Application"
        return command.fail(f"{expected}; got {target!r}, did you mean {address}?", None, 2)
    if is_address(target):
        try:
            return asyncio.run(_attached(target, work))
        except KeyboardInterrupt:
            return 128 + signal.SIGINT

    async def within(_: Target) -> Status:
        source = Local(target)
        try:
            return await _checked(source, work)
        finally:
            source.close()

    return command.within(target, within)


async def _attached(target: str, work: Callable[[Source], Awaitable[None]]) -> Status:
    try:
        source = Remote(target)
    except ERRORS as error:
        return command.fail(str(error), None, 2)
    return await _checked(source, work)


async def _checked(source: Source, work: Callable[[Source], Awaitable[None]]) -> Status:
    try:
        await work(source)
        sys.stdout.flush()
    except ERRORS as error:
        return command.fail(safe(error), None, 1)
    except BrokenPipeError:  # the reader of a pipe, such as ``head``, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
