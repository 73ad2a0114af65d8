"""The states of a tracked transaction."""

from typing import Literal, get_args

State = Literal[
    "registered",  # stored, nothing heard yet
    "pending",  # known to the source, in no block; or reorganised out of one
    "mined",  # in a canonical block, successful
    "mined_reverted",  # in a canonical block, undone by itself
    "superseded",  # another transaction took its place in a canonical block
    "confirmed",  # mined, deep enough
    "failed",  # mined_reverted, deep enough
    "replaced",  # superseded, deep enough
]
STATES: tuple[State, ...] = get_args(State)

# What each state that a block can put a transaction into becomes at the required depth.
ENDS: dict[State, State] = {
    "mined": "confirmed",
    "mined_reverted": "failed",
    "superseded": "replaced",
}
ANCHORED: frozenset[State] = frozenset(ENDS)
TERMINAL: frozenset[State] = frozenset(ENDS.values())

Reason = Literal[
    "repriced",  # the same payment at another price
    "cancelled",  # nothing, sent to oneself
    "replaced",  # something else
]
REASONS: tuple[Reason, ...] = get_args(Reason)
