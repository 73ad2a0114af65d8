"""The commands ``shell`` and ``tree``: run an application and inspect it.

When not to use it: to run an application as a service; use ``beamish.run``.
"""

import asyncio
import platform
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TypeAlias

from beamish import process
from beamish.errors import ExitError, StartError
from beamish.shell.evaluator import Evaluator
from beamish.shell.names import names_for
from beamish.shell.prompt import Prompt
from beamish.shell.target import Target, TargetError, load, own_traceback
from beamish.shell.terminal import Terminal
from beamish.shell.tree import look, render

Status: TypeAlias = int | str | None
"""An argument of ``sys.exit``."""

_ENDING = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


def tree(target: str, children: int) -> Status:
    """Start an application, print its supervision tree, and stop it.

    Args:
        target: ``module:Application``.
        children: Maximum number of children listed for each supervisor.
    """

    async def show(found: Target) -> None:
        supervisor = found.application.supervisor
        assert supervisor is not None  # noqa: S101 - it runs
        print(render(look(supervisor, children)))

    return within(target, show)


def shell(target: str, history: Path | None) -> Status:
    """Start an application and a prompt; stop the application at the end of the input.

    Args:
        target: ``module:Application``.
        history: The file for the history; ``None`` keeps no history. Input that is not typed at a
            terminal has none.

    Returns:
        The argument of ``exit()``; 0 after Ctrl-D, 1 when the application stopped by itself.
    """

    async def serve(found: Target) -> Status:
        typed = sys.stdin.isatty()
        if typed:
            print(_banner(target, found))
        names = names_for(found)
        with Terminal(history if typed else None, names) as terminal:
            prompt = Prompt(terminal, names)
            with _interrupting(prompt.evaluator):
                await prompt.serve()
            return prompt.evaluator.status

    return within(target, serve)


def _banner(target: str, found: Target) -> str:
    top, count = found.application.supervisor, len(process.processes())
    return (
        f"beamish {version('beamish')}, Python {platform.python_version()}: {target} runs under "
        f"{top}; {count} processes.\n"
        "await works here. Helpers: processes(), tree(), info(pid), pid(104). "
        "Ctrl-D stops the application and exits."
    )


@contextmanager
def _interrupting(evaluator: Evaluator) -> Iterator[None]:
    """Make SIGINT interrupt only the running input."""

    def interrupt(_: int, frame: FrameType | None) -> None:
        evaluator.interrupt(frame)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


# -- Running the application


def within(target: str, work: Callable[[Target], Awaitable[Status]]) -> Status:
    """Start an application, run ``work``, and stop the application.

    Args:
        target: ``module:Application``.
        work: What to do while it runs.

    Returns:
        The result of ``work``, or the status of the error, which is printed.
    """
    try:
        found = load(target)
    except TargetError as error:
        return fail(str(error), error.__cause__, 2)
    try:
        return asyncio.run(_running(target, found, work))
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


async def _running(
    target: str, found: Target, work: Callable[[Target], Awaitable[Status]]
) -> Status:
    """Run the application, and ``work`` while it runs."""
    started = False
    with _ending() as ended:
        try:
            async with found.application:
                started = True
                return await work(found)
        except asyncio.CancelledError:
            if not ended:
                raise
            return 0
        except ExitError as error:
            if not started:
                return fail(f"{target} did not start: {error}", error.__cause__, 1)
            return fail(f"{target} stopped: {error}", None, 1)
        except StartError as error:
            return fail(f"{target} did not start: {error}", error.__cause__, 1)
        except Exception as error:  # from the application's own methods
            when = "failed" if started else "did not start"
            return fail(f"{target} {when}: {error!r}", error, 1)


@contextmanager
def _ending() -> Iterator[list[int]]:
    """Stop the application in order on SIGTERM and SIGHUP.

    A second signal ends the program at once, as without a handler.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    received: list[int] = []

    def end(number: int) -> None:
        received.append(number)
        loop.remove_signal_handler(number)
        assert task is not None  # noqa: S101 - the main task
        task.cancel()

    for number in _ENDING:
        loop.add_signal_handler(number, end, number)
    try:
        yield received
    finally:
        for number in _ENDING:
            loop.remove_signal_handler(number)


def fail(message: str, cause: BaseException | None, status: int) -> int:
    """Print the traceback of the application's exception, then the error in one line."""
    sys.stdout.flush()
    if cause is not None:
        print(own_traceback(cause), end="", file=sys.stderr)
    print(f"beamish: {message}", file=sys.stderr)
    return status
