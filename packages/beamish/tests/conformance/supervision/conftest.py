"""Every async test of this folder is a process, and must leave none behind."""

import asyncio
import functools
import inspect
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from beamish import process

from .support import PATIENCE, AsyncScripted, AsyncWorker, Scripted, Worker

HERE = f"{Path(__file__).parent}{os.sep}"


def as_process(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Run ``test`` as a process, then wait until what it started is gone."""

    @functools.wraps(test)
    async def run(**fixtures: Any) -> None:
        before = set(process.processes())
        async with process.attach():
            await test(**fixtures)
        await nothing_left(before)

    return run


async def nothing_left(before: set[Any]) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while set(process.processes()) - before:
                await asyncio.sleep(0)
    except TimeoutError:
        left = [process.info(pid) for pid in set(process.processes()) - before]
        pytest.fail(f"the test left processes behind: {left}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Of each folder: as text, because a path takes many times as long to compare.
    for item in items:
        if str(item.path).startswith(HERE) and inspect.iscoroutinefunction(
            getattr(item, "obj", None)
        ):
            item.obj = as_process(item.obj)  # type: ignore[attr-defined]


@pytest.fixture(params=[Worker, AsyncWorker], ids=["sync", "async"])
def worker(request: pytest.FixtureRequest) -> type[Worker]:
    """A worker whose callbacks return at once, and one whose callbacks suspend."""
    return request.param


@pytest.fixture(params=[Scripted, AsyncScripted], ids=["sync", "async"])
def scripted(request: pytest.FixtureRequest) -> type[Scripted]:
    """A worker that starts as told, with an ``init`` that returns at once or suspends."""
    return request.param
