"""Objections of providers that have not answered otherwise since: values, no clock."""

from collections.abc import Collection
from dataclasses import dataclass

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources.protocol import Ending, Objection


@dataclass(frozen=True, slots=True)
class _Standing:
    """An objection of one provider.

    Attributes:
        reason: What it said, with its name.
        passes: Whether it was about blocks on top of the end's block.
        end: The end to which it objected.
    """

    reason: str
    passes: bool
    end: Ending

    def concerns(self, end: Ending) -> bool:
        """Return whether it still speaks against an end.

        The last confirmation is left out of an end once it is no longer kept.
        """
        is_same = _decision(self.end) == _decision(end)
        confirmed_by = end.confirmed_by in (None, self.end.confirmed_by)
        return is_same and (confirmed_by or not self.passes)


class StandingObjections:
    """What providers objected, for the time in which they give no answer.

    With the others paused or down, one provider's linked chain decides. But being down does not
    withdraw an objection: it stands until its provider agrees or an operator pauses it, until the
    transaction has another end, or while too few others agree.
    """

    def __init__(self) -> None:
        self._found: dict[str, dict[str, _Standing]] = {}

    def note(self, key: str, end: Ending, objection: Objection, withdrawn: Collection[str]) -> None:
        """Note an objection that contradicts an end.

        Args:
            key: The transaction.
            end: Its end.
            objection: What the objecting providers say.
            withdrawn: The providers whose former objections no longer count.
        """
        kept = self._kept(key, end, withdrawn)
        new = _Standing(objection.reason, objection.passes, end)
        self._found[key] = kept | dict.fromkeys(objection.providers, new)

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

    def forget(self, key: str) -> None:
        """Forget the objections about a transaction: it has ended, or is untracked."""
        self._found.pop(key, None)

    def _kept(self, key: str, end: Ending, withdrawn: Collection[str]) -> dict[str, _Standing]:
        found = self._found.get(key, {})
        return {
            name: one for name, one in found.items() if name not in withdrawn and one.concerns(end)
        }


def _decision(end: Ending) -> tuple[BlockRef, bool | None, str | None]:
    return end.block, end.succeeded, end.winner
