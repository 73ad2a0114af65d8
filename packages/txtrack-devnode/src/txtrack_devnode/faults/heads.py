"""Faults of the head: the node lags, is stuck or on another branch, or sends no new heads."""

from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, Self, TypeVar

from txtrack_devnode.chain import Chain, ChainError
from txtrack_devnode.faults.kind import Fault, ViewFault
from txtrack_devnode.view import ChainView, lagging_view

F = TypeVar("F", bound=Fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggingHead(ViewFault):
    """The node is ``blocks`` behind; a constant fault also delays subscriptions."""

    name: ClassVar[str] = "lagging-head"
    blocks: int = 1

    def view(self, chain: Chain, random: Random) -> ChainView:
        """Return the view of a node that lags."""
        del random
        return lagging_view(chain, self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenHead(ViewFault):
    """The node gets no block after block ``at``, also if a reorg removes that block.

    Default for ``at``: the head at the time of injection.
    """

    name: ClassVar[str] = "frozen-head"
    at: str | None = None

    def resolved(self, chain: Chain) -> Self:
        """Fill in the current head, or raise `ChainError` for an unknown block."""
        if self.at is None:
            return replace(self, at=chain.head.hash)
        if chain.block_by_hash(self.at) is None:
            raise ChainError(f"{self.name}: no block has the hash {self.at}")
        return self

    def view(self, chain: Chain, random: Random) -> ChainView:
        """Return the view of a node whose head is the block."""
        del random
        block = chain.block_by_hash(self.at or chain.head.hash)
        assert block is not None  # noqa: S101 - ``resolved`` checked it, and the chain keeps every block
        return ChainView(chain, block, block.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked(ViewFault):
    """The node is on a branch of its own: see `Chain.fork`.

    ``fork`` is the index of an existing branch in ``Chain.forks``; several nodes can share it.
    Otherwise a new branch starts ``depth`` blocks below the head (at most at block 0) at the time
    of injection, with ``length`` blocks. With ``grows``, the branch mines a block whenever the
    chain does. With a ``length`` of 0, the branch is only shorter than the chain.
    """

    name: ClassVar[str] = "forked"
    depth: int = 1
    length: int = 1
    grows: bool = False
    fork: int | None = None

    def resolved(self, chain: Chain) -> Self:
        """Start the branch, or raise `ChainError` if ``fork`` does not exist."""
        if self.fork is not None:
            return _check_fork(self, chain, self.fork)
        chain.fork(min(self.depth, chain.depth), length=self.length, grows=self.grows)
        return replace(self, fork=len(chain.forks) - 1)

    def view(self, chain: Chain, random: Random) -> Chain:
        """Return the branch."""
        del random
        return chain.forks[self.fork or 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetChain(ViewFault):
    """The node is on a chain with another block 0 and ``length`` blocks: see `Chain.reset`.

    ``grows`` and ``fork`` are the same as for `Forked`.
    """

    name: ClassVar[str] = "reset-chain"
    length: int = 1
    grows: bool = False
    fork: int | None = None

    def resolved(self, chain: Chain) -> Self:
        """Start the chain, or raise `ChainError` if ``fork`` does not exist."""
        if self.fork is not None:
            return _check_fork(self, chain, self.fork)
        chain.reset(self.length, grows=self.grows)
        return replace(self, fork=len(chain.forks) - 1)

    def view(self, chain: Chain, random: Random) -> Chain:
        """Return the other chain."""
        del random
        return chain.forks[self.fork or 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalanced(ViewFault):
    """The address is a load balancer over nodes that are 0 to ``blocks`` behind.

    With ``split``, the calls of one batch go to different nodes. Subscriptions are not affected.
    """

    name: ClassVar[str] = "load-balanced"
    blocks: int = 1
    split: bool = False

    @property
    def constant(self) -> bool:
        """Always false: the node that answers is random."""
        return False

    def view(self, chain: Chain, random: Random) -> Chain | ChainView:
        """Return the state of one of the nodes."""
        lag = random.randint(0, self.blocks)
        return lagging_view(chain, lag) if lag else chain


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentHeads(Fault):
    """Subscriptions to ``newHeads`` get no notifications."""

    name: ClassVar[str] = "silent-heads"
    concerned: ClassVar[frozenset[str]] = frozenset(("eth_subscribe",))


def _check_fork(fault: F, chain: Chain, number: int) -> F:
    if number >= len(chain.forks):
        raise ChainError(f"{fault.name}: no fork has the number {number}")
    return fault
