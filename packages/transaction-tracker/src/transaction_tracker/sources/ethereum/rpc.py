"""Protocol of a JSON-RPC client for one node or several, with its requests and results."""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from transaction_tracker.domain import BlockRef, KeptChain
from transaction_tracker.slices import Steps, run_at_once
from transaction_tracker.sources.errors import MalformedError, SourceError

# Methods about single transactions, or all receipts or logs of a block. A transaction that makes
# one node fail can make all nodes fail, so server errors and rate limits of these calls do not
# count against a node.
ABOUT_TRANSACTIONS = (
    "eth_getTransactionByHash",
    "eth_getTransactionReceipt",
    "eth_getBlockReceipts",
    "eth_getLogs",
    "eth_getCode",
    "eth_call",
    "eth_sendRawTransaction",
    "debug_traceTransaction",
    "trace_transaction",
    # Those of Bitcoin Core.
    "getrawtransaction",
    "getmempoolentry",
    "gettxout",
)

# The number of an EVM chain, or the name of a network of Bitcoin.
ChainId: TypeAlias = int | str


@dataclass(frozen=True, slots=True)
class Request:
    """Call of an RPC method.

    Attributes:
        method: Name of the RPC method.
        params: Positional parameters.
        read: Function that converts the result, or raises ``MalformedError``. An unreadable
            result counts against the provider that sent it, and another provider can be asked.
            It is not called for ``null``. For a long result, it returns ``Steps``. Default: results
            stay unchanged.
        takes_null: Whether ``null`` is a valid result. Otherwise it means that the node is behind.
    """

    method: str
    params: tuple[object, ...] = ()
    read: Callable[[Any], Any] | None = field(default=None, compare=False)
    takes_null: bool = field(default=False, compare=False)

    def result(self, raw: Any) -> Any:
        """Convert a raw result at once; see ``steps``."""
        return run_at_once(self.steps(raw))

    def steps(self, raw: Any) -> Steps[Any]:
        """Convert a raw result; return ``null`` and errors unchanged, and never raise."""
        if raw is None or self.read is None or isinstance(raw, SourceError):
            return raw
        try:
            value = self.read(raw)
            return (yield from value) if isinstance(value, Generator) else value
        except SourceError as error:
            return error
        except Exception as error:  # an error of the reader must not look like one of the caller
            return MalformedError(f"could not parse the result of {self.method}: {error!r}")


@dataclass(frozen=True, slots=True)
class Identity:
    """Identity of a node's chain.

    Attributes:
        chain_id: Chain id, for which transactions of the chain are signed (EIP-155); on Bitcoin,
            the name of the network.
        anchor: Block 0, or another early block if nodes have pruned it: two chains can share a
            chain id, but not the hash of this block. ``None`` if the node has no such block.
    """

    chain_id: ChainId
    anchor: BlockRef | None


@dataclass(frozen=True, slots=True)
class NodeResults:
    """Results of one node, without failover to another node.

    Attributes:
        node: Name of the node.
        results: Result or error of each call.
    """

    node: str
    results: Mapping[Request, Any] = field(default_factory=dict)

    def missing(self, requests: Sequence[Request]) -> list[Request]:
        """Return the calls without a result: an error, or a ``null`` that is not valid."""
        return [request for request in requests if not self._has(request)]

    def completed(self, requests: Sequence[Request], results: Sequence[Any]) -> list[Any]:
        """Return the results of all calls; ``results`` has those of the missing calls."""
        rest = iter(results)
        return [self.results[request] if self._has(request) else next(rest) for request in requests]

    def _has(self, request: Request) -> bool:
        result = self.results.get(request)
        if result is None:
            return request.takes_null and request in self.results
        return not isinstance(result, SourceError)


@dataclass(frozen=True, slots=True)
class Dissent:
    """Providers whose blocks differ from ours, and the results of all providers.

    Attributes:
        against: Names of the providers whose chain does not contain a block, by block. A block
            that no provider is against is missing.
        unanswered: Usable providers that did not respond because of a transport error, a server
            error or an unreadable result, each with that error.
        answers: Results of the additional calls, by name of the usable provider.
        leaving: Usable providers whose chains leave ours, each with the lowest height at which it
            is known to hold another block. Its head can be lower than a block of ours that its
            chain does not contain.
        dismissed: Providers that an operator has paused: their earlier objections no longer count.
        voters: Number of configured providers that no operator has paused, including those that
            are down.
        heads: Heights of the heads of the usable providers that sent one. ``heads`` and
            ``voters`` are not compared, because they are not a dissent.
    """

    against: Mapping[BlockRef, tuple[str, ...]] = field(default_factory=dict)
    unanswered: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    leaving: Mapping[str, int] = field(default_factory=dict)
    dismissed: frozenset[str] = frozenset()
    voters: int = field(default=1, compare=False)
    heads: Mapping[str, int] = field(default_factory=dict, compare=False)


