"""A service of the test's own, and what makes sources of it."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from transaction_tracker.sources.http_polling import HttpPollingSource

from .support import ScriptedService, source


@pytest.fixture
async def service() -> AsyncIterator[ScriptedService]:
    service = ScriptedService()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", service.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield service
    await runner.cleanup()


@pytest.fixture
async def make(service: ScriptedService) -> AsyncIterator[Callable[..., HttpPollingSource]]:
    made: list[HttpPollingSource] = []

    def make(**options: Any) -> HttpPollingSource:
        made.append(source(service, **options))
        return made[-1]

    yield make
    for one in made:
        await one.close()
