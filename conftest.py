"""What holds for all test runs."""

import signal
import sys
from pathlib import Path

import pytest

# These always run: which calls of the interpreter and of asyncio work decides about them.
UNDIVIDED = Path(__file__).parent / "packages" / "beamish"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that divides the tests among versions of Python."""
    parser.addoption(
        "--share",
        type=int,
        default=1,
        metavar="N",
        help="of the tests outside packages/beamish run each N-th; N versions of Python in a row "
        "run all of them",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Check the options, and stop ignoring SIGINT.

    A shell makes a program ignore SIGINT that it starts in the background. The programs that tests
    start would inherit that, and ignore the Ctrl-C that the tests send.
    """
    if config.getoption("share") < 1:
        raise pytest.UsageError("--share must be 1 or more")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests that ``--share`` leaves to other versions of Python."""
    share = config.getoption("share")
    divided = [item for item in items if UNDIVIDED not in item.path.parents]
    left_out = set(divided) - set(divided[sys.version_info.minor % share :: share])
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=list(left_out))
