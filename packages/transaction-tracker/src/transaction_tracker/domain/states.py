"""The states of a tracked transaction."""

from typing import Literal, get_args

State = Literal[
    "registered",  # stored, nothing heard yet
    "pending",  # known to the source, in no block; or reorganised out of one
    "missing",  # unknown to a source that is as far as we are
    "mined",  # in a canonical block, successful
    "mined_reverted",  # in a canonical block, undone by itself
    "superseded",  # another transaction took its place in a canonical block
    "confirmed",  # mined, deep enough
    "failed",  # mined_reverted, deep enough
    "replaced",  # superseded, deep enough
    "dropped",  # missing for long, everywhere; should it be mined later, it goes on
    "expired",  # its deadline passed while it was in no block
    "invalid",  # the source says that it can never be one of its transactions
    "untracked",  # the user stopped it
    "reversed",  # confirmed, and taken back later, as bank transfers can be
]
STATES: tuple[State, ...] = get_args(State)

# What each state that a block can put a transaction into becomes at the required depth.
ENDS: dict[State, State] = {
    "mined": "confirmed",
    "mined_reverted": "failed",
    "superseded": "replaced",
}
ANCHORED: frozenset[State] = frozenset(ENDS)
TERMINAL: frozenset[State] = frozenset(
    (*ENDS.values(), "expired", "invalid", "untracked", "reversed")
)
# In no block, as far as is known: only these can go missing, be dropped or expire.
UNPLACED: frozenset[State] = frozenset(("registered", "pending", "missing", "dropped"))

Reason = Literal[
    "repriced",  # the same payment at another price
    "cancelled",  # nothing, sent to oneself
    "replaced",  # something else
    "nonce-used",  # dropped: its nonce was used, by no transaction that a provider knows
]
REASONS: tuple[Reason, ...] = get_args(Reason)

Flag = Literal[
    "stuck",  # pending for longer than is usual
    "underpriced",  # offers less than the last block's base fee
    "nonce_gap",  # waits for an earlier transaction of its sender that nobody knows
    "finality_violation",  # had ended in a block that the chain took back
    "status_unknown",  # in a block, but no receipt has a status: it never ends there
]
FLAGS: tuple[Flag, ...] = get_args(Flag)

# The chain's own word for blocks that it will hardly, or never, take back.
Tag = Literal["safe", "finalized"]
TAGS: tuple[Tag, ...] = get_args(Tag)

# What makes a state final: so many confirmations, or the chain's own word.
Required = int | Tag
