"""How many calls go in one request: fewer after a refusal, slowly more again after that."""

from dataclasses import dataclass, field

_PATIENCE = 10
_MOST_PATIENCE = 1_000


@dataclass(slots=True)
class BatchSize:
    """The size of the next batch.

    Attributes:
        most: Never more than this many calls.
        size: So many now.
    """

    most: int
    size: int = field(init=False)
    _patience: int = field(default=_PATIENCE, init=False)
    _answered: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.size = self.most

    def late(self, sent: int) -> None:
        """Note that a batch took too long; that is the fault of its size unless it was short."""
        if 2 * sent > self.size:
            self._shrink(sent)

    def refused(self, sent: int) -> None:
        """Note that a batch of this size was too much, and will be for some time."""
        self._shrink(sent)
        # A node that takes no batches at all is asked again ever more rarely.
        self._patience = min(2 * self._patience, _MOST_PATIENCE)

    def _shrink(self, sent: int) -> None:
        self.size = max(1, min(self.size, sent // 2))
        self._answered = 0

    def answered(self, sent: int) -> None:
        """Note an answer; after many to full batches, the next has a quarter more."""
        if self.size == self.most or sent < self.size:
            return
        self._answered += 1
        if self._answered >= self._patience:
            self._answered = 0
            self.size = min(self.most, self.size + max(1, self.size // 4))
