"""The states of a tracked transaction."""

from typing import Literal, get_args

State = Literal[
    "registered",  # stored; the source has not answered yet
    "pending",  # known to the source, in no block; or removed from one by a reorganisation
    "missing",  # unknown to a source whose head is at or past ours
    "mined",  # in a canonical block, successful
    "mined_reverted",  # in a canonical block, reverted
    "superseded",  # another transaction used one of its slots in a canonical block
    "confirmed",  # mined, at the required depth
    "failed",  # mined_reverted, at the required depth
    "replaced",  # superseded, at the required depth
    "dropped",  # missing for long at every provider; tracked again if it is mined later
    "expired",  # its deadline passed while it was in no block
    "invalid",  # the source rejected it: it can never be one of its transactions
    "untracked",  # the user stopped it
    "reversed",  # reversed after it was confirmed, as bank transfers can be
]
STATES: tuple[State, ...] = get_args(State)

# The final state that each state decided by a block becomes at the required depth.
ENDS: dict[State, State] = {
    "mined": "confirmed",
    "mined_reverted": "failed",
    "superseded": "replaced",
}
ANCHORED: frozenset[State] = frozenset(ENDS)
TERMINAL: frozenset[State] = frozenset(
    (*ENDS.values(), "expired", "invalid", "untracked", "reversed")
)
# Ends without a block. A block can still have the transaction: only the questions about it stopped.
# It is tracked again if it then pays a watched address.
ENDED_IN_NO_BLOCK: frozenset[State] = frozenset(("expired", "invalid"))
# In no known block. Only these states can become missing, dropped or expired. Dropped is an end: no
# other one follows unless the transaction is seen again.
UNPLACED: frozenset[State] = frozenset(("registered", "pending", "missing", "dropped"))

Reason = Literal[
    "repriced",  # the same payment at another price
    "cancelled",  # an empty transaction of the sender to itself
    "replaced",  # any other transaction
    "nonce-used",  # dropped: its nonce was used, by no transaction that a provider knows
    "conflicted",  # dropped: an output that it spends is spent by another one, or does not exist
]
REASONS: tuple[Reason, ...] = get_args(Reason)

Flag = Literal[
    "stuck",  # pending for longer than ``Policy.stuck_seconds``
    "underpriced",  # its maximum fee is below the base fee of the last head
    "nonce_gap",  # waits for an earlier transaction of its sender that the source does not know
    "finality_violation",  # was final in a block that a reorganisation removed
    "status_unknown",  # in a block, but no receipt has a status: it never ends there
]
FLAGS: tuple[Flag, ...] = get_args(Flag)

# Names that the chain gives to blocks that are very unlikely, or unable, to be removed.
Tag = Literal["safe", "finalized"]
TAGS: tuple[Tag, ...] = get_args(Tag)

# What makes a state final: a number of confirmations, or a tag.
Required = int | Tag


def at_least(required: Required, minimum: int) -> Required:
    """Return a requirement of ``minimum`` confirmations or more; a tag stays as it is."""
    return required if isinstance(required, str) else max(required, minimum)
