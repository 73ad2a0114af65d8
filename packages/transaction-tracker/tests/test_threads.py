"""Threads that do not hold up the exit."""

import subprocess
import sys
import threading

import pytest

from transaction_tracker.threads import DaemonThreads

PATIENCE = 30.0


def test_results_and_errors_come_back() -> None:
    threads = DaemonThreads(2, "test")

    assert threads.submit(sum, [1, 2]).result(PATIENCE) == 3
    with pytest.raises(ZeroDivisionError):
        threads.submit(lambda: 1 // 0).result(PATIENCE)
    threads.shutdown()


def test_no_more_calls_run_at_once_than_there_are_threads() -> None:
    threads, release, both_run = DaemonThreads(2, "few"), threading.Event(), threading.Barrier(3)

    def blocked() -> None:
        both_run.wait(PATIENCE)
        release.wait(PATIENCE)

    blocking = [threads.submit(blocked) for _ in range(2)]
    both_run.wait(PATIENCE)
    third = threads.submit(threading.get_ident)
    names = [one.name for one in threading.enumerate() if one.name.startswith("few")]

    assert len(names) == 2
    assert not third.running()
    release.set()
    third.result(PATIENCE)
    for future in blocking:
        future.result(PATIENCE)
    threads.shutdown()


def test_an_idle_thread_is_used_again() -> None:
    threads = DaemonThreads(4, "idle")

    used = set()
    for _ in range(20):
        used.add(threads.submit(threading.get_ident).result(PATIENCE))
        threads._idle.acquire(timeout=PATIENCE)  # until the thread is idle
        threads._idle.release()

    assert len(used) == 1
    threads.shutdown()


def test_calls_that_have_not_begun_are_cancelled() -> None:
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


def test_a_call_that_never_ends_does_not_hold_up_the_exit() -> None:
    program = """
import threading
from transaction_tracker.threads import DaemonThreads
DaemonThreads(1, "stuck").submit(threading.Event().wait)
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE)
