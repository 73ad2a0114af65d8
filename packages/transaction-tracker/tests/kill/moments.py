"""When a life is ended."""

import random
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "born",  # so long after the fork: imports are done, all else is still to come
    "ready",  # so long after the application said that it runs
    "commit",  # just before the database writes
    "committed",  # just after, and before anybody has heard of it
    "hearing",  # while the program's own code is called with an event
    "heard",  # when it has been, and nobody has noted that
    "delivery",  # when a webhook has arrived, and was not answered
    "delivered",  # when the answer is on its way
    "acknowledged",  # when the operator has read that a command was done
    "outage",  # after the database server was started anew under the running program
]
WEIGHTS: dict[Kind, int] = {
    "born": 5,
    "ready": 5,
    "commit": 4,
    "committed": 4,
    "hearing": 1,
    "heard": 2,
    "delivery": 2,
    "delivered": 2,
    "acknowledged": 2,
}
# Those that the program sees to by itself.
_INSIDE: frozenset[Kind] = frozenset(("commit", "committed", "hearing", "heard"))

Sort = Literal[
    "any",
    "event",  # that writes events
    "block",  # that adds a block to the chain
    "undo",  # that takes one back
    "delivery",  # that notes what became of webhooks
    "registration",  # that takes transactions up
]
# How likely each is, and how many of its sort go by, on average, before one is chosen.
_SORTS: dict[Sort, tuple[int, int]] = {
    "any": (1, 8),
    "event": (3, 3),
    "block": (2, 3),
    "undo": (4, 1),
    "delivery": (2, 5),
    "registration": (1, 3),
}
_USUAL_COUNT = 8

LONGEST_SECONDS = 0.12


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in a life.

    Attributes:
        kind: What it depends on.
        count: At which of its kind, from 1 up.
        sort: Which database transactions count, for ``commit`` and ``committed``.
        share: Of the usual time until the application runs, for ``born``.
        seconds: How long after it runs, for ``ready``; the others wait no longer than this
            either, and some more.
    """

    kind: Kind
    count: int
    sort: Sort
    share: float
    seconds: float

    @staticmethod
    def any_kind(chance: random.Random) -> Kind:
        """Choose a kind that every program has."""
        return chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0]

    @classmethod
    def of(cls, kind: Kind, chance: random.Random) -> "Moment":
        """Choose one of a kind: early ones more often than late ones."""
        sort: Sort = "any"
        usual = _USUAL_COUNT
        if kind in ("commit", "committed"):
            (sort,) = chance.choices([*_SORTS], [weight for weight, _ in _SORTS.values()])
            usual = _SORTS[sort][1]
        return cls(
            kind=kind,
            count=1 + int(chance.expovariate(1 / usual)),
            sort=sort,
            share=chance.uniform(0.0, 1.2),
            seconds=chance.uniform(0.0, LONGEST_SECONDS),
        )

    @property
    def order(self) -> dict[str, object] | None:
        """What the program has to know of it; ``None`` when it is killed from outside."""
        if self.kind not in _INSIDE:
            return None
        return {"kind": self.kind, "count": self.count, "sort": self.sort}

    @property
    def counts(self) -> bool:
        """Whether something that happens often decides, and not a clock."""
        return self.kind not in ("born", "ready", "outage")
