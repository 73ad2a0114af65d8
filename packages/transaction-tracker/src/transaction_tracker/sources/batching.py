"""How many calls go in one request: fewer after a refusal, slowly more again after that."""

from dataclasses import dataclass, field

_PATIENCE = 10
_MAX_PATIENCE = 1_000
# For a source that never took a batch: the next attempt comes after 1,000 single calls, and each
# further one after twice as many as the one before.
_MAX_PATIENCE_UNTAKEN = 100_000


@dataclass(slots=True)
class BatchSize:
    """The size of the next batch.

    Attributes:
        most: Never more than this many calls.
        size: So many now.
        taken: Whether a batch of two calls or more was ever answered.
    """

    most: int
    size: int = field(init=False)
    taken: bool = field(default=False, init=False)
    _patience: int = field(default=_PATIENCE, init=False)
    _answered: int = field(default=0, init=False)
    _before: tuple[int, int] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.size = self.most

    def late(self, sent: int) -> None:
        """Note that a batch took too long; that is the fault of its size unless it was short."""
        if 2 * sent > self.size:
            self._shrink(sent)

    def refused(self, sent: int) -> None:
        """Note that a batch of this size was too much, and will be for some time."""
        self._before = self._before or (self.size, self._patience)
        self._shrink(sent)
        # A node that takes no batches at all is asked again ever more rarely.
        if self.size > 1 or self.taken:
            self._patience = max(self._patience, min(2 * self._patience, _MAX_PATIENCE))
        else:
            wanted = max(2 * self._patience, _MAX_PATIENCE)
            self._patience = min(wanted, _MAX_PATIENCE_UNTAKEN)

    def refused_alone(self) -> None:
        """Restore the size: a single call was refused in the same way as the batches before."""
        if self._before is not None:
            self.size, self._patience = self._before
            self._before = None
            self._answered = 0

    def answered(self, sent: int) -> None:
        """Note an answer; after many to full batches, the next has a quarter more."""
        self._before = None
        if sent > 1 and not self.taken:
            self.taken = True
            self._patience = _PATIENCE
        if self.size == self.most or sent < self.size:
            return
        self._answered += 1
        if self._answered >= self._patience:
            self._answered = 0
            self.size = min(self.most, self.size + max(1, self.size // 4))

    def _shrink(self, sent: int) -> None:
        self.size = max(1, min(self.size, sent // 2))
        self._answered = 0
