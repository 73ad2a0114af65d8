"""A local API without tokens, and its OpenAPI description."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from .support import Client, serving


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with serving() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def openapi_json() -> bytes:
    """The OpenAPI description, which takes an API long to generate at its first request."""
    async with serving() as running:
        return (await running.get("/openapi.json")).body


@pytest.fixture
def described(openapi_json: bytes) -> Any:
    """A copy of the OpenAPI description."""
    return orjson.loads(openapi_json)
