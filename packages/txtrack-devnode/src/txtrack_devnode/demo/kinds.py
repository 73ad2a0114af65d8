"""The kinds of payments of the demo, and the final state of each kind."""

from dataclasses import dataclass

from transaction_tracker.domain import State
from txtrack_devnode.transaction import Replacement, Transaction


@dataclass(frozen=True, slots=True)
class PaymentKind:
    """What happens to a payment, and its expected final state."""

    name: str
    description: str
    state: State
    percent: int
    reason: Replacement | None = None


PAID = PaymentKind("paid", "is mined", "confirmed", 46)
EARLY = PaymentKind("early", "is tracked before it is sent", "confirmed", 5)
REVERTED = PaymentKind("reverted", "is mined and reverts", "failed", 12)
REPRICED = PaymentKind("repriced", "too cheap, then repriced", "replaced", 7, "repriced")
CANCELLED = PaymentKind("cancelled", "too cheap, then cancelled", "replaced", 7, "cancelled")
REPLACED = PaymentKind("replaced", "too cheap, then replaced", "replaced", 6, "replaced")
ORPHANED = PaymentKind("orphaned", "reorged out, mined again", "confirmed", 5)
RESCUED = PaymentKind("rescued", "reverts, reorged, succeeds", "confirmed", 4)
RECALLED = PaymentKind("recalled", "reorged out, is cancelled", "replaced", 4, "cancelled")
DROPPED = PaymentKind("dropped", "dropped by every node", "dropped", 2)
EXPIRED = PaymentKind("expired", "too cheap until its deadline", "expired", 2)

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

MIN_PAYMENTS = 20
"""With fewer payments, most would be of the special kinds."""


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment of the demo: its kind and its first transaction."""

    kind: PaymentKind
    transaction: Transaction

    @property
    def id(self) -> str:
        """Hash of the tracked transaction."""
        return self.transaction.hash


def counts_by_kind(total: int) -> dict[PaymentKind, int]:
    """Return how many of ``total`` payments each kind gets: at least one."""
    counts = {kind: max(1, total * kind.percent // 100) for kind in KINDS}
    counts[PAID] += total - sum(counts.values())
    return counts
