"""Daemon threads that do not delay the exit of the program."""

import subprocess
import sys
import threading

import pytest

from transaction_tracker.threads import DaemonThreads

PATIENCE = 30.0


def test_future_gets_the_result_or_the_error() -> None:
    threads = DaemonThreads(2, "test")

    assert threads.submit(sum, [1, 2]).result(PATIENCE) == 3
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(PATIENCE)
    threads.shutdown()


def test_at_most_max_threads_calls_run_at_once() -> None:
    threads, release, both_run = DaemonThreads(2, "few"), threading.Event(), threading.Barrier(3)

    def blocked() -> None:
        both_run.wait(PATIENCE)
        release.wait(PATIENCE)

    blocking = [threads.submit(blocked) for _ in range(2)]
    both_run.wait(PATIENCE)
    third = threads.submit(threading.get_ident)
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("few")]

    assert len(names) == 2
    assert not third.running()
    release.set()
    third.result(PATIENCE)
    for future in blocking:
        future.result(PATIENCE)
    threads.shutdown()


def test_idle_thread_is_reused() -> None:
    threads = DaemonThreads(4, "idle")

    used = set()
    for _ in range(20):
        used.add(threads.submit(threading.get_ident).result(PATIENCE))
        threads._idle.acquire(timeout=PATIENCE)  # until the thread is idle
        threads._idle.release()

    assert len(used) == 1
    threads.shutdown()


def test_shutdown_cancels_calls_that_have_not_started() -> None:
    threads, release, runs = DaemonThreads(1, "test"), threading.Event(), threading.Event()
    first = threads.submit(lambda: (runs.set(), release.wait(PATIENCE)))
    assert runs.wait(PATIENCE)
    second = threads.submit(sum, [1])

    threads.shutdown(cancel_futures=True)

    assert second.cancelled()
    release.set()
    first.result(PATIENCE)
    with pytest.raises(RuntimeError, match="the threads test are closed"):
        threads.submit(sum, [1])


def test_call_that_never_ends_does_not_delay_the_exit() -> None:
    program = """
import threading
from transaction_tracker.threads import DaemonThreads
DaemonThreads(1, "stuck").submit(threading.Event().wait)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE)


def test_calls_wait_for_a_running_thread_if_no_further_thread_can_be_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads, release, runs = DaemonThreads(2, "test"), threading.Event(), threading.Event()
    first = threads.submit(lambda: (runs.set(), release.wait(PATIENCE)))
    assert runs.wait(PATIENCE)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        second = threads.submit(sum, [1, 2])
        with pytest.raises(RuntimeError, match="can't start"):
            DaemonThreads(2, "none").submit(sum, [1])
    third = threads.submit(sum, [3, 4])

    assert third.result(PATIENCE / 2) == 7  # by a second thread
    release.set()
    assert second.result(PATIENCE) == 3
    first.result(PATIENCE)
    threads.shutdown()
