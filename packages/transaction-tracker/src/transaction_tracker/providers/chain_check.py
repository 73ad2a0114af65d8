"""The check of all providers: which chain they are on, and that it is the same chain."""

import asyncio

from transaction_tracker.domain import BlockRef
from transaction_tracker.providers.pool_state import PoolState
from transaction_tracker.providers.provider import check_chain
from transaction_tracker.sources import SourceError, TransportError, WrongChainError
from transaction_tracker.sources.ethereum.rpc import Identity

# How long a start waits for slow providers once one provider has passed its check.
_GRACE_SECONDS = 1.0
# The same while the chain is undecided: at the first start, slow providers have a vote too.
_VOTE_SECONDS = 5.0


class ChainCheck:
    """Checks the chain of every provider, and elects the chain at the first start.

    Args:
        state: The providers.
    """

    def __init__(self, state: PoolState) -> None:
        self._state = state

    async def identity(
        self, at: int | None = None, *, expected: BlockRef | None = None
    ) -> Identity:
        """Check all providers; see ``Pool.identity``."""
        if at is not None:
            self._state.set_anchor_height(at)
            self._state.expected = expected
        errors = await self._check_all()
        self._state.elect_chain()
        if self._state.needs_comparison:
            # Some were asked before the height was known.
            errors = await self._check_all()
            self._state.elect_chain()
        if self._state.reference is not None and self._state.usable_endpoints():
            return self._state.reference
        raise self._no_provider_error(errors)

    async def _check_all(self) -> dict[str, SourceError | None]:
        """Check all providers that are not paused by hand.

        Once one of them has passed, the slow ones are waited for only a short time.

        Returns:
            By name ``None``, or the error. Providers that were too slow are left out.
        """
        endpoints = [endpoint for endpoint in self._state.endpoints if not endpoint.by_hand]
        tasks = {
            asyncio.ensure_future(check_chain(endpoint)): endpoint.name for endpoint in endpoints
        }
        found: dict[str, SourceError | None] = {}
        pending = set(tasks)
        try:
            while pending:
                timeout = self._check_timeout() if None in found.values() else None
                done, pending = await asyncio.wait(
                    pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                if not done:
                    break
                found |= {tasks[task]: task.result() for task in done}
        finally:
            for task in pending:
                task.cancel()
        return found

    def _check_timeout(self) -> float:
        return _GRACE_SECONDS if self._state.is_decided else _VOTE_SECONDS

    def _no_provider_error(self, errors: dict[str, SourceError | None]) -> SourceError:
        found = [
            error
            for endpoint in self._state.endpoints
            if (error := errors.get(endpoint.name)) is not None
        ]
        if not found:
            # All checks succeeded, one after another, and the providers have failed since.
            found = [
                SourceError(endpoint.last_error or f"{endpoint.name} does not respond")
                for endpoint in self._state.endpoints
                if not endpoint.by_hand
            ]
        if not found:
            return TransportError(f"{self._state}: every provider is paused by hand; resume one")
        if len(found) == 1:
            return found[0]
        text = "; ".join(str(error) for error in found)
        wrong = all(isinstance(error, WrongChainError) for error in found)
        return WrongChainError(text) if wrong else TransportError(text)
