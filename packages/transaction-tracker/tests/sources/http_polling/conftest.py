"""A scripted service, and a function that creates sources for it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from transaction_tracker.sources.http_polling import HttpPollingSource

from .support import ScriptedService, scripted, source


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    async with scripted() as service:
        yield service


@pytest.fixture
async def make(service: ScriptedService) -> AsyncIterator[Callable[..., HttpPollingSource]]:
    made: list[HttpPollingSource] = []

    def make(**options: Any) -> HttpPollingSource:
        made.append(source(service, **options))
        return made[-1]

    yield make
    for one in made:
        await one.close()
