"""Hints that there may be a new head: the receiver can then ask for it before the next poll."""

from contextlib import suppress
from dataclasses import dataclass

from beamish import NoProcessError, Pid, Via, process

_MIN_INTERVAL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class HeadHint:
    """Message: a provider has announced a new head.

    A lost hint costs time only: the receiver also polls for heads.

    Attributes:
        provider: Name of the provider.
        number: Height of the head, as announced.
        hash: Hash of the head, as announced.
    """

    provider: str
    number: int
    hash: str


class HintSender:
    """Sends hints: one for each head, with a minimum interval between hints.

    Args:
        to: Receiver of the ``HeadHint`` messages; ``None`` sends none.
    """

    def __init__(self, to: Pid | str | Via | None) -> None:
        self._to = to
        self._last_hash = ""
        self._next_at = 0.0

    def send(self, hint: HeadHint, now: float) -> None:
        """Send a hint, delayed to keep the interval; drop it if another one is already delayed."""
        if (
            self._to is None
            or hint.hash == self._last_hash
            or self._next_at > now + _MIN_INTERVAL_SECONDS
        ):
            return
        self._last_hash = hint.hash
        delay = max(0.0, self._next_at - now)
        self._next_at = now + delay + _MIN_INTERVAL_SECONDS
        # A receiver that is only just starting asks for the head anyway.
        with suppress(NoProcessError):
            self._send(self._to, hint, delay)

    def _send(self, to: Pid | str | Via, hint: HeadHint, delay: float) -> None:
        if delay > 0:
            process.send_after(to, hint, delay)
        else:
            process.send(to, hint)
