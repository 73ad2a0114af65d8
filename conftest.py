"""What holds for all test runs.

``NEW_EXAMPLES=1`` makes hypothesis try other examples each time.
"""

import gc
import os
import signal
from collections.abc import Generator

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import HealthCheck, settings

# Its limits of time for an example would make tests depend on how fast the machine is, and new
# examples in each run would fail for a change that did not cause it.
settings.register_profile(
    "same",
    deadline=None,
    derandomize=os.environ.get("NEW_EXAMPLES", "0") in ("", "0"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same")


def pytest_configure(config: pytest.Config) -> None:
    """Stop ignoring SIGINT, as a shell makes a program do that it starts in the background.

    The programs that tests start would inherit that, and ignore the Ctrl-C that the tests send.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(_OneReport())


class _OneReport:
    """Makes a worker of pytest-xdist send one report of a test that passes, instead of five.

    With 15,000 tests, half of the time of the process that receives them went into the others.
    """

    @staticmethod
    def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        """Run a test; report its call, and each step that did not pass."""
        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            if report.when == "call" or not report.passed:
                item.ihook.pytest_runtest_logreport(report=report)
        return True


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected: hardly anything of them is garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Exclude the collected tests and their modules from later garbage collections.

    They live until the end of the run, and a test that collects garbage would visit a million of
    their objects.
    """
    gc.collect()
    gc.freeze()
