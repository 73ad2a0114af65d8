"""SIGINT and SIGTERM of the main program: the first stops it, the second kills its processes.

An event loop handles a signal in its next iteration, which a blocking callback delays. So each
signal has two handlers. The handler of the event loop acts on the signal. The other one, which
Python runs between two bytecodes even while a callback blocks, raises `KeyboardInterrupt` in that
callback if the event loop has not handled the previous signal yet. After the first signal, that is
the previous one only if it came while the same callback blocked. So a later signal also starts a
timer in a thread, which interrupts the callback if the loop has not handled that signal in time.
"""

import asyncio
import logging
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any, Self

from beamish import process
from beamish._runtime.runtime import running

_log = logging.getLogger("beamish")

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

INTERRUPT_SECONDS = 1.0
"""Seconds that the event loop has to handle a second signal, before a callback is interrupted."""


class Signals:
    """The signals of one main task, from `listen` to the end of the ``with`` block.

    A signal that was ignored when the program started stays ignored: a shell starts background
    programs that way, so that a Ctrl-C for another program does not stop them.

    Attributes:
        received: The signals that the event loop has handled.
        waiting: Whether a signal has arrived that the event loop has not handled yet.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self.waiting = False
        self._before: dict[int, Any] = {}
        self._timer: threading.Timer | None = None
        self._interrupts = 0  # signals that the timer has sent and the event loop will see
        self._loop_handles = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[Any] | None = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in _SIGNALS}
            self._before = {n: old for n, old in handlers.items() if old != signal.SIG_IGN}
        return self

    @property
    def pending(self) -> bool:
        """Whether the event loop has signals to handle."""
        return self.waiting or self._interrupts > 0

    def listen(self) -> None:
        """Handle the signals for the current task, the main task of the running event loop."""
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        for number in self._before:
            try:
                self._loop.add_signal_handler(number, self._receive, number)
            except NotImplementedError:  # an event loop, or a system, without signal handling
                self._loop_handles = False
            # This replaces the Python handler of the loop, but the loop still gets each signal:
            # it reads signals from its wake-up pipe.
            signal.signal(number, self._arrive)

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for number, before in self._before.items():
            if self._loop is not None:
                with suppress(NotImplementedError):
                    self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL if before is None else before)

    def _arrive(self, number: int, frame: FrameType | None) -> None:
        if not self._loop_handles and self._loop is not None:
            self._loop.call_soon_threadsafe(self._receive, number)
        if self.waiting:
            raise KeyboardInterrupt
        self.waiting = True
        if self.received:
            self._start_timer(number)

    def _start_timer(self, number: int) -> None:
        self._timer = threading.Timer(INTERRUPT_SECONDS, self._interrupt, [number])
        self._timer.daemon = True
        self._timer.start()

    def _interrupt(self, number: int) -> None:
        """Send the main thread a signal, if the loop still has not handled ``number``.

        A real signal, because it also ends a system call that blocks, such as a sleep.
        """
        if self.waiting:
            self._interrupts += 1
            signal.pthread_kill(threading.main_thread().ident or 0, number)

    def _receive(self, number: int) -> None:
        self.waiting = False
        if self._interrupts:  # one of the signals on their way is not the user's
            self._interrupts -= 1
            return
        self.received.append(number)
        assert self._task is not None  # noqa: S101 - listen has been called
        match len(self.received):
            case 1:
                _log.info("%s: stopping", signal.Signals(number).name)
                self._task.cancel()
            case 2:
                _log.warning("%s again: killing all processes", signal.Signals(number).name)
                self._kill_all()
                self._task.cancel()
            case _:  # two signals did not end the program: let the system's default handler do so
                signal.signal(number, signal.SIG_DFL)
                signal.raise_signal(number)

    def _kill_all(self) -> None:
        running().kill_together(
            pid
            for pid in process.processes()
            if pid._process is not None and pid._process.task is not self._task
        )
