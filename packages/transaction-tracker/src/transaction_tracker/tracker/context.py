"""What the trackers of one application share, and where its processes are found."""

from dataclasses import dataclass, field

from beamish import Registry, Via
from transaction_tracker.domain import Policy, Required
from transaction_tracker.sources import Source, has_blocks
from transaction_tracker.store import Book

REGISTRY = "TransactionTracker.Registry"
SUPERVISOR = "TransactionTracker.TrackerSupervisor"
FOLLOWER = "TransactionTracker.Follower"


@dataclass(frozen=True, slots=True)
class Context:
    """What the trackers of one application share; the registry keeps it.

    Attributes:
        source: Where the transactions live.
        book: What is stored of those that have not ended.
        required: What makes the state of a newly registered one final.
        policy: When waiting becomes news.
        expires_after: Seconds that a newly registered one has to get into a block.
        follow_repriced: Whether the same payment at another price is followed too.
    """

    source: Source
    book: Book
    required: Required
    policy: Policy = field(default_factory=Policy)
    expires_after: float | None = None
    follow_repriced: bool = False

    KEY = "context"

    def requirement(self, confirmations: Required | None) -> Required:
        """Return what makes a state final: the application's setting in place of ``None``.

        Raises:
            ValueError: The chain has no such tag.
        """
        required = self.required if confirmations is None else confirmations
        if has_blocks(self.source):
            self.source.check_required(required)
        return required

    @staticmethod
    def current() -> "Context":
        """Give that of the application that runs, or raise ``NoProcessError``."""
        context: Context = Registry.meta(REGISTRY, Context.KEY)
        return context


@dataclass(frozen=True, slots=True)
class Ask:
    """To the follower: what is known of this transaction now?"""

    transaction: str


@dataclass(frozen=True, slots=True)
class Forget:
    """To the follower: this transaction has ended without it."""

    transaction: str


def via(key: str) -> Via:
    """Name the tracker of a transaction."""
    return Registry.via(REGISTRY, key)
