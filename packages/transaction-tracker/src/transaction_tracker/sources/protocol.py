"""What every source can do: tell facts. What follows from them is decided elsewhere."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeGuard

from transaction_tracker.domain import (
    Absent,
    BlockRef,
    Chain,
    Included,
    Link,
    Outcome,
    Refused,
    Reported,
    Required,
    Seen,
    StandingObjection,
    Tag,
    Transaction,
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """All providers that were asked describe a transaction in a way that cannot be right.

    Attributes:
        why: The provider, the field, and what is wrong with it.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """All providers that were asked refuse to tell of a transaction.

    Attributes:
        why: The provider and its error.
    """

    why: str


# What one source says about one transaction.
Answer = Seen | Included | Absent | Refused | Reported | Unreadable | Unanswered


@dataclass(frozen=True, slots=True)
class Consensus:
    """What all healthy providers say together about a transaction.

    Attributes:
        kind: ``"unmined"``: none has it in a block; ``"absent"``: none knows it, and its slot is
            free; ``"nonce-used"``: none knows it, and its slot is used; ``"refused"``: none has
            it in a block, and it is signed for another chain; ``"open"``: they do not agree.
        providers: How many were asked.
        reason: Why they do not agree.
    """

    kind: Literal["unmined", "absent", "nonce-used", "refused", "open"]
    providers: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """An end that is about to be told.

    Attributes:
        block: The block that decides it.
        succeeded: Whether the transaction succeeded there; ``None`` for one that was superseded.
        winner: The transaction that superseded it.
        slot: The slot that the winner took.
        confirmed_by: The kept block that is the last confirmation asked for; ``None`` where the
            chain's own word confirms, and where that block is no longer kept.
        tag: The chain's own word that confirms, where that is asked for.
    """

    block: BlockRef
    succeeded: bool | None
    winner: str | None = None
    slot: str | None = None
    confirmed_by: BlockRef | None = None
    tag: Tag | None = None


