"""What asks Ethereum nodes by JSON-RPC: one node, or several that stand in for each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One call of a method."""

    method: str
    params: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Identity:
    """Which chain a node is on.

    Attributes:
        chain_id: The number that transactions of the chain are signed for (EIP-155).
        genesis: The hash of block 0: chains may share a number, never this.
    """

    chain_id: int
    genesis: str


class Rpc(Protocol):
    """Asks nodes of one chain.

    Methods raise ``SourceError`` when no answer comes; its class says why.
    """

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent so far."""

    async def identity(self) -> Identity:
        """Ask which chain this is, anew each time.

        Source:
            ``eth_chainId``, and ``eth_getBlockByNumber`` of block 0.
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

    async def everywhere(self, requests: Sequence[Request]) -> list[list[Any]]:
        """Call many methods at every healthy node.

        What is absent everywhere says something only about nodes whose head has come far
        enough: ask for ``eth_blockNumber`` in the same batch, last.

        Returns:
            For each node what ``batch`` gives, and never an empty list; a healthy node that
            gives no answer at all has its error in every place.
        """

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""

    def __str__(self) -> str:
        """Name who is asked, without any key."""
