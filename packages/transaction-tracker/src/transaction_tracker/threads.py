"""Daemon threads for calls that can block forever; they do not delay the program's exit."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_Job = tuple[Future[Any], Callable[[], Any]]


class DaemonThreads(Executor):
    """Run functions in a few daemon threads.

    Differs from ``ThreadPoolExecutor``: Python joins its threads before the program exits, so a
    thread that waits for a silent server would keep the program alive after everything is closed.

    Args:
        max_threads: Number of functions that can run at the same time; further calls are queued.
        name: Prefix of the thread names.
    """

    def __init__(self, max_threads: int, name: str) -> None:
        self._max_threads = max_threads
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._lock = threading.Lock()
        self._started = 0
        self._closed = False

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Schedule a call and return the future of its result.

        Raises:
            RuntimeError: The executor was shut down, or its first thread cannot be started.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError(f"cannot run {function!r}: the threads {self._name} are closed")
            self._start_thread()
            future: Future[T] = Future()
            self._jobs.put((future, partial(function, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Reject new calls, and stop each thread once it is idle.

        Args:
            wait: Ignored: these threads exist so that nothing waits for them.
            cancel_futures: Whether to cancel the calls that have not started.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            while cancel_futures and not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job[0].cancel()
            for _ in range(self._started):
                self._jobs.put(None)

    def _start_thread(self) -> None:
        if self._idle.acquire(blocking=False) or self._started >= self._max_threads:
            return
        name = f"{self._name}_{self._started}"
        work = (self._jobs, self._idle)
        try:
            threading.Thread(target=_work, args=work, name=name, daemon=True).start()
        except RuntimeError:
            # The system's limit of threads is reached: the threads that run take this call, too.
            if not self._started:
                raise
        else:
            self._started += 1


def _work(jobs: SimpleQueue[_Job | None], idle: threading.Semaphore) -> None:
    while (job := jobs.get()) is not None:
        _run(*job)
        del job  # otherwise the last result is kept in memory until the next job arrives
        idle.release()


def _run(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = function()
    except BaseException as error:  # delivered to the reader of the future
        future.set_exception(error)
    else:
        future.set_result(result)
