"""What asks Ethereum nodes by JSON-RPC: one node, or several that stand in for each other."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from transaction_tracker.domain import BlockRef, Chain
from transaction_tracker.sources.errors import MalformedError, SourceError

# About single transactions, or all receipts of a block: one at which a node breaks can break all
# nodes.
ABOUT_TRANSACTIONS = (
    "eth_getTransactionByHash",
    "eth_getTransactionReceipt",
    "eth_getBlockReceipts",
    "eth_getCode",
    "eth_call",
    "debug_traceTransaction",
    "trace_transaction",
)


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a method.

    Attributes:
        method: Name of the RPC method.
        params: Its positional parameters.
        read: Converts the result, or raises ``MalformedError``. It runs where the provider that
            sent the result is known: an unreadable result counts against that provider, and
            another one can be asked. ``None`` returns results as they came. Never gets ``null``.
        takes_null: Whether ``null`` is an answer that one expects, and not a node that is behind.
    """

    method: str
    params: tuple[object, ...] = ()
    read: Callable[[Any], Any] | None = field(default=None, compare=False)
    takes_null: bool = field(default=False, compare=False)

    def result(self, raw: Any) -> Any:
        """Convert a raw result; return ``null`` and errors as they are, never raise."""
        if raw is None or self.read is None or isinstance(raw, SourceError):
            return raw
        try:
            return self.read(raw)
        except SourceError as error:
            return error
        except Exception as error:  # a reader's own fault must not look like one of the caller
            return MalformedError(f"could not parse the result of {self.method}: {error!r}")


@dataclass(frozen=True, slots=True)
class Identity:
    """Which chain a node is on.

    Attributes:
        chain_id: The number that transactions of the chain are signed for (EIP-155).
        anchor: Block 0, or another early block where nodes have pruned it: chains may share a
            number, never the hash of this block. ``None`` where the node has no such block.
    """

    chain_id: int
    anchor: BlockRef | None


@dataclass(frozen=True, slots=True)
class NodeResults:
    """What one node said, with no other node asked in its place.

    Attributes:
        node: Its name.
        results: For each call its result, or the error that it met.
    """

    node: str
    results: Mapping[Request, Any] = field(default_factory=dict)

    def missing(self, requests: Sequence[Request]) -> list[Request]:
        """Return the calls without an answer, such as an error or a ``null`` not expected."""
        return [request for request in requests if not self._has(request)]

    def completed(self, requests: Sequence[Request], results: Sequence[Any]) -> list[Any]:
        """Return the results of all calls, of which ``results`` has the missing ones."""
        rest = iter(results)
        return [self.results[request] if self._has(request) else next(rest) for request in requests]

    def _has(self, request: Request) -> bool:
        result = self.results.get(request)
        if result is None:
            return request.takes_null and request in self.results
        return not isinstance(result, SourceError)


@dataclass(frozen=True, slots=True)
class Dissent:
    """Providers that do not hold the same blocks as we do, and what all say besides.

    Attributes:
        against: For each block the names of the providers whose chain does not contain it; only
            blocks that at least one provider is against.
        unanswered: The usable providers that gave no answer because of a transport error, a
            server error or an unreadable result, each with that error.
        answers: For each usable provider, by name, the results of the calls that were sent along.
        leaving: The usable providers whose chains leave ours, each with the lowest height at
            which it is known to hold another block. Its head can be lower than a block of ours
            that its chain does not contain.
        dismissed: The providers that an operator has paused: what they said no longer counts.
        voters: Number of configured providers that no operator has paused, also if they are down.
        heads: The heights of the heads of the usable providers that showed one. Neither heads nor
            voters are compared: they are not a dissent.
    """

    against: Mapping[BlockRef, tuple[str, ...]] = field(default_factory=dict)
    unanswered: Mapping[str, str] = field(default_factory=dict)
    answers: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    leaving: Mapping[str, int] = field(default_factory=dict)
    dismissed: frozenset[str] = frozenset()
    voters: int = field(default=1, compare=False)
    heads: Mapping[str, int] = field(default_factory=dict, compare=False)


