"""The pytest plugin: fixtures ``attached``, ``start_supervised`` and ``leak_check``.

Fixtures may run in other asyncio tasks than the test that asks for them, and each async plugin
has its own way of running them. So these are plain ones: what they promise happens around the
body of the test, in its own task, under pytest-asyncio, anyio's plugin or any other that runs
``item.obj``.
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
    """Declare the option that checks all async tests for processes left behind."""
    parser.addini(
        _EVERYWHERE,
        "whether every async test fails that leaves a beamish process behind, "
        "not only those that use a fixture of beamish",
        type="bool",
        default=False,
    )


@pytest.fixture
def leak_check() -> None:
    """Fail the test if a process that it has started outlives it."""


@pytest.fixture
def attached(leak_check: None) -> Pid:
    """Make the test a process, whose pid this is; what is linked to it ends with it.

    Its mailbox is that of the test: `process.receive` takes what monitors and others send.
    """
    return None  # type: ignore[return-value] # the body of the test gets the pid itself


@pytest.fixture
def start_supervised(leak_check: None) -> StartSupervised:
    """Give a function that starts children of a supervisor that lives as long as the test."""
    return StartSupervised()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Put what the fixtures promise around the body of the test."""
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
    """Find where the body of the test hangs; with Hypothesis, it is run for each example."""
    handle = getattr(item.obj, "hypothesis", None)
    return (item, "obj") if handle is None else (handle, "inner_test")


def _guarded(body: _Body, item: pytest.Function, wanted: list[str]) -> _Body:
    """Run ``body`` as what its fixtures say, and look for what it leaves behind."""

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
                    if "attached" in fixtures:  # else it is used, but not asked for by name
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
            "beamish needs asyncio, and this test runs on something else; "
            "let the fixture anyio_backend return 'asyncio'"
        )
