"""Protocols of sources; decisions are made elsewhere."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, TypeGuard

from transaction_tracker.domain import (
    BlockRef,
    KeptChain,
    Link,
    Outcome,
    Required,
    StandingObjection,
    TokenUnit,
    Tracked,
    Transaction,
)
from transaction_tracker.sources.answers import (
    Answer,
    Consensus,
    Contained,
    Ending,
    FetchedBlock,
    Head,
    Objection,
    Prefetched,
    Sent,
    Unreadable,
)


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
