"""Objections of providers that have not answered otherwise since: values, no clock."""

from collections.abc import Collection, Iterator

from transaction_tracker.domain import BlockRef, StandingObjection
from transaction_tracker.sources.protocol import Ending, Objection


class StandingObjections:
    """What providers objected, for the time in which they give no answer.

    With the others paused or down, one provider's linked chain decides. But being down does not
    withdraw an objection: it stands until its provider agrees or an operator pauses it, until the
    transaction has another end, or while too few others agree.
    """

    def __init__(self) -> None:
        self._found: dict[str, dict[str, StandingObjection]] = {}

    def note(self, key: str, end: Ending, objection: Objection, withdrawn: Collection[str]) -> None:
        """Note an objection that contradicts an end.

        Args:
            key: The transaction.
            end: Its end.
            objection: What the objecting providers say.
            withdrawn: The providers whose former objections no longer count.
        """
        kept = self._kept(key, end, withdrawn)
        new = {name: _standing(key, name, end, objection) for name in objection.providers}
        self._found[key] = kept | new

    def against(self, key: str, end: Ending, withdrawn: Collection[str]) -> Objection | None:
        """Return the objection that stands against an end to which nobody objects now."""
        kept = self._found[key] = self._kept(key, end, withdrawn)
        if not kept:
            del self._found[key]
            return None
        reasons = "; ".join(dict.fromkeys(one.reason for one in kept.values()))
        return Objection(
            f"{reasons}, and has not said otherwise since", contradicts=True, providers=tuple(kept)
        )

    def all(self) -> Iterator[StandingObjection]:
        """Return all objections; each names its provider."""
        return (one for own in self._found.values() for one in own.values())

    def restore(self, objection: StandingObjection) -> None:
        """Let an objection stand again, unless its provider has made another one since."""
        self._found.setdefault(objection.transaction, {}).setdefault(objection.provider, objection)

    def forget(self, key: str) -> None:
        """Forget the objections about a transaction: it has ended, or is untracked."""
        self._found.pop(key, None)

    def _kept(
        self, key: str, end: Ending, withdrawn: Collection[str]
    ) -> dict[str, StandingObjection]:
        found = self._found.get(key, {})
        return {
            name: one
            for name, one in found.items()
            if name not in withdrawn and _concerns(one, end)
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
    """Return whether an objection still speaks against an end.

    The last confirmation is left out of an end once it is no longer kept.
    """
    is_same = _decision(objection) == _decision(end)
    confirmed_by = end.confirmed_by in (None, objection.confirmed_by)
    return is_same and (confirmed_by or not objection.passes)


def _decision(end: Ending | StandingObjection) -> tuple[BlockRef, bool | None, str | None]:
    return end.block, end.succeeded, end.winner