class Rpc(Protocol):
    """Client of the nodes of one chain.

    Methods raise ``SourceError`` without a usable response; its class names the cause.
    """

    @property
    def requests(self) -> int:
        """Number of HTTP requests sent so far."""
        ...

    @property
    def calls_per_request(self) -> int:
        """Number of calls in the next HTTP request; 1 for a node that refuses batches."""
        ...

    @property
    def is_compared(self) -> bool:
        """Whether several nodes are configured, so that their answers can be compared."""
        ...

    @property
    def addresses(self) -> Mapping[str, str]:
        """Host and port of each node, by its name.

        Unlike the names, they do not change with the order of the nodes in the configuration. Two
        nodes whose URLs differ only in the path have the same address.
        """
        ...

    async def identity(
        self, at: int | None = None, *, expected: BlockRef | None = None
    ) -> Identity:
        """Fetch the identity of the chain from the node, at each call.

        Args:
            at: Height of the anchor. Default: block 0, or if the node has pruned it, an early
                block that the node has.
            expected: Block at that height, if known. Of several nodes, those with another block
                are refused.

        Source:
            ``eth_chainId`` and ``eth_getBlockByNumber``.
        """
        ...

    async def call(self, method: str, *params: object) -> Any:
        """Call one method at the followed node, and return its result."""

    async def seek(self, method: str, *params: object) -> Any:
        """Call one method at the healthy nodes in turn, until a node returns more than ``null``.

        For data that is the same at all nodes that have it, such as a block by its hash.

        Returns:
            The first result; ``None`` if all responses were ``null``.
        """

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Call many methods at the followed node, in as few HTTP requests as it allows.

        Returns:
            For each call its result, or its own ``SourceError``.
        """
        ...

    async def batch_without_failover(self, requests: Sequence[Request]) -> NodeResults:
        """Call many methods at the followed node, without failover to another node."""
        ...

    async def everywhere(self, requests: Sequence[Request]) -> list[list[Any]]:
        """Call many methods at every healthy node.

        Absence is a fact only at nodes whose head is high enough: add ``eth_blockNumber`` to the
        same batch.

        Returns:
            For each node the results as ``batch`` returns them; the list is never empty. If a
            healthy node fails, its error is the result of each of its calls.
        """
        ...

    async def versions(self, request: Request) -> Mapping[str, Any]:
        """Call one method at every healthy node, if there are several.

        Returns:
            Results or errors by name of the node; empty with a single node, because there is
            no other node to compare with.
        """
        ...

    async def each(self, requests: Mapping[str, Sequence[Request]]) -> Mapping[str, Sequence[Any]]:
        """Call methods at the named nodes, without failover to other nodes.

        Returns:
            Results or errors of the calls, by name of the node.
        """
        ...

    def blame(self, node: str, number: int) -> None:
        """Record that a node sent a block with a wrong parent.

        Args:
            node: Name of the node.
            number: Height of the block.
        """

    def left_out(self, node: str, number: int) -> None:
        """Record that a node sent a block without one of its transactions.

        Args:
            node: Name of the node.
            number: Height of the block.
        """

    async def elsewhere(self, requests: Sequence[Request]) -> list[Any]:
        """Call methods at the healthy nodes other than the followed node, in turn.

        Returns:
            For each request the first readable result that is not ``null``, or ``None``.
        """
        ...

    async def one_other(self, requests: Sequence[Request]) -> list[Any]:
        """Call methods at one random healthy node other than the followed node.

        For calls that are repeated often: it costs one request for any number of nodes.

        Returns:
            For each request its readable result, or ``None``.
        """
        ...

    def follows(self, chain: KeptChain) -> None:
        """Set our chain, with which nodes are compared; called after each change."""

    async def dissent(
        self,
        chain: KeptChain,
        blocks: Collection[BlockRef],
        requests: Sequence[Request] = (),
        known: NodeResults | None = None,
    ) -> Dissent:
        """Find the healthy nodes whose chains do not contain some of our blocks.

        Args:
            chain: Our chain.
            blocks: Blocks of our chain, or below its lowest kept block.
            requests: Additional calls for each node, sent in the same HTTP request.
            known: Recent results of one node; these calls are not sent to it again.
        """
        ...

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""

    def __str__(self) -> str:
        """Return the name of the client, without secrets."""
        ...
