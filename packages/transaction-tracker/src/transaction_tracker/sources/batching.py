"""Number of calls in one request: reduced by a refusal, slowly increased after that."""

from dataclasses import dataclass, field

_PATIENCE = 10
_MAX_PATIENCE = 1_000
# For a source that never accepted a batch: the next attempt comes after 1,000 single calls, and
# each further attempt after twice as many calls.
_MAX_PATIENCE_UNACCEPTED = 100_000


@dataclass(slots=True)
class BatchSize:
    """The size of the next batch.

    Attributes:
        max_size: Maximum number of calls in a batch.
        size: Number of calls in the next batch.
        accepted: Whether a batch of two calls or more was ever answered.
    """

    max_size: int
    size: int = field(init=False)
    accepted: bool = field(default=False, init=False)
    _patience: int = field(default=_PATIENCE, init=False)
    _answered: int = field(default=0, init=False)
    _before: tuple[int, int] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.size = self.max_size

    def late(self, sent: int) -> None:
        """Shrink after a batch that took too long, unless it was short."""
        if 2 * sent > self.size:
            self._shrink(sent)

    def refused(self, sent: int) -> None:
        """Shrink after a batch that the source refused, and grow back more slowly."""
        self._before = self._before or (self.size, self._patience)
        self._shrink(sent)
        # Each attempt with a source that accepts no batches costs a request: they become rarer.
        if self.size > 1 or self.accepted:
            self._patience = max(self._patience, min(2 * self._patience, _MAX_PATIENCE))
        else:
            wanted = max(2 * self._patience, _MAX_PATIENCE)
            self._patience = min(wanted, _MAX_PATIENCE_UNACCEPTED)

    def refused_alone(self) -> None:
        """Restore the size: the source refused a single call in the same way as batches."""
        if self._before is not None:
            self.size, self._patience = self._before
            self._before = None
            self._answered = 0

    def answered(self, sent: int) -> None:
        """Record a response; after many responses to full batches, grow by a quarter."""
        self._before = None
        if sent > 1 and not self.accepted:
            self.accepted = True
            self._patience = _PATIENCE
        if self.size == self.max_size or sent < self.size:
            return
        self._answered += 1
        if self._answered >= self._patience:
            self._answered = 0
            self.size = min(self.max_size, self.size + max(1, self.size // 4))

    def _shrink(self, sent: int) -> None:
        self.size = max(1, min(self.size, sent // 2))
        self._answered = 0
