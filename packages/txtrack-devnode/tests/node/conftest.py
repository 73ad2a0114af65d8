"""A running development node, and fixtures that send requests to it."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import pytest

from txtrack_devnode import Chain, DevelopmentNode

from .support import Answer, Ask, Post


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=3)) as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def ask(node: DevelopmentNode, http: aiohttp.ClientSession) -> Ask:
    """Call a method and return its result, or the error as a dict."""

    async def call(method: str, *params: object) -> Any:
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        async with http.post(node.url, data=orjson.dumps(request)) as response:
            answer = orjson.loads(await response.read())
        assert answer["jsonrpc"] == "2.0"
        assert answer["id"] == 1
        return answer["result"] if "result" in answer else answer["error"]

    return call


@pytest.fixture
def post(node: DevelopmentNode, http: aiohttp.ClientSession) -> Post:
    """Send a request unchanged and return the status, the headers and the JSON of the response."""

    async def send(requests: object) -> Answer:
        async with http.post(node.url, data=orjson.dumps(requests)) as response:
            body = await response.read()
        return Answer(response.status, response.headers, body)

    return send
