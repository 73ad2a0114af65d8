"""One browser for all tests: starting it takes longer than most of them."""

from collections.abc import Iterator

import pytest

from .support import Browser, running


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with running() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser, as wide as a desk's, with nothing left of the test before."""
    chromium.resize(1440, 900)
    yield chromium
    chromium.leave()
