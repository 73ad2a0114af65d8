"""What holds for all test runs.

``NEW_EXAMPLES=1`` makes hypothesis try other examples each time.
"""

import gc
import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import HealthCheck, settings

# Of each random test, for `make test`.
FEW_SEEDS = 3

# Its limits of time for an example would make tests depend on how fast the machine is, and new
# examples in each run would fail for a change that did not cause it.
settings.register_profile(
    "same",
    deadline=None,
    derandomize=os.environ.get("NEW_EXAMPLES", "0") in ("", "0"),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same")


def pytest_configure() -> None:
    """Stop ignoring SIGINT, as a shell makes a program do that it starts in the background.

    The programs that tests start would inherit that, and ignore the Ctrl-C that the tests send.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with the mark ``seeds(10)`` with each seed below 10; most are ``full``."""
    for mark in metafunc.definition.iter_markers("seeds"):
        metafunc.parametrize(
            "seed",
            [
                pytest.param(seed, marks=[] if seed < FEW_SEEDS else [pytest.mark.full])
                for seed in range(*mark.args)
            ],
        )


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
    their objects. The rest is collected more rarely than usual: after 10,000 new objects and not
    after 700, which takes a sixth off the processor time of the tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
