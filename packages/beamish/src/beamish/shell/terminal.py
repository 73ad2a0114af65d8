"""Lines of input: from a terminal with history and completion, or from a pipe.

When not to use it: for programs that are no shell.
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
from typing import Any, Self

try:
    import readline
except ImportError:  # this Python was built without it
    readline = None  # type: ignore[assignment]

try:
    import termios
except ImportError:  # no Unix
    termios = None  # type: ignore[assignment]

_HISTORY_LINES = 1000

_CTRL_C = "\x03"

# Discard the line, and send Ctrl-C itself as one: the thread that reads gets no signals.
_ON_CTRL_C = r'"\C-c": "\C-e\C-u\C-v\C-c\C-m"'


class Interrupted(Exception):  # noqa: N818 - as KeyboardInterrupt, of which it tells
    """Ctrl-C was pressed at the prompt."""


def saved_settings() -> Callable[[], None]:
    """Return a function that gives the terminal the settings it has now."""
    if termios is None or not sys.stdin.isatty():
        return lambda: None
    fd = sys.stdin.fileno()  # exit() closes sys.stdin
    settings = termios.tcgetattr(fd)
    return lambda: termios.tcsetattr(fd, termios.TCSADRAIN, settings)


class Terminal:
    """Where the shell's input comes from.

    Args:
        history: The file that keeps what was typed; ``None`` keeps nothing.
        names: What completion knows.
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
        # A daemon: nothing wakes a thread that waits for a line when the application has died.
        threading.Thread(target=self._serve, name="beamish-shell", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()
        if self.interactive and readline is not None and self._history is not None:
            with suppress(OSError):  # a home that cannot be written to
                readline.set_history_length(_HISTORY_LINES)
                readline.write_history_file(self._history)

    def _prepare(self) -> None:
        readline.set_completer(rlcompleter.Completer(self._names).complete)
        readline.parse_and_bind("tab: complete" if self._gnu else "bind ^I rl_complete")
        readline.set_auto_history(False)
        if self._gnu:
            readline.parse_and_bind(_ON_CTRL_C)
        if self._history is not None:
            with suppress(OSError):  # there is none yet
                readline.read_history_file(self._history)

    # -- In the event loop

    async def line(self, prompt: str) -> str:
        """Wait for the next line; a line that was waited for in vain before is not lost.

        Raises:
            EOFError: There are no more.
            Interrupted: Ctrl-C was pressed instead.
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
        # Not sys.stdin, whose lock would still be held when the interpreter closes it.
        with os.fdopen(os.dup(0)) as pipe:
            while True:
                prompt, future = self._requests.get()
                line = self._read(prompt) if self.interactive else pipe.readline()
                with suppress(RuntimeError):  # the loop is closed
                    self._loop.call_soon_threadsafe(future.set_result, line)

    def _read(self, prompt: str) -> str:
        """Read a line from the terminal; empty at the end, Ctrl-C itself when that is pressed."""
        try:
            with self._without_interrupt_key():
                line = input(prompt)
        except EOFError:
            return ""
        return line if line == _CTRL_C else f"{line}\n"

    @contextmanager
    def _without_interrupt_key(self) -> Iterator[None]:
        """Let Ctrl-C be a key like others while a line is read, if readline knows what to do."""
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
