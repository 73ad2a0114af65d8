"""What holds for all test runs."""

import gc
import signal

from hypothesis import settings

# Its limit of 200 ms for an example would make tests depend on how fast the machine is.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_configure() -> None:
    """Stop ignoring SIGINT, as a shell makes a program do that it starts in the background.

    The programs that tests start would inherit that, and ignore the Ctrl-C that the tests send.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Exclude the collected tests and their modules from later garbage collections.

    They live until the end of the run, and a test that collects garbage would visit a million of
    their objects.
    """
    gc.collect()
    gc.freeze()
