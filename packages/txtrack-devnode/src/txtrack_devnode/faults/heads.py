"""Faults of the head: the node is behind, on another branch, stands still, or tells nobody."""

from dataclasses import dataclass, replace
from random import Random
from typing import ClassVar, Self, TypeVar

from txtrack_devnode.chain import Chain, ChainError
from txtrack_devnode.faults.kind import Fault, ViewFault
from txtrack_devnode.view import ChainView, lagging_view

F = TypeVar("F", bound=Fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class LaggingHead(ViewFault):
    """All answers are those of a node ``blocks`` behind, subscriptions too while it is constant."""

    name: ClassVar[str] = "lagging-head"
    blocks: int = 1

    def view(self, chain: Chain, chance: Random) -> ChainView:
        """Stand under the head."""
        del chance
        return lagging_view(chain, self.blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenHead(ViewFault):
    """The node hears of no block after block ``at``, also when a reorg throws that one out.

    Left out, ``at`` is the head when the fault is injected.
    """

    name: ClassVar[str] = "frozen-head"
    at: str | None = None

    def settled(self, chain: Chain) -> Self:
        """Take the head of now; refuse a block that is unknown."""
        if self.at is None:
            return replace(self, at=chain.head.hash)
        if chain.block_by_hash(self.at) is None:
            raise ChainError(f"{self.name}: no block has the hash {self.at}")
        return self

    def view(self, chain: Chain, chance: Random) -> ChainView:
        """Stand at the block."""
        del chance
        block = chain.block_by_hash(self.at or chain.head.hash)
        assert block is not None  # noqa: S101 - ``settled`` has seen it, and none is forgotten
        return ChainView(chain, block, block.number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forked(ViewFault):
    """The node is on a branch of its own: see ``Chain.fork``.

    With ``fork``, it is the branch with this number in ``Chain.forks``, which other nodes can be on
    too. Left out, a new branch begins ``depth`` blocks below the head when the fault is injected
    (at block 0 if there are fewer), with ``length`` blocks; one that ``grows`` gets a block
    whenever the chain does. With a ``length`` of 0 the chain is only shorter.
    """

    name: ClassVar[str] = "forked"
    depth: int = 1
    length: int = 1
    grows: bool = False
    fork: int | None = None

    def settled(self, chain: Chain) -> Self:
        """Make the branch, or refuse one that does not exist."""
        if self.fork is not None:
            return _checked(self, chain, self.fork)
        chain.fork(min(self.depth, chain.depth), length=self.length, grows=self.grows)
        return replace(self, fork=len(chain.forks) - 1)

    def view(self, chain: Chain, chance: Random) -> Chain:
        """Answer from the branch."""
        del chance
        return chain.forks[self.fork or 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetChain(ViewFault):
    """The node began again with another block 0, and has ``length`` blocks: see ``Chain.reset``.

    ``grows`` and ``fork`` are those of ``forked``.
    """

    name: ClassVar[str] = "reset-chain"
    length: int = 1
    grows: bool = False
    fork: int | None = None

    def settled(self, chain: Chain) -> Self:
        """Make the chain, or refuse one that does not exist."""
        if self.fork is not None:
            return _checked(self, chain, self.fork)
        chain.reset(self.length, grows=self.grows)
        return replace(self, fork=len(chain.forks) - 1)

    def view(self, chain: Chain, chance: Random) -> Chain:
        """Answer from the other chain."""
        del chance
        return chain.forks[self.fork or 0]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalanced(ViewFault):
    """Behind the address are nodes at the head and up to ``blocks`` behind: each answers some.

    With ``split``, the calls of one batch go to different nodes. Subscribers are told of the head.
    """

    name: ClassVar[str] = "load-balanced"
    blocks: int = 1
    split: bool = False

    @property
    def constant(self) -> bool:
        """No: which node answers is chance."""
        return False

    def view(self, chain: Chain, chance: Random) -> Chain | ChainView:
        """Answer from one of the nodes."""
        late = chance.randint(0, self.blocks)
        return lagging_view(chain, late) if late else chain


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentHeads(Fault):
    """Subscriptions to ``newHeads`` get nothing, all else is well."""

    name: ClassVar[str] = "silent-heads"
    concerned: ClassVar[frozenset[str]] = frozenset(("eth_subscribe",))


def _checked(fault: F, chain: Chain, number: int) -> F:
    if number >= len(chain.forks):
        raise ChainError(f"{fault.name}: no fork has the number {number}")
    return fault
