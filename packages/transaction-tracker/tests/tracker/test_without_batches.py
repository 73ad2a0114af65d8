"""Nodes and proxies that refuse batches."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from txtrack_devnode import Chain, DevelopmentNode

from .support import caught_up, reach, submit

Refuse = Callable[[], web.Response]


class SingleCallNode(DevelopmentNode):
    """A node that answers only single calls.

    Attributes:
        batches: The batches that it refused.
    """

    def __init__(self, refuse: Refuse, **options: Any) -> None:
        super().__init__(**options)
        self.batches = 0
        self._refuse = refuse

    async def _post(self, request: web.Request) -> web.StreamResponse:
        if isinstance(orjson.loads(await request.read()), list):
            self.batches += 1
            return self._refuse()
        return await super()._post(request)


def error(code: int, message: str) -> Refuse:
    body = {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}}
    return lambda: web.json_response(body)


@pytest.mark.parametrize(
    "refuse",
    [
        error(-32005, "Batched requests are not supported by this server"),
        error(-32603, "Internal error"),
        lambda: web.Response(status=403),
        lambda: web.Response(status=405),
    ],
    ids=["-32005", "-32603", "403", "405"],
)
async def test_node_that_refuses_batches_is_followed(settings: Settings, refuse: Refuse) -> None:
    async with SingleCallNode(refuse, chain=Chain(accounts=12)) as node:
        async with TransactionTrackerApplication(settings.replace(rpc_url=node.url)) as app:
            tx = submit(node)
            await TransactionTracker.start(tx.hash)
            await reach(tx.hash, "pending")
            await node.mine(3)
            await reach(tx.hash, "confirmed")
            await node.mine(50)
            await caught_up(app, node)

        assert node.batches < 10
