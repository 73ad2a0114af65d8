"""What operators can do with one source of several, and with its providers."""

from collections.abc import Sequence

from transaction_tracker.api import Following
from transaction_tracker.domain import BlockRef, TrackerError, chain_of
from transaction_tracker.providers import Pool
from transaction_tracker.providers.status import ProviderStatus
from transaction_tracker.service.runner import SourceRunner
from transaction_tracker.service.source_tree import SourceTree


class SourceControl:
    """One source of several; implements the ``SourceAccess`` of the API.

    Args:
        tree: The source.
    """

    def __init__(self, tree: SourceTree) -> None:
        self._tree = tree

    @property
    def name(self) -> str:
        """Name of the source in the configuration."""
        return self._tree.name

    @property
    def source(self) -> str:
        """Name of the source in the database."""
        return self._tree.source.name

    @property
    def chain(self) -> str:
        """Chain id of CAIP-2 that its transaction ids can have before them."""
        return chain_of(self._tree.source.name)

    @property
    def state(self) -> str:
        """Whether its processes run."""
        return self._tree.state.name

    @property
    def open(self) -> int:
        """Number of its transactions that are not final."""
        return len(self._tree.open_transactions)

    @property
    def tip(self) -> BlockRef | None:
        """Its last applied block; ``None`` before the first."""
        return self._tree.open_transactions.tip

    def following(self) -> Following:
        """Return the progress of its follower."""
        return self._tree.following()

    def providers(self) -> Sequence[ProviderStatus]:
        """Return the status of its providers."""
        return () if self._tree.pool is None else self._tree.pool.status()

    async def pause(self) -> None:
        """Stop its processes, also after a restart of the service."""
        await SourceRunner.pause(SourceRunner.name_of(self._tree.label))

    async def resume(self) -> None:
        """Start its processes again."""
        await SourceRunner.resume(SourceRunner.name_of(self._tree.label))

    async def check(self) -> str:
        """Check it now; return what is wrong with it, or nothing."""
        if self._tree.state.name != "running":
            return self._tree.state.failure or f"the source is {self._tree.state.name}"
        pool = self._tree.pool
        try:
            if pool is None:
                await self._tree.source.check(again=True)
            problems = {} if pool is None else await pool.find_problems()
        except TrackerError as error:
            return str(error)
        if problems:
            return "; ".join(f"{name}: {text}" for name, text in problems.items())
        verdict = self._tree.following().verdict
        return "" if verdict.state == "ok" else verdict.text


class SourceProviders:
    """The providers of all sources; implements the ``ProviderControl`` of the API.

    Args:
        trees: The sources.
    """

    def __init__(self, trees: Sequence[SourceTree]) -> None:
        self._pools = [tree.pool for tree in trees if tree.pool is not None]

    def status(self) -> Sequence[ProviderStatus]:
        """Return the status of each provider, source by source."""
        return [status for pool in self._pools for status in pool.status()]

    async def pause(self, name: str) -> ProviderStatus:
        """Stop sending requests to a provider."""
        return await self._pool_of(name).pause(name)

    async def resume(self, name: str) -> ProviderStatus:
        """Use a paused provider again."""
        return await self._pool_of(name).resume(name)

    async def check(self, name: str) -> ProviderStatus:
        """Check a provider's chain and head now."""
        return await self._pool_of(name).check(name)

    def _pool_of(self, name: str) -> Pool:
        for pool in self._pools:
            if any(status.name == name for status in pool.status()):
                return pool
        raise LookupError(f"no provider is named {name!r}")
