"""The kinds of payments that the demonstration sends, and how each must end."""

from dataclasses import dataclass

from transaction_tracker.domain import State
from txtrack_devnode.transaction import Replacement, Transaction


@dataclass(frozen=True, slots=True)
class Kind:
    """What happens to a payment, and the state that it must end in."""

    name: str
    fate: str
    end: State
    percent: int
    reason: Replacement | None = None


PAID = Kind("paid", "is mined", "confirmed", 46)
EARLY = Kind("early", "is tracked before it is sent", "confirmed", 5)
REVERTED = Kind("reverted", "is mined, and reverts", "failed", 12)
REPRICED = Kind("repriced", "too cheap, offers more", "replaced", 7, "repriced")
CANCELLED = Kind("cancelled", "too cheap, is cancelled", "replaced", 7, "cancelled")
REPLACED = Kind("replaced", "too cheap, loses its nonce", "replaced", 6, "replaced")
ORPHANED = Kind("orphaned", "reorged out, mined again", "confirmed", 5)
RESCUED = Kind("rescued", "reverts, reorged, succeeds", "confirmed", 4)
RECALLED = Kind("recalled", "reorged out, is cancelled", "replaced", 4, "cancelled")
DROPPED = Kind("dropped", "is forgotten by every node", "dropped", 2)
EXPIRED = Kind("expired", "too cheap until its deadline", "expired", 2)

KINDS = (
    PAID,
    EARLY,
    REVERTED,
    REPRICED,
    CANCELLED,
    REPLACED,
    ORPHANED,
    RESCUED,
    RECALLED,
    DROPPED,
    EXPIRED,
)
TOO_CHEAP = (REPRICED, CANCELLED, REPLACED)
NEVER_MINED = (DROPPED, EXPIRED)
REORGED = (ORPHANED, RESCUED, RECALLED)

FEWEST = 20
"""With fewer payments than this, there would be more kinds than plain payments."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment of the demonstration: what was sent first, and what is to become of it."""

    kind: Kind
    transaction: Transaction

    @property
    def id(self) -> str:
        """The hash that is tracked."""
        return self.transaction.hash


def shares(total: int) -> dict[Kind, int]:
    """Divide ``total`` payments among the kinds: none without, the rest are plain ones."""
    counts = {kind: max(1, total * kind.percent // 100) for kind in KINDS}
    counts[PAID] += total - sum(counts.values())
    return counts
