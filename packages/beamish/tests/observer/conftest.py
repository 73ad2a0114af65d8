"""What the tests of the observer share."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from beamish import Pid, Supervisor, process, telemetry
from beamish._runtime import hooks
from beamish.observer import Observer

from .support import browser_running, shop


@pytest.fixture(autouse=True)
def _nothing_is_left_attached() -> Iterator[None]:
    before = list(hooks.child_restarted)
    yield
    assert telemetry.enabled is False
    assert hooks.child_restarted == before
    assert logging.getLogger("beamish").filters == []


@pytest.fixture
async def program() -> AsyncIterator[Pid]:
    """Return the supervisor of a program with a few processes."""
    async with Supervisor.running(shop(), name="Test.Top") as pid:
        yield pid


Observe = Callable[..., Awaitable[str]]


@pytest.fixture
async def observe(program: Pid) -> AsyncIterator[Observe]:
    """Return a function that starts an observer of the program and returns its URL."""
    started: list[Pid] = []

    async def start(**options: Any) -> str:
        if "host" not in options:
            options = {"port": 0, **options}
        started.append(await Observer.start(**options))
        return await Observer.url(started[-1]) or ""

    yield start
    for pid in started:
        if process.is_alive(pid):
            await Observer.stop(pid, "shutdown")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    with browser_running() as browser:
        yield browser


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """The browser, as wide as a desk's, with nothing left of the test before."""
    chromium.resize(1280, 800)
    yield chromium
    chromium.leave()