class Rpc(Protocol):
    """Asks nodes of one chain.

    Methods raise ``SourceError`` when no answer comes; its class says why.
    """

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent so far."""

    @property
    def calls_per_request(self) -> int:
        """How many calls go in one HTTP request now; 1 at a node that refuses batches."""

    @property
    def is_compared(self) -> bool:
        """Whether several nodes are configured, so that their answers can be compared."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """The host and the port of each node, by its name.

        Unlike its name, they stay the same when the list of nodes changes its order. Two nodes at
        one host and port, which differ in the path only, have the same address.
        """

    async def identity(
        self, at: int | None = None, *, expected: BlockRef | None = None
    ) -> Identity:
        """Ask which chain this is; ask the node at each call.

        Args:
            at: Height of the anchor. ``None`` takes block 0, or where the node has pruned it the
                earliest block that the node has.
            expected: The block there, where it is known. Of several nodes those that have
                another one are refused.

        Source:
            ``eth_chainId`` and ``eth_getBlockByNumber``.
        """

    async def call(self, method: str, *params: object) -> Any:
        """Call one method at the node that is followed, and return its result."""

    async def seek(self, method: str, *params: object) -> Any:
        """Call one method at each healthy node in turn until one knows more than ``null``.

        Only for what is the same wherever it is known, such as a block by its hash.

        Returns:
            The first result; ``None`` when those that answered know nothing.
        """

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        """Call many methods at the node that is followed, in as few requests as it allows.

        Returns:
            For each call its result, or the ``SourceError`` that it met alone.
        """

    async def batch_without_failover(self, requests: Sequence[Request]) -> NodeResults:
        """Call many methods at the node that is followed, and at no other one in its place."""

    async def everywhere(self, requests: Sequence[Request]) -> list[list[Any]]:
        """Call many methods at every healthy node.

        What is absent everywhere says something only about nodes whose head has come far
        enough: ask for ``eth_blockNumber`` in the same batch, last.

        Returns:
            For each node what ``batch`` gives, and never an empty list; a healthy node that
            gives no answer at all has its error in every place.
        """

    async def versions(self, request: Request) -> Mapping[str, Any]:
        """Call one method at every healthy node where there are several.

        Returns:
            By the node's name its result, or the error that it met. Nothing where there is one
            node only, which has nobody to be compared with.
        """

    async def each(self, requests: Mapping[str, Sequence[Request]]) -> Mapping[str, Sequence[Any]]:
        """Call methods at nodes by their names, with no other node asked in the place of one.

        Returns:
            By node, for each of its calls the result or the error that it met.
        """

    def blame(self, node: str, number: int) -> None:
        """Count a block that names a wrong parent against the node that sent it.

        Args:
            node: Its name.
            number: The block's height.
        """

    def left_out(self, node: str, number: int) -> None:
        """Count a block against the node that sent it without one of its transactions.

        Args:
            node: Its name.
            number: The block's height.
        """

    async def elsewhere(self, requests: Sequence[Request]) -> list[Any]:
        """Call methods at the healthy nodes other than the followed one, in turn.

        Returns:
            For each request the first readable result that is not ``null``, or ``None``.
        """

    async def one_other(self, requests: Sequence[Request]) -> list[Any]:
        """Call methods at one of the healthy nodes other than the followed one, at random.

        For what is asked again and again: it costs one request, however many nodes there are.

        Returns:
            For each request its readable result, or ``None``.
        """

    def follows(self, chain: Chain) -> None:
        """Set the chain that is followed, after each change of it: nodes are compared with it."""

    async def dissent(
        self,
        chain: Chain,
        blocks: Collection[BlockRef],
        requests: Sequence[Request] = (),
        told: NodeResults | None = None,
    ) -> Dissent:
        """Find the healthy nodes whose chains do not contain some blocks of ours.

        Args:
            chain: Our chain.
            blocks: Blocks of that chain, or below the lowest one that is kept.
            requests: Calls to send along to each of these nodes, in the same HTTP request.
            told: What one of them has answered just now, and is not asked again.
        """

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""

    def __str__(self) -> str:
        """Name who is asked, without any key."""