@dataclass(frozen=True, slots=True)
class Contained:
    """What providers whose chains contain our last block say of blocks below the kept ones.

    Attributes:
        proven: The blocks that are on our chain: linked to our lowest kept block by their hashes,
            or, where they are too far down for that, said to be by most providers, at least two.
        unconfirmed: The blocks of which a single provider says so.
        denied: The blocks of which a provider says otherwise, and which are not proven.
        linking: The blocks to which the links have not come yet: the next call goes on.
    """

    proven: frozenset[BlockRef] = frozenset()
    unconfirmed: frozenset[BlockRef] = frozenset()
    denied: frozenset[BlockRef] = frozenset()
    linking: frozenset[BlockRef] = frozenset()


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an end cannot be told now.

    Attributes:
        reason: The provider and what it says.
        contradicts: Whether a provider says something else; otherwise one has not agreed yet, and
            will be asked again.
        outcome: How the transaction ended by most providers' receipts, where that contradicts
            the end.
        passes: Whether it looks like a reorganisation that has not reached all providers yet. It
            is reported once it lasts.
        providers: The names of those that say something else.
    """

    reason: str
    contradicts: bool
    outcome: Outcome | None = None
    passes: bool = False
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """The highest block, without what is in it.

    Attributes:
        link: The block and its parent.
        marks: The blocks that the chain itself calls safe and finalized, where it does.
    """

    link: Link
    marks: Mapping[Tag, BlockRef] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FetchedBlock:
    """One block and what is in it.

    Attributes:
        link: The block and its parent.
        ids: The ids of its transactions, with their places in ``body``.
        slots: The slots that its transactions took, and which transaction took each.
        body: The transactions as the source wrote them; only the source reads it.
        unreadable: Number of transactions of which a part could not be read.
        hashes_only: Whether ``body`` has hashes in place of transactions, so that nothing is
            known of their slots.
    """

    link: Link
    ids: Mapping[str, int]
    slots: Mapping[str, str]
    body: Any
    unreadable: int = 0
    hashes_only: bool = False


@dataclass(frozen=True, slots=True)
class Prefetched:
    """What the followed provider said of a block before it is applied.

    Attributes:
        outcomes: How transactions of the block ended; ``outcomes`` finds out about those left out.
        opinion: For ``objections``; only the source reads it.
    """

    outcomes: Mapping[str, Outcome | Unreadable | None] = field(default_factory=dict)
    opinion: object = None


class Source(Protocol):
    """Where transactions live.

    Methods that ask the source raise ``SourceError`` when it gives no answer. No
    answer, and an answer that the source knows nothing, are no facts about a
    transaction.
    """

    @property
    def name(self) -> str:
        """What the source is called, once ``check`` has succeeded: kept data belong to it."""

    @property
    def id_pattern(self) -> str | None:
        """What an id looks like: a regular expression for people and other programs."""

    @property
    def requests(self) -> int:
        """How many requests were sent so far."""

    def identify(self, text: str) -> str:
        """Write a transaction id in its one form, or raise ``InvalidTransactionError``."""

    async def check(self, *, again: bool = False) -> None:
        """Make sure that this is the source it should be; ``again`` even if it was before."""

    async def close(self) -> None:
        """Let connections go; the next request opens them again."""


class ChainSource(Source, Protocol):
    """A source that tells what happens block by block."""

    @property
    def calls_per_request(self) -> int:
        """How many calls one request can hold now."""

    def check_required(self, required: Required) -> None:
        """Raise ``ValueError`` if the chain cannot tell what must make a state final."""

    async def head(self, *, marks: bool = False) -> Head:
        """Fetch the highest block, and the chain's own marks if they are wanted."""

    async def block(self, ref: BlockRef) -> FetchedBlock:
        """Fetch one block with its transactions.

        Args:
            ref: Its hash decides. Its number is a guess where numbers can have no block.
        """

    async def other_version(self, block: FetchedBlock) -> FetchedBlock | None:
        """Fetch a block from the other providers, whose parent no provider has.

        Returns:
            The block with another parent; ``None`` where nobody names another one.
        """

    async def compare_listings(self, ref: BlockRef, transaction: str) -> None:
        """Count a block against the providers that leave a transaction out of it, if few do."""

    async def blocks(self, numbers: range) -> list[FetchedBlock]:
        """Fetch consecutive canonical blocks by number, each the parent of the next.

        Returns:
            The blocks from the first number up, as far as the source has them and they are
            linked; it may be none.
        """

    async def contained(
        self, blocks: Collection[BlockRef], tip: BlockRef, bottom: Link
    ) -> Contained:
        """Return which of some blocks are on our chain.

        One answer of one node never proves that: one address can be many nodes, one of them on
        another branch.

        Args:
            blocks: Blocks below the kept ones.
            tip: Our last block. A node whose chain does not contain it says nothing.
            bottom: Our lowest kept block.
        """

    async def is_contested(self, block: BlockRef) -> bool:
        """Return whether as many healthy providers have ``block`` as have another one there."""

    async def objection_to_undo(self, block: BlockRef) -> str | None:
        """Return why a kept block cannot be taken back now; ``None`` if it can be.

        Asked before what was told changes: where a transaction has ended, where the chain itself
        called the block final, and where the chain parts from ours below all kept blocks.
        """

    def transaction(self, block: FetchedBlock, transaction_id: str) -> Transaction:
        """Describe a transaction of a fetched block."""

    async def outcomes(
        self, block: FetchedBlock, ids: Collection[str]
    ) -> Mapping[str, Outcome | Unreadable | None]:
        """Fetch how these transactions of the block ended.

        Returns:
            An outcome each; ``None`` where no receipt has a status. A transaction is left out
            while no provider has its receipt.
        """

    async def outcomes_early(
        self, wanted: Sequence[tuple[FetchedBlock, Collection[str]]]
    ) -> Mapping[str, Mapping[str, Outcome | Unreadable | None]]:
        """Fetch outcomes in several blocks that are applied soon, in as few requests as possible.

        Returns:
            Outcomes by the hash of their block. What the first answer does not tell is left out:
            ``outcomes`` finds out why.
        """

    async def look_up(
        self,
        slots: Mapping[str, str | None],
        height: int,
        *,
        at_once: bool = False,
        doubted: Collection[str] = (),
    ) -> Mapping[str, Answer]:
        """Fetch what is known of single transactions.

        Args:
            slots: The transactions, with their slots where these are known.
            height: A source below it cannot say that there is none. Above it our own blocks are
                known in full.
            at_once: In one request, with all that might be needed, and not step by step.
            doubted: Those of which it is not enough that the followed provider has them in no
                block: one of the others is asked too.

        Returns:
            The answers that are facts; a transaction without one is left out.
        """

    async def consensus(
        self, slots: Mapping[str, str | None], height: int
    ) -> Mapping[str, Consensus]:
        """Ask every healthy provider, and return whether all of them agree, for each transaction.

        One that gives no answer, or is below ``height``, leaves everything open.
        """

    async def winner(self, slot: str, height: int) -> FetchedBlock | None:
        """Find the block at or below ``height`` that has a transaction in ``slot``.

        Returns:
            The block; ``None`` when the slot was used by no transaction of a block, or the
            source cannot tell.
        """

    def follows(self, chain: Chain) -> None:
        """Note our chain: providers are compared with it."""

    async def prefetch(
        self, block: FetchedBlock, ids: Collection[str], endings: Mapping[str, Ending]
    ) -> Prefetched:
        """Fetch in one request what applying a block needs of the followed provider.

        Args:
            block: The block.
            ids: Transactions of it whose outcomes are needed.
            endings: Ends that are expected with it: ``objections`` needs the provider's opinion.
        """

    async def objections(
        self, chain: Chain, endings: Mapping[str, Ending], opinion: object = None
    ) -> Mapping[str, Objection]:
        """Ask the healthy providers whether they agree with ends that are about to be told.

        Args:
            chain: Our chain.
            endings: The transactions and their ends.
            opinion: What ``prefetch`` returned for the block that has just been fetched. As far as
                the followed provider gave its opinion there, it is not asked again.

        A provider that holds the block agrees, contradicts, or is waited for; where several can be
        asked, two must agree. An objection stands while its provider gives no answer.

        Returns:
            The transactions whose end cannot be told now, and why.
        """

    def standing_objections(self) -> Collection[StandingObjection]:
        """Return the objections that stand until their providers say otherwise.

        They name the providers in a form that outlives the program, to be kept and restored.
        """

    def restore_objections(self, kept: Collection[StandingObjection]) -> None:
        """Let objections stand that were kept; those of providers that are gone are left out."""

    def forget_objections(self, transaction: str) -> None:
        """Forget the objections to ends of a transaction: it has ended, or is untracked."""


def has_blocks(source: Source) -> TypeGuard[ChainSource]:
    """Say whether a source tells what happens block by block."""
    # Not by isinstance: before Python 3.12 that reads every property of a protocol, and a
    # source has no name before it has been asked.
    return callable(getattr(source, "head", None))
