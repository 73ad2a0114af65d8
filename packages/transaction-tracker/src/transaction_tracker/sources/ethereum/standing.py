"""Objections of providers that have not withdrawn them."""

from collections.abc import Collection, Iterator

from transaction_tracker.domain import BlockRef, StandingObjection
from transaction_tracker.sources.answers import Ending, Objection


class StandingObjections:
    """Objections that stand while their providers do not respond.

    If all other providers are paused or down, the linked chain of one provider decides. But a
    provider that goes down does not withdraw its objection: the objection stands until the provider
    agrees, an operator pauses the provider, enough other providers agree, or the transaction has
    another end.
    """

    def __init__(self) -> None:
        self._found: dict[str, dict[str, StandingObjection]] = {}

    def note(self, key: str, end: Ending, objection: Objection, withdrawn: Collection[str]) -> None:
        """Store an objection that contradicts an end.

        Args:
            key: The transaction.
            end: End of the transaction.
            objection: Objection, with the names of its providers.
            withdrawn: Providers whose earlier objections no longer count.
        """
        kept = self._kept(key, end, withdrawn)
        new = {name: _standing(key, name, end, objection) for name in objection.providers}
        self._found[key] = kept | new

    def against(self, key: str, end: Ending, withdrawn: Collection[str]) -> Objection | None:
        """Return the objection that still stands against an end without a new objection."""
        kept = self._found[key] = self._kept(key, end, withdrawn)
        if not kept:
            del self._found[key]
            return None
        reasons = "; ".join(dict.fromkeys(objection.reason for objection in kept.values()))
        return Objection(
            f"{reasons}, and has not said otherwise since", contradicts=True, providers=tuple(kept)
        )

    def all(self) -> Iterator[StandingObjection]:
        """Yield all objections; each names its provider."""
        for by_provider in self._found.values():
            yield from by_provider.values()

    def restore(self, objection: StandingObjection) -> None:
        """Restore an objection, unless its provider has made another one since."""
        self._found.setdefault(objection.transaction, {}).setdefault(objection.provider, objection)

    def forget(self, key: str) -> None:
        """Delete the objections about a transaction that has ended or is untracked."""
        self._found.pop(key, None)

    def _kept(
        self, key: str, end: Ending, withdrawn: Collection[str]
    ) -> dict[str, StandingObjection]:
        found = self._found.get(key, {})
        return {
            name: objection
            for name, objection in found.items()
            if name not in withdrawn and _concerns(objection, end)
        }


def _standing(key: str, name: str, end: Ending, objection: Objection) -> StandingObjection:
    return StandingObjection(
        key,
        name,
        objection.reason,
        objection.passes,
        end.block,
        end.succeeded,
        end.winner,
        end.confirmed_by,
    )


def _concerns(objection: StandingObjection, end: Ending) -> bool:
    """Return whether an objection is about this end.

    An end has no last confirmation once that block is no longer kept.
    """
    is_same = _decision(objection) == _decision(end)
    confirmed_by = end.confirmed_by in (None, objection.confirmed_by)
    return is_same and (confirmed_by or not objection.passes)


def _decision(end: Ending | StandingObjection) -> tuple[BlockRef, bool | None, str | None]:
    return end.block, end.succeeded, end.winner
