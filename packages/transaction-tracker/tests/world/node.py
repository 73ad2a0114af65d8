"""A scripted node: answers JSON-RPC from a chain, with errors on demand."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeAlias
from unittest import mock

import aiohttp
import orjson

from transaction_tracker.sources.ethereum import http

from .chain import Block, Chain, Json

# Function of the parameters and the correct result; returns the result that the node sends.
Change: TypeAlias = Callable[[list[Any], Any], Any]


class RpcError(Exception):
    """JSON-RPC error object."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(code, message)
        self.content: Json = {"code": code, "message": message}
        if data is not None:
            self.content["data"] = data


@dataclass
class Refusal:
    """Response of a node that refuses a batch.

    Attributes:
        status: HTTP status.
        body: JSON; ``None`` for a page that is not JSON.
        limit: Maximum number of calls in a request that is accepted.
    """

    status: int = 200
    body: Any = None
    limit: int = 1


class Node:
    """Address of a scripted node.

    Attributes:
        chain: Chain of the node; it can be replaced at any time.
        height: Function that returns the height of the node's head. Default: the chain's head.
        change: Changes to the results, by method.
        tags: Heights of ``safe`` and ``finalized``; the node does not know other tags.
        refusal: Response to batches; ``None`` accepts them.
        down: Whether connections fail.
        latency: Seconds until each response.
        oldest: Height below which the node has no blocks.
        requests: Number of HTTP requests received.
        calls: Number of calls received, by method.
        sent: Raw transactions that were sent to it.
        on_send: Returns the hash of a raw transaction, or raises ``RpcError``.
    """

    def __init__(self, chain: Chain, name: str = "one") -> None:
        self.chain = chain
        self.url = f"http://{name}.test"
        self.height: Callable[[], int] | None = None
        self.change: dict[str, Change] = {}
        self.tags: dict[str, int] = {}
        self.refusal: Refusal | None = None
        self.down = False
        self.latency = 0.01
        self.oldest = 0
        self.requests = 0
        self.calls: Counter[str] = Counter()
        self.sent: list[str] = []
        self.on_send: Callable[[str], str] = _refuse_to_send

    @property
    def blocks(self) -> list[Block]:
        """The blocks that it shows, from the lowest up."""
        top = self.chain.head.number if self.height is None else self.height()
        if self.oldest == 0 and top == self.chain.head.number:
            return self.chain.blocks
        return [block for block in self.chain.blocks if self.oldest <= block.number <= top]

    def answer(self, body: bytes) -> tuple[int, bytes]:
        """Answer one HTTP request with a status and a body."""
        self.requests += 1
        asked = orjson.loads(body)
        if not isinstance(asked, list):
            return 200, orjson.dumps(self._reply(asked))
        refusal = self.refusal
        if refusal is None or len(asked) <= refusal.limit:
            return 200, orjson.dumps([self._reply(call) for call in asked])
        if refusal.body is None:
            return refusal.status, b"<html>no</html>"
        return refusal.status, orjson.dumps(refusal.body)

    def _reply(self, call: Json) -> Json:
        method, params = call["method"], list(call.get("params", []))
        self.calls[method] += 1
        reply: Json = {"jsonrpc": "2.0", "id": call["id"]}
        try:
            result = self.result(method, params)
            if method in self.change:
                result = self.change[method](params, result)
        except RpcError as error:
            return reply | {"error": error.content}
        return reply | {"result": result}

    # -- The methods

    def result(self, method: str, params: list[Any]) -> Any:
        """Return the true result of a call."""
        handler = _METHODS.get(method)
        if handler is None:
            raise RpcError(-32601, f"the method {method} does not exist/is not available")
        return handler(self, *params)

    def _block_at(self, name: str) -> Block | None:
        blocks = self.blocks
        if name in ("latest", "pending"):
            return blocks[-1]
        if name == "earliest":
            return blocks[0]
        number = self.tags.get(name) if name in ("safe", "finalized") else int(name, 16)
        if number is None or not blocks[0].number <= number <= blocks[-1].number:
            return None
        return self.chain.at(number)

    def _by_number(self, name: str, whole: bool) -> Json | None:
        return _shown(self._block_at(name), whole)

    def _by_hash(self, block_hash: str, whole: bool) -> Json | None:
        found = (block for block in reversed(self.blocks) if block.hash == block_hash)
        return _shown(next(found, None), whole)

    def _find(self, key: str) -> tuple[Block, int] | None:
        for block in reversed(self.blocks):
            for index, item in enumerate(block.transactions):
                if item["hash"] == key:
                    return block, index
        return None

    def _transaction(self, key: str) -> Json | None:
        found = self._find(key)
        if found is not None:
            return found[0].transactions[found[1]]
        waiting = self.chain.pool.get(key)
        places = ("blockHash", "blockNumber", "transactionIndex")
        return None if waiting is None else dict.fromkeys(places) | waiting

    def _receipt(self, key: str) -> Json | None:
        found = self._find(key)
        return None if found is None else found[0].receipts[found[1]]

    def _block_receipts(self, name: str) -> list[Json] | None:
        block = self._named(name)
        return None if block is None else block.receipts

    def _logs(self, wanted: Json) -> list[Json]:
        """Return the logs of a block, by contract and by the first topic (EIP-234)."""
        block = self._named(wanted["blockHash"])
        if block is None:
            raise RpcError(-32000, "unknown block")
        (topics,) = wanted["topics"]
        return [
            {**log, "transactionHash": receipt["transactionHash"], "blockHash": block.hash}
            for receipt in block.receipts
            for log in receipt["logs"]
            if log["address"] in wanted["address"] and log["topics"][0] in topics
        ]

    def _named(self, name: Any) -> Block | None:
        """Find a block by number, tag, hash, or an object with one of these (EIP-1898)."""
        if isinstance(name, dict):
            name = name.get("blockHash") or name["blockNumber"]
        if len(name) == 66:
            return next((block for block in self.blocks if block.hash == name), None)
        return self._block_at(name)

    def _send(self, raw: str) -> str:
        self.sent.append(raw)
        return self.on_send(raw)

    def _nonce(self, sender: str, name: Any = "latest") -> str:
        block = self._named(name)
        if block is None:
            raise RpcError(-32000, "header not found")
        nonce = block.nonces.get(sender.lower(), 0)
        if name == "pending":
            while any(
                item["from"] == sender.lower() and int(item["nonce"], 16) == nonce
                for item in self.chain.pool.values()
            ):
                nonce += 1
        return hex(nonce)


