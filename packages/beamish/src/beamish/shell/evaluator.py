"""The process that runs the input of a shell.

When not to use it: outside a shell. `process.spawn` runs a coroutine as a process.

Source:
    The evaluator of Elixir's ``IEx``: the shell survives crashes of its input.
"""

import asyncio
import inspect
import sys
import traceback
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

from beamish import process
from beamish.messages import Down
from beamish.pid import Ref

# The files of beamish, and of the functions that it generates.
_BEAMISH = (str(Path(__file__).parent.parent), "<beamish ")
_SHELL = str(Path(__file__).parent)


class Evaluator:
    """Runs inputs one after another in one process; each can be interrupted.

    When that process dies, because a process linked at the prompt crashed, a new process takes
    its place; the names defined at the prompt stay.

    Args:
        step: Reads an input and calls `run` with it; returns false at the end of the input.
    """

    def __init__(self, step: Callable[[], Awaitable[bool]]) -> None:
        self._step = step
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[Any] | None = None  # of the running input
        self._interrupted = False
        self.status: int | str | None = 0  # the argument of exit()

    async def serve(self) -> None:
        """Run inputs until the end of the input."""
        while True:
            pid, ref = process.spawn_monitor(self._work)
            try:
                reason = await _end_of(ref)
            finally:
                process.exit(pid, "kill")  # ignored if it is dead
            if reason == "normal":
                return
            print(f"\n** the shell's process {pid} exited, starting a new one: {reason!r}")

    async def _work(self) -> None:
        process.set_label("shell")
        while await self._step():
            pass

    # -- Running an input

    async def run(self, function: Callable[[], Any]) -> bool:
        """Call ``function``, await a coroutine that it returns, and print its exception.

        Returns:
            Whether the shell continues; false after ``exit()``.
        """
        self._interrupted = False
        self._task = task = asyncio.create_task(self._guarded(function))
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:  # an exit signal ends this process
            task.cancel()
            await asyncio.wait({task})
            raise
        finally:
            self._task = None
        return task.result()

    async def _guarded(self, function: Callable[[], Any]) -> bool:
        try:
            found = function()
            if inspect.iscoroutine(found):
                await found
        except SystemExit as error:
            self.status = error.code
            return False
        except KeyboardInterrupt:
            print("\nKeyboardInterrupt", file=sys.stderr)
        except asyncio.CancelledError as error:
            if not self._interrupted:
                show(error)
            else:
                print("\nKeyboardInterrupt", file=sys.stderr)
        except BaseException as error:  # an input must not end the application
            show(error)
        return True

    # -- Ctrl-C

    def interrupt(self, frame: FrameType | None) -> None:
        """Interrupt the running input; called by the handler of SIGINT.

        Args:
            frame: The current frame of the main thread.
        """
        task = self._task
        if task is None:
            return
        self._interrupted = True
        if asyncio.current_task(self._loop) is task and _in_input(frame):
            raise KeyboardInterrupt
        self._loop.call_soon_threadsafe(task.cancel)


async def _end_of(monitor: Ref) -> Any:
    """Wait until the monitored process ends; return its exit reason."""
    down: Down = await process.receive(match=lambda m: isinstance(m, Down) and m.ref is monitor)
    return down.reason


def _in_input(frame: FrameType | None) -> bool:
    """Return whether the running code belongs to the input and not to a server.

    A direct call runs a server on the caller's stack; the server must not be interrupted.
    """
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_SHELL):
            return True
        if path.startswith(_BEAMISH):
            return False
        frame = frame.f_back
    return False


def show(error: BaseException) -> None:
    """Print the traceback of an input without the frames of the shell."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename.startswith(_SHELL):
        frames = frames.tb_next
    sys.stdout.flush()
    print("".join(traceback.format_exception(type(error), error, frames)), end="", file=sys.stderr)
