"""A local API without tokens."""

from collections.abc import AsyncIterator

import pytest

from .support import Client, serving


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving() as running:
        yield running
