"""Protocol of a chain whose blocks say which accounts they pay."""

from collections.abc import Collection, Container, Mapping, Sequence
from typing import Protocol, TypeGuard

from transaction_tracker.domain import Paid
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


def watches_addresses(source: Source) -> TypeGuard[DepositSource]:
    """Return whether a source says which accounts a block pays."""
    return callable(getattr(source, "payments", None))
