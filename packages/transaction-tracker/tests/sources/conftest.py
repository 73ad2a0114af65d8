"""A scripted node, a development node, and clients for them."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from transaction_tracker.sources.ethereum import EthereumSource, RpcClient, SecretUrl
from txtrack_devnode import Chain, DevelopmentNode

from .support import PASSWORD, PATH, QUERY, USER, ScriptedNode


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedNode]:
    node = ScriptedNode()
    application = web.Application()
    application.router.add_post("/{path:.*}", node.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    node.url = f"http://{USER}:{PASSWORD}@127.0.0.1:{port}/v3/{PATH}?key={QUERY}"
    yield node
    await runner.cleanup()


@pytest.fixture
async def client(scripted: ScriptedNode) -> AsyncIterator[RpcClient]:
    client = RpcClient(SecretUrl(scripted.url), deadline=10.0, max_answer_bytes=10_000)
    yield client
    await client.close()


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=5)) as running:
        yield running


@pytest.fixture
async def source(node: DevelopmentNode) -> AsyncIterator[EthereumSource]:
    source = EthereumSource(node.url, chain_id=31337)
    await source.check()
    yield source
    await source.close()
