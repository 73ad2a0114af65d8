"""Client of nodes without a network: each node is a function of the test."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from transaction_tracker.domain import BlockRef, KeptChain
from transaction_tracker.sources import MalformedError, ServerError, SourceError
from transaction_tracker.sources.ethereum.rpc import Dissent, NodeResults, Request

# Returns the raw result of one request; an error is returned, not raised.
Node = Callable[[Request], Any]


class FakeRpc:
    """Client of the nodes of a test; the first node is followed.

    Like a pool, it fetches malformed results from the other nodes.

    Attributes:
        batches: Requests to the followed node, by HTTP request.
        others: Requests to the other nodes.
        failure: Error that ``batch`` raises, if set.
        dissenting: Result of ``dissent``.
        blamed: Nodes that sent wrong parents or incomplete blocks, with the block's number.
        max_in_flight: Maximum number of requests that were in flight at the same time.
    """

    def __init__(self, *nodes: Node, calls_per_request: int = 1_000) -> None:
        self.nodes = list(nodes)
        self.calls_per_request = calls_per_request
        self.batches: list[list[Request]] = []
        self.others: list[Request] = []
        self.failure: SourceError | None = None
        self.dissenting = Dissent()
        self.blamed: list[tuple[str, int]] = []
        self.max_in_flight = 0
        self._in_flight = 0

    def __str__(self) -> str:
        return "the nodes"

    @property
    def asked(self) -> Counter[str]:
        """Number of calls of each method at the followed node."""
        return Counter(request.method for requests in self.batches for request in requests)

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        self.batches.append(list(requests))
        self._in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)
        await asyncio.sleep(0)
        self._in_flight -= 1
        if self.failure is not None:
            raise self.failure
        return [self._repaired(request) for request in requests]

    async def elsewhere(self, requests: Sequence[Request]) -> list[Any]:
        self.others += requests
        return [self._elsewhere(request) for request in requests]

    async def one_other(self, requests: Sequence[Request]) -> list[Any]:
        return await self.elsewhere(requests)

    async def everywhere(self, requests: Sequence[Request]) -> list[list[Any]]:
        return [[request.result(node(request)) for request in requests] for node in self.nodes]

    async def versions(self, request: Request) -> Mapping[str, Any]:
        if len(self.nodes) < 2:
            return {}
        return {str(at): request.result(node(request)) for at, node in enumerate(self.nodes)}

    def blame(self, node: str, number: int) -> None:
        self.blamed.append((node, number))

    def left_out(self, node: str, number: int) -> None:
        self.blamed.append((node, number))

    @property
    def addresses(self) -> Mapping[str, str]:
        return {str(at): f"node{at}.test:80" for at in range(len(self.nodes))}

    @property
    def is_compared(self) -> bool:
        return len(self.nodes) > 1

    async def batch_without_failover(self, requests: Sequence[Request]) -> NodeResults:
        self.batches.append(list(requests))
        node = self.nodes[0]
        return NodeResults("0", {request: request.result(node(request)) for request in requests})

    async def dissent(
        self,
        chain: KeptChain,
        blocks: Collection[BlockRef],
        requests: Sequence[Request] = (),
        known: NodeResults | None = None,
    ) -> Dissent:
        against = {
            block: names for block, names in self.dissenting.against.items() if block in blocks
        }
        answers = {}
        for number, node in enumerate(self.nodes):
            is_known = known is not None and known.node == str(number)
            own = known if known is not None and is_known else NodeResults("")
            asked = own.missing(requests)
            self.others += asked if number else []
            results = [request.result(node(request)) for request in asked]
            answers[str(number)] = own.completed(requests, results)
        return replace(self.dissenting, against=against, answers=answers, voters=len(self.nodes))

    async def each(self, requests: Mapping[str, Sequence[Request]]) -> Mapping[str, Sequence[Any]]:
        self.others += [request for own in requests.values() for request in own]
        return {
            name: [request.result(self.nodes[int(name)](request)) for request in own]
            for name, own in requests.items()
        }

    def _repaired(self, request: Request) -> Any:
        result = request.result(self.nodes[0](request))
        if not isinstance(result, MalformedError | ServerError):
            return result
        better = self._elsewhere(request)
        return result if better is None else better

    def _elsewhere(self, request: Request) -> Any:
        for node in self.nodes[1:]:
            result = request.result(node(request))
            if result is not None and not isinstance(result, SourceError):
                return result
        return None


def hash_at(number: int, branch: int = 0) -> str:
    """Return the hash of a block."""
    return f"0x{branch:032x}{number + 1:032x}"


def tx_hash(number: int) -> str:
    """Return the hash of a transaction."""
    return f"0x{0x7:032x}{number:032x}"


def transaction(key: str, nonce: int = 0) -> dict[str, Any]:
    """Return a payment as a node sends it."""
    alice = "0x" + "a" * 40
    fields = {"hash": key, "from": alice, "to": alice, "value": "0x0", "input": "0x"}
    return fields | {"nonce": hex(nonce)}


def raw_block(number: int, *body: Any, parent: str | None = None, branch: int = 0) -> Any:
    """Return a block as a node sends it."""
    return {
        "number": hex(number),
        "hash": hash_at(number, branch),
        "parentHash": hash_at(number - 1, branch) if parent is None else parent,
        "transactions": list(body),
    }


def receipt(key: str, number: int = 10, **changes: object) -> dict[str, Any]:
    """Return a receipt as a node sends it."""
    place = {"blockNumber": hex(number), "blockHash": hash_at(number)}
    fields = {"transactionHash": key, "status": "0x1", "gasUsed": "0x1"}
    return place | fields | {"effectiveGasPrice": "0x1"} | changes
