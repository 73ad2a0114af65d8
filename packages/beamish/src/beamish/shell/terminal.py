"""Lines of input: from a terminal with history and completion, or from a pipe.

When not to use it: outside a shell.
"""

import asyncio
import os
import queue
import rlcompleter
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self, cast

try:
    import readline
except ImportError:  # this Python was built without it
    readline = cast("Any", None)

try:
    import termios
except ImportError:  # not on Unix
    termios = cast("Any", None)

_HISTORY_LINES = 1000

_CTRL_C = "\x03"

# Replace the line by Ctrl-C itself: the reading thread receives no signals.
_ON_CTRL_C = r'"\C-c": "\C-e\C-u\C-v\C-c\C-m"'


class Interrupted(Exception):  # noqa: N818 - named like KeyboardInterrupt
    """Ctrl-C was pressed at the prompt."""


def saved_settings() -> Callable[[], None]:
    """Return a function that restores the terminal's current settings."""
    if termios is None or not sys.stdin.isatty():
        return lambda: None
    fd = sys.stdin.fileno()  # exit() closes sys.stdin
    settings = termios.tcgetattr(fd)
    return lambda: termios.tcsetattr(fd, termios.TCSADRAIN, settings)


class Terminal:
    """The source of the shell's input.

    Args:
        history: The file for the history; ``None`` keeps no history.
        names: The namespace for completion.
    """

    def __init__(self, history: Path | None, names: dict[str, Any]) -> None:
        self._history = history
        self._names = names
        self.interactive: bool = sys.stdin.isatty() and sys.stdout.isatty()
        self._gnu = readline is not None and "libedit" not in (readline.__doc__ or "")
        self._requests: queue.SimpleQueue[tuple[str, asyncio.Future[str]]] = queue.SimpleQueue()
        self._pending: asyncio.Future[str] | None = None

    def __enter__(self) -> Self:
        self._restore = saved_settings()
        if self.interactive and readline is not None:
            self._prepare()
        self._loop = asyncio.get_running_loop()
        # A daemon: nothing can wake a thread that waits for a line when the application stops.
        threading.Thread(target=self._serve, name="beamish-shell", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        if self.interactive and readline is not None and self._history is not None:
            with suppress(OSError):  # the home directory is read-only
                readline.set_history_length(_HISTORY_LINES)
                readline.write_history_file(self._history)

    def _prepare(self) -> None:
        readline.set_completer(rlcompleter.Completer(self._names).complete)
        readline.parse_and_bind("tab: complete" if self._gnu else "bind ^I rl_complete")
        readline.set_auto_history(False)
        if self._gnu:
            readline.parse_and_bind(_ON_CTRL_C)
        if self._history is not None:
            with suppress(OSError):  # the file does not exist yet
                readline.read_history_file(self._history)

    # -- In the event loop

    async def line(self, prompt: str) -> str:
        """Wait for the next line.

        A cancelled wait loses no line: the next call returns it.

        Raises:
            EOFError: The input has ended.
            Interrupted: Ctrl-C was pressed.
        """
        if self._pending is None:
            self._pending = self._loop.create_future()
            self._requests.put((prompt, self._pending))
        elif self.interactive:
            print(prompt, end="", flush=True)
        line = await asyncio.shield(self._pending)
        self._pending = None
        if line == _CTRL_C:
            raise Interrupted
        if not line:
            raise EOFError
        return line.removesuffix("\n")

    def remember(self, source: str) -> None:
        """Add an input to the history."""
        if self.interactive and readline is not None:
            for line in source.splitlines():
                if line.strip():
                    readline.add_history(line)

    # -- In the thread

    def _serve(self) -> None:
        # Not sys.stdin: this thread would hold its lock when the interpreter closes it.
        with os.fdopen(os.dup(0)) as pipe:
            while True:
                prompt, future = self._requests.get()
                line = self._read(prompt) if self.interactive else pipe.readline()
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(future.set_result, line)

    def _read(self, prompt: str) -> str:
        """Read a line from the terminal; return "" at the end, and Ctrl-C as that character."""
        try:
            with self._without_interrupt_key():
                line = input(prompt)
        except EOFError:
            return ""
        return line if line == _CTRL_C else f"{line}\n"

    @contextmanager
    def _without_interrupt_key(self) -> Iterator[None]:
        """Make Ctrl-C a normal key while a line is read, if GNU readline is there to bind it."""
        if termios is None or not self._gnu:
            yield
            return
        settings = termios.tcgetattr(0)
        settings[6][termios.VINTR] = os.fpathconf(0, "PC_VDISABLE").to_bytes(1, "little")
        termios.tcsetattr(0, termios.TCSADRAIN, settings)
        try:
            yield
        finally:
            self._restore()
