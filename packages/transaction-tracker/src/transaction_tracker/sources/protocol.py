"""Protocols of sources, and the facts that they return; decisions are made elsewhere."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeGuard

from transaction_tracker.domain import (
    Absent,
    BlockRef,
    Included,
    KeptChain,
    Link,
    Outcome,
    Rejected,
    Reported,
    Required,
    Seen,
    StandingObjection,
    Tag,
    TokenUnit,
    Tracked,
    Transaction,
)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """All providers that were asked send malformed or contradictory data about a transaction.

    Attributes:
        why: Provider, field and problem.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """All providers that were asked refuse the requests about a transaction.

    Attributes:
        why: Provider and error.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Unused:
    """No block of the source has a transaction in the slot that was asked about."""


# Fact about one transaction.
Answer = Seen | Included | Absent | Rejected | Reported | Unreadable | Unanswered | Unused


@dataclass(frozen=True, slots=True)
class Consensus:
    """Common answer of all healthy providers about a transaction.

    Attributes:
        kind: ``"unmined"``: no provider has it in a block; ``"absent"``: no provider knows it, and
            its slots are free; ``"nonce-used"``: no provider knows it, and its slot is used;
            ``"conflicted"``: no provider knows it, and an output that it spends is spent or does
            not exist; ``"refused"``: no provider has it in a block, and it is signed for another
            chain; ``"open"``: the providers do not agree.
        providers: Number of providers that were asked.
        reason: Why the providers do not agree.
    """

    kind: Literal["unmined", "absent", "nonce-used", "conflicted", "refused", "open"]
    providers: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ending:
    """End of a transaction that is about to be reported.

    Attributes:
        block: Block that decides the end.
        succeeded: Whether the transaction succeeded in that block; ``None`` if it was superseded.
        winner: Transaction that superseded it.
        slots: Slots of the transaction, of which the winner took at least one.
        confirmed_by: Kept block that is the last required confirmation; ``None`` if a tag confirms
            the end, or if that block is no longer kept.
        tag: Tag (safe or finalized) that confirms the end, if the transaction requires one.
        outcome: Outcome that is reported with the end; ``None`` if it was superseded.
        content: What the transaction does, as reported with the end.
        hash: Id of the transaction at the source, if it is tracked by its slot.
    """

    block: BlockRef
    succeeded: bool | None
    winner: str | None = None
    slots: tuple[str, ...] = ()
    confirmed_by: BlockRef | None = None
    tag: Tag | None = None
    outcome: Outcome | None = None
    content: str | None = None
    hash: str | None = None


@dataclass(frozen=True, slots=True)
class Contained:
    """Which blocks below the kept blocks are on our chain.

    Only providers whose chains contain our tip count.

    Attributes:
        proven: Blocks that are on our chain. They are linked to our lowest kept block by their
            hashes, or, if they are too far below it, most providers have them, at least two.
        unconfirmed: Blocks that only one provider has.
        denied: Blocks that are not proven, and in whose place a provider has another block.
        linking: Blocks that the links have not reached yet: the next call continues.
    """

    proven: frozenset[BlockRef] = frozenset()
    unconfirmed: frozenset[BlockRef] = frozenset()
    denied: frozenset[BlockRef] = frozenset()
    linking: frozenset[BlockRef] = frozenset()


@dataclass(frozen=True, slots=True)
class Objection:
    """Why an end cannot be reported now.

    Attributes:
        reason: Provider and its statement.
        contradicts: Whether a provider contradicts the end. Otherwise a provider has not agreed
            yet, and is asked again.
        outcome: Outcome in most providers' receipts, if it contradicts the end.
        transaction: The transaction as most providers have it, if it contradicts the end.
        passes: Whether the cause looks like a reorganisation that has not reached all providers
            yet. Such an objection is reported once it lasts.
        providers: Names of the providers that contradict the end.
    """

    reason: str
    contradicts: bool
    outcome: Outcome | None = None
    transaction: Transaction | None = None
    passes: bool = False
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Head:
    """Newest block of the chain, without its transactions.

    Attributes:
        link: The block and its parent.
        marks: The safe and the finalized block, if the chain has these tags.
    """

    link: Link
    marks: Mapping[Tag, BlockRef] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FetchedBlock:
    """Block with its transactions.

    Attributes:
        link: The block and its parent.
        ids: Transaction ids, with their positions in ``body``.
        slots: Slots that its transactions took, with the id of the transaction that took each.
        body: Transactions as the source sent them; only the source reads them.
        unreadable: Number of transactions with an unreadable part.
        hashes_only: Whether ``body`` has hashes in place of transactions: their slots are unknown.
        time: Time of the block in Unix seconds, if it is readable.
        bloom: Filter of the addresses and topics of its logs, of 256 bytes; ``None`` if the source
            did not send a readable one.
    """

    link: Link
    ids: Mapping[str, int]
    slots: Mapping[str, str]
    body: Any
    unreadable: int = 0
    hashes_only: bool = False
    time: int | None = None
    bloom: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """Answers of the providers to a transaction that was sent to them.

    Attributes:
        accepted: Number of providers that have it now.
        providers: Number of providers that were asked.
    """

    accepted: int
    providers: int


@dataclass(frozen=True, slots=True)
class Prefetched:
    """Answers of the followed provider about a block that is about to be applied.

    Attributes:
        outcomes: Outcomes of transactions of the block. A missing outcome is fetched by
            ``ChainSource.outcomes``.
        opinion: Argument for ``objections``; only the source reads it.
    """

    outcomes: Mapping[str, Outcome | Unreadable | None] = field(default_factory=dict)
    opinion: object = None


class Source(Protocol):
    """System in which transactions exist.

    Methods that send requests raise ``SourceError`` without a usable response. Neither an error
    nor an empty response is a fact about a transaction.
    """

    @property
    def name(self) -> str:
        """Name of the source, available after ``check``; stored data belong to this name."""
        ...

    @property
    def id_pattern(self) -> str | None:
        """Regular expression of a transaction id, for people and other programs."""

    @property
    def requests(self) -> int:
        """Number of requests sent so far."""
        ...

    def identify(self, text: str) -> str:
        """Return a transaction id in canonical form, or raise ``InvalidTransactionError``."""
        ...

    async def check(self, *, again: bool = False) -> None:
        """Check that this is the expected source; with ``again`` also after a successful check."""

    async def close(self) -> None:
        """Close the connections; the next request opens them again."""


class TokenSource(Source, Protocol):
    """Source whose tokens have contracts that say how an amount is shown."""

    async def token_units(self, contracts: Sequence[str]) -> Mapping[str, TokenUnit]:
        """Ask the providers for the decimals and symbols of tokens.

        Returns:
            Units by contract, without tokens for which the providers agree on no decimals.
        """
        ...


class ChainSource(Source, Protocol):
    """Source whose transactions are in blocks."""

    @property
    def calls_per_request(self) -> int:
        """Maximum number of calls in one request now."""
        ...

    def check_required(self, required: Required) -> None:
        """Raise ``ValueError`` if the chain does not have the required tag."""

    def min_confirmations(self, tracked: Tracked) -> int:
        """Return the confirmations below which a known transaction is never final."""
        ...

    def signed(self, text: str, *, complete: bool = False) -> Transaction:
        """Return the transaction that a raw signed transaction contains.

        Args:
            text: The raw transaction.
            complete: Whether it must contain all that is needed to send it.

        Raises:
            InvalidTransactionError: It cannot be decoded, is signed for another chain, or its
                sender cannot be recovered.
        """
        ...

    async def send(self, raw: str) -> Sent:
        """Send a raw signed transaction to all healthy providers."""
        ...

    def slot_id(self, sender: str, nonce: int) -> str:
        """Return the id of whichever transaction of a sender has a nonce.

        Raises:
            InvalidTransactionError: A part is invalid, or the chain has no nonces of accounts.
        """
        ...

    def slot_of(self, transaction_id: str) -> str | None:
        """Return the slot that an id in canonical form names; ``None`` for the id of a transaction.

        The transaction is then whichever takes the slot. In place of its id, the methods take the
        slot, and answer ``Absent`` if the slot is used, and ``Unused`` if not.
        """

    def account(self, text: str) -> str:
        """Return the address of an account in canonical form, or raise ``ValueError``."""
        ...

    async def head(self, *, marks: bool = False) -> Head:
        """Fetch the newest block, with ``marks`` also the safe and finalized blocks."""
        ...

    async def block(self, ref: BlockRef) -> FetchedBlock:
        """Fetch one block with its transactions.

        Args:
            ref: The block. Its hash decides: its number is a guess on chains whose numbers can
                be without a block.
        """
        ...

    async def other_version(self, block: FetchedBlock) -> FetchedBlock | None:
        """Fetch a block from the other providers if no provider has its parent.

        Returns:
            The block with another parent; ``None`` if no provider names another parent.
        """

    async def compare_listings(self, ref: BlockRef, transaction: str) -> None:
        """Record a fault of the providers that omit a transaction of a block, if they are few."""

    async def blocks(self, numbers: range) -> list[FetchedBlock]:
        """Fetch consecutive canonical blocks by number, each the parent of the next.

        Returns:
            Blocks from the first number up to the first block that the source does not have, or
            that is not linked to the block before; possibly none.
        """
        ...

    async def contained(
        self, blocks: Collection[BlockRef], tip: BlockRef, bottom: Link
    ) -> Contained:
        """Return which of some blocks are on our chain.

        One response of one node never proves it: an address can have many nodes behind it, and
        one of these can be on another branch.

        Args:
            blocks: Blocks below the kept blocks.
            tip: Our tip. A node whose chain does not contain it does not count.
            bottom: Our lowest kept block.
        """
        ...

    async def is_contested(self, block: BlockRef) -> bool:
        """Return whether half of the healthy providers or more have ``block`` at its height.

        Only providers that send a block of that height count.
        """
        ...

    async def objection_to_undo(self, block: BlockRef) -> str | None:
        """Return why a kept block cannot be undone now; ``None`` if it can be.

        Called before a reported state changes: if a transaction has ended, if the block was
        finalized, or if the source's chain leaves ours below all kept blocks.
        """

    def transaction(self, block: FetchedBlock, transaction_id: str) -> Transaction:
        """Return a transaction of a fetched block."""
        ...

    async def outcomes(
        self, block: FetchedBlock, ids: Collection[str]
    ) -> Mapping[str, Outcome | Unreadable | None]:
        """Fetch the outcomes of transactions of a block.

        Returns:
            Outcomes by transaction id; ``None`` if no receipt has a status. A transaction is
            missing while no provider has its receipt.
        """
        ...

    async def outcomes_early(
        self, wanted: Sequence[tuple[FetchedBlock, Collection[str]]]
    ) -> Mapping[str, Mapping[str, Outcome | Unreadable | None]]:
        """Fetch outcomes in several blocks that are applied soon, in as few requests as possible.

        Returns:
            Outcomes by the hash of their block. An outcome that the first response does not
            contain is missing: ``outcomes`` fetches it.
        """
        ...

    async def look_up(
        self,
        slots: Mapping[str, tuple[str, ...]],
        height: int,
        *,
        at_once: bool = False,
        doubted: Collection[str] = (),
    ) -> Mapping[str, Answer]:
        """Look up single transactions.

        Args:
            slots: Transaction ids, with their slots, which are empty while they are unknown.
            height: A provider whose head is below this height cannot say that a transaction does
                not exist. Above it, our own blocks are known in full.
            at_once: Whether to send all calls that can be needed in one request, not step by step.
            doubted: Transactions for which another provider is asked too if the followed provider
                has them in no block.

        Returns:
            Facts by transaction id; a transaction without a fact is missing.
        """
        ...

    async def consensus(
        self, slots: Mapping[str, tuple[str, ...]], height: int
    ) -> Mapping[str, Consensus]:
        """Ask all healthy providers about each transaction, and return their common answer.

        The answer stays open if a provider does not respond, or if its head is below ``height``.
        """
        ...

    async def winner(self, slots: Collection[str], height: int) -> FetchedBlock | None:
        """Find the block at or below ``height`` that has a transaction in one of some slots.

        Returns:
            The block; ``None`` if no transaction of a block used a slot, or if that is unknown.
        """

    def follows(self, chain: KeptChain) -> None:
        """Set our chain, with which providers are compared."""

    async def prefetch(
        self,
        block: FetchedBlock,
        ids: Collection[str],
        endings: Mapping[str, Ending],
        at_once: Collection[str] = (),
    ) -> Prefetched:
        """Fetch in one request what is needed from the followed provider to apply a block.

        Args:
            block: The block.
            ids: Transactions of the block whose outcomes are needed.
            endings: Ends that are expected with this block: ``objections`` needs the provider's
                opinion on them.
            at_once: Those of ``ids`` that end with this block too, if they succeeded or reverted.
        """
        ...

    async def objections(
        self, chain: KeptChain, endings: Mapping[str, Ending], opinion: object = None
    ) -> Mapping[str, Objection]:
        """Ask the healthy providers whether they agree with ends that are about to be reported.

        Each provider that has the block agrees, contradicts, or is waited for. If several providers
        can be asked, two must agree. An objection stands while its provider does not respond.

        Args:
            chain: Our chain.
            endings: Ends by transaction id.
            opinion: The followed provider's opinion from ``prefetch`` for the block that has just
                been fetched. Calls that it answers are not sent again.

        Returns:
            Objections by transaction id, for the ends that cannot be reported now.
        """
        ...

    def standing_objections(self) -> Collection[StandingObjection]:
        """Return the objections that stand until their providers withdraw them.

        They name providers in a form that survives a restart, so that they can be stored and
        restored.
        """
        ...

    def restore_objections(self, kept: Collection[StandingObjection]) -> None:
        """Restore stored objections, except those of providers that are no longer configured."""

    def forget_objections(self, transaction: str) -> None:
        """Delete the objections to ends of a transaction that has ended or is untracked."""


def has_tokens(source: Source) -> TypeGuard[TokenSource]:
    """Return whether the tokens of a source have decimals that can be asked for."""
    return callable(getattr(source, "token_units", None))


def pays_by_outputs(source: Source) -> bool:
    """Return whether outputs pay, on a chain without accounts: then a payment names no sender."""
    return bool(getattr(source, "pays_by_outputs", False))


def has_blocks(source: Source) -> TypeGuard[ChainSource]:
    """Return whether the transactions of a source are in blocks."""
    # Not ``isinstance``: before Python 3.12 it reads every property of a protocol, and ``name``
    # raises before the first check.
    return callable(getattr(source, "head", None))
