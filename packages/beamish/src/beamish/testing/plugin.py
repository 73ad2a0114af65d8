"""The pytest plugin: fixtures ``attached``, ``start_supervised`` and ``leak_check``.

Async fixtures can run in other asyncio tasks than the test, and each async plugin runs them in its
own way. So these fixtures are plain, and their work happens around the body of the test, in its own
task, with pytest-asyncio, anyio's plugin or any other plugin that runs ``item.obj``.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Generator
from contextlib import AsyncExitStack
from inspect import iscoroutinefunction
from typing import Any, TypeAlias

import pytest

from beamish import process
from beamish.pid import Pid
from beamish.testing import supervised
from beamish.testing.supervised import StartSupervised

_EVERYWHERE = "beamish_leak_check"
_FIXTURES = ("attached", "start_supervised", "leak_check")

_Body: TypeAlias = Callable[..., Awaitable[None]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option that checks all async tests for leaked processes."""
    parser.addini(
        _EVERYWHERE,
        "whether every async test that leaks a beamish process fails, "
        "not only tests that use a fixture of beamish",
        type="bool",
        default=False,
    )


@pytest.fixture
def leak_check() -> None:
    """Fail the test if a process that it has started outlives it."""


@pytest.fixture
def attached(leak_check: None) -> Pid:
    """Make the test a process and return its pid; linked processes end with the test.

    `process.receive` receives the messages of monitors and of other processes.
    """
    return None  # type: ignore[return-value] # replaced by the pid when the body runs


@pytest.fixture
def start_supervised(leak_check: None) -> StartSupervised:
    """Return a function that starts children under a supervisor of the test."""
    return StartSupervised()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Wrap the body of the test in the work of its fixtures."""
    wanted = [name for name in _FIXTURES if name in getattr(item, "fixturenames", ())]
    if not (wanted or item.config.getini(_EVERYWHERE)) or not isinstance(item, pytest.Function):
        return (yield)
    owner, attribute = _body_of(item)
    body = getattr(owner, attribute)
    if not iscoroutinefunction(body):
        if wanted:
            pytest.fail(f"the fixture {wanted[0]} needs an async test: async def {item.name}")
        return (yield)
    __tracebackhide__ = True
    setattr(owner, attribute, _guarded(body, item, wanted))
    try:
        return (yield)
    finally:
        setattr(owner, attribute, body)


def _body_of(item: pytest.Function) -> tuple[Any, str]:
    """Return the owner and attribute of the test's body; Hypothesis runs it per example."""
    handle = getattr(item.obj, "hypothesis", None)
    return (item, "obj") if handle is None else (handle, "inner_test")


def _guarded(body: _Body, item: pytest.Function, wanted: list[str]) -> _Body:
    """Return ``body`` with the work of its fixtures and the check for leaks around it."""

    @functools.wraps(body)
    async def run(*args: Any, **fixtures: Any) -> None:
        __tracebackhide__ = True
        _check_loop()
        start: Any = item.funcargs.get("start_supervised")
        before = set(process.processes())
        try:
            async with AsyncExitStack() as stack:
                if start is not None:
                    stack.push_async_callback(start.close)
                if "attached" in wanted:
                    pid = await stack.enter_async_context(supervised.attached())
                    if "attached" in fixtures:  # not with usefixtures, which passes no argument
                        fixtures["attached"] = pid
                await body(*args, **fixtures)
        finally:
            leaked = await supervised.end_leaked(before)
        if leaked:
            pytest.fail("processes outlive the test that started them:\n  " + "\n  ".join(leaked))

    return run


def _check_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pytest.fail(
            "beamish needs asyncio, but this test runs on another event loop library; "
            "the fixture anyio_backend must return 'asyncio'"
        )