def _refuse_to_send(_raw: str) -> str:
    raise RpcError(-32000, "this node takes no transactions")


def _shown(block: Block | None, whole: bool) -> Json | None:
    if block is None:
        return None
    body = block.transactions if whole else [item["hash"] for item in block.transactions]
    return {"transactions": body, **block.header}


_METHODS: dict[str, Callable[..., Any]] = {
    "eth_chainId": lambda node: hex(node.chain.id),
    "net_version": lambda node: str(node.chain.id),
    "eth_blockNumber": lambda node: hex(node.blocks[-1].number),
    "eth_getBlockByNumber": Node._by_number,
    "eth_getBlockByHash": Node._by_hash,
    "eth_getTransactionByHash": Node._transaction,
    "eth_getTransactionReceipt": Node._receipt,
    "eth_getBlockReceipts": Node._block_receipts,
    "eth_getLogs": Node._logs,
    "eth_sendRawTransaction": Node._send,
    "eth_getTransactionCount": Node._nonce,
    "eth_getCode": lambda node, address, _name="latest": node.chain.code.get(address, "0x"),
    "eth_call": lambda _node, *_params: "0x",
}


class _Content:
    def __init__(self, body: bytes) -> None:
        self._body = body

    async def iter_any(self) -> AsyncIterator[bytes]:
        yield self._body

    async def read(self, _size: int = -1) -> bytes:
        return self._body


class _Exchange:
    """Request, as ``session.post`` returns it."""

    def __init__(self, node: Node, body: bytes) -> None:
        self._node = node
        self._body = body

    async def __aenter__(self) -> "_Exchange":
        await asyncio.sleep(self._node.latency)
        if self._node.down:
            raise aiohttp.ServerDisconnectedError
        self.status, body = self._node.answer(self._body)
        self.headers: dict[str, str] = {}
        self.content = _Content(body)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing, because there is no connection to close."""


class _Session:
    """Fake of ``aiohttp.ClientSession``."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def post(self, _url: str, *, data: bytes, **_options: object) -> _Exchange:
        return _Exchange(self._node, data)

    async def close(self) -> None:
        """Do nothing, because there is no connection to close."""


@contextmanager
def network(nodes: list[Node]) -> Iterator[None]:
    """Route requests for the addresses of these nodes to the nodes."""

    def open_session(self: http.Http) -> _Session:
        url = str(self._url.reveal()).rstrip("/")
        return _Session(next(node for node in nodes if node.url == url))

    with mock.patch.object(http.Http, "_open", open_session):
        yield
