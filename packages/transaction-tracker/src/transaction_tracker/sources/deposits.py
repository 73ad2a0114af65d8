"""Protocol of a chain whose blocks say which accounts they pay."""

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Protocol, TypeGuard

from transaction_tracker.domain import BlockRef, Paid
from transaction_tracker.sources.answers import FetchedBlock
from transaction_tracker.sources.protocol import ChainSource, Source


class DepositSource(ChainSource, Protocol):
    """Chain that says which accounts a block pays."""

    async def payments(
        self, blocks: Sequence[FetchedBlock], watched: Container[str], tokens: Collection[str]
    ) -> Mapping[str, Paid]:
        """Return what the transactions of some blocks pay to watched accounts.

        Payments of the coin by the transactions themselves, also by those that failed; and
        transfers of some tokens. Payments within a call, which only a trace shows, are not found.

        Args:
            blocks: The blocks.
            watched: The accounts, in canonical form.
            tokens: Contracts of the tokens.

        Returns:
            By hash of the block, what its transactions pay. Blocks without payments are missing.

        Raises:
            SourceError: The transfers of a block cannot be read from any provider.
        """
        ...

    @property
    def has_others(self) -> bool:
        """Whether several providers are configured, so that their answers can be compared."""
        ...

    async def transfers_elsewhere(
        self, blocks: Sequence[BlockRef], watched: Container[str], tokens: Collection[str]
    ) -> Mapping[BlockRef, Paid]:
        """Return what transfers of tokens in some blocks pay to watched accounts.

        Asks one provider other than the followed one.

        Args:
            blocks: The blocks.
            watched: The accounts, in canonical form.
            tokens: Contracts of the tokens.

        Returns:
            What the transactions of each block pay. Blocks that the provider does not send are
            missing.

        Raises:
            SourceError: No provider is healthy.
        """
        ...

    async def succeeded_elsewhere(
        self, failed: Mapping[BlockRef, Collection[str]]
    ) -> frozenset[str]:
        """Return which transactions succeeded, by the receipts of the other providers.

        Args:
            failed: Ids of transactions that failed by their receipts, by block.

        Raises:
            SourceError: No provider is healthy.
        """
        ...


def watches_addresses(source: Source) -> TypeGuard[DepositSource]:
    """Return whether a source says which accounts a block pays."""
    return callable(getattr(source, "payments", None))
