"""Telling that there may be a new head: worth a question sooner, and nothing more."""

from contextlib import suppress
from dataclasses import dataclass

from beamish import NoProcessError, Pid, Via, process

_SPACING = 0.05


@dataclass(frozen=True, slots=True)
class HeadHint:
    """A provider says that it has a new head; nothing is lost when this is.

    Attributes:
        provider: Who says so.
        number: The head's height, as it says.
        hash: The head's hash, as it says.
    """

    provider: str
    number: int
    hash: str


class Hints:
    """Passes hints on: each head once, and not too many at a time.

    Args:
        to: Who gets the ``HeadHint`` messages; ``None`` for nobody.
    """

    def __init__(self, to: Pid | str | Via | None) -> None:
        self._to = to
        self._last_hash = ""
        self._free_at = 0.0

    def give(self, hint: HeadHint, now: float) -> None:
        """Pass a hint on, a moment later when the last one went just now."""
        if self._to is None or hint.hash == self._last_hash or self._free_at > now + _SPACING:
            return
        self._last_hash = hint.hash
        wait = max(0.0, self._free_at - now)
        self._free_at = now + wait + _SPACING
        with suppress(NoProcessError):  # who starts just now asks for the head anyway
            self._send(self._to, hint, wait)

    def _send(self, to: Pid | str | Via, hint: HeadHint, wait: float) -> None:
        if wait > 0:
            process.send_after(to, hint, wait)
        else:
            process.send(to, hint)
