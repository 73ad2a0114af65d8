"""The prompt of IPython, whose cells run in the application's event loop.

When not to use it: where IPython is not installed; see `beamish.shell.prompt`.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from concurrent import futures
from contextlib import suppress
from typing import Any, Self

from IPython.core.interactiveshell import ExecutionInfo, ExecutionResult
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from traitlets.config import Config

from beamish.shell.evaluator import Evaluator
from beamish.shell.terminal import saved_settings

_JOIN_SECONDS = 2.0  # how long to wait for the thread of the prompt


class _Shell(TerminalInteractiveShell):
    """IPython whose cells run elsewhere."""

    run_elsewhere: Callable[..., ExecutionResult]

    def run_cell(self, raw_cell: str, *args: Any, **options: Any) -> ExecutionResult:
        """Run a cell in the application's event loop, and wait for it."""
        return self.run_elsewhere(raw_cell, *args, **options)

    async def run_cell_here(self, raw_cell: str, *args: Any, **options: Any) -> ExecutionResult:
        """Run a cell like IPython's ``run_cell``, in the running event loop."""
        transformed, trouble = raw_cell, None
        try:
            transformed = self.transform_cell(raw_cell)  # type: ignore[no-untyped-call]
        except Exception:  # as in IPython, which shows the errors of a bad cell
            trouble = sys.exc_info()
        result = await self.run_cell_async(
            raw_cell,
            *args,
            **options,
            transformed_cell=transformed,
            preprocessing_exc_tuple=trouble,
        )
        self.events.trigger("post_execute")
        self.events.trigger("post_run_cell", result)
        return result


class _Cell:
    """A cell whose result the thread of the prompt waits for."""

    def __init__(self, shell: _Shell, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        self._shell, self._arguments, self._options = shell, arguments, options
        self.result: futures.Future[ExecutionResult] = futures.Future()

    async def run(self) -> None:
        """Run the cell and set its result."""
        self.result.set_result(await self._shell.run_cell_here(*self._arguments, **self._options))

    def ended(self) -> None:
        """Set an empty result if the cell ended without one."""
        if not self.result.done():
            self.result.set_result(_no_result(self._arguments[0]))


def _no_result(source: str) -> ExecutionResult:
    info = ExecutionInfo(source, False, False, True, None)  # type: ignore[no-untyped-call]
    return ExecutionResult(info)  # type: ignore[no-untyped-call]


class IPythonPrompt:
    """IPython in its own thread, with cells that run in the event loop.

    Args:
        names: The namespace in which cells run.
        history: Whether IPython keeps its history.
    """

    def __init__(self, names: dict[str, Any], history: bool) -> None:
        self.evaluator: Evaluator = Evaluator(self._step)
        self._config = Config()
        self._config.HistoryManager.enabled = history
        self._config.TerminalInteractiveShell.confirm_exit = False
        self._names = names
        self._loop = asyncio.get_running_loop()
        self._cells: asyncio.Queue[_Cell | None] = asyncio.Queue()
        self._shell: _Shell | None = None

    def __enter__(self) -> Self:
        self._restore = saved_settings()
        # A daemon: a prompt that cannot be ended must not keep the program alive.
        self._thread = threading.Thread(target=self._serve, name="beamish-shell", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._end_prompt()
        self._restore()

    def _end_prompt(self) -> None:
        """End the prompt, because the application stopped."""
        if self._shell is not None:
            self._shell.keep_running = False
        deadline = time.monotonic() + _JOIN_SECONDS
        while self._thread.is_alive() and time.monotonic() < deadline:
            self._interrupt_prompt()  # repeated: the thread can be about to open its next prompt
            self._thread.join(0.02)

    def _interrupt_prompt(self) -> None:
        app = getattr(getattr(self._shell, "pt_app", None), "app", None)
        if app is not None and app.loop is not None:
            with suppress(RuntimeError):  # the prompt and its loop have ended
                app.loop.call_soon_threadsafe(_end, app)

    # -- In the event loop

    async def _step(self) -> bool:
        cell = await self._cells.get()
        if cell is None:
            return False
        try:
            return await self.evaluator.run(cell.run)
        finally:
            cell.ended()

    # -- In the thread

    def _serve(self) -> None:
        try:
            self._shell = shell = _Shell.instance(config=self._config, user_ns=self._names)
            shell.run_elsewhere = self._run_cell
            cancelled = (asyncio.CancelledError,)
            shell.set_custom_exc(cancelled, _show_interrupt)  # type: ignore[no-untyped-call]
            shell.mainloop()  # type: ignore[no-untyped-call]
        finally:
            self._put(None)

    def _run_cell(self, *arguments: Any, **options: Any) -> ExecutionResult:
        assert self._shell is not None  # noqa: S101 - it calls this
        cell = _Cell(self._shell, arguments, options)
        self._put(cell)
        return cell.result.result()

    def _put(self, cell: _Cell | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: the application stopped
            self._loop.call_soon_threadsafe(self._cells.put_nowait, cell)


def _end(app: Any) -> None:
    if app.is_running and not app.is_done:
        app.exit(exception=EOFError)


def _show_interrupt(*_: object, **__: object) -> None:
    """Print that Ctrl-C cancelled a cell."""
    print("KeyboardInterrupt", file=sys.stderr)
