"""The moments at which a life is ended."""

import random
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "born",  # some time after the fork: only the imports are done
    "ready",  # some time after the application is ready
    "commit",  # just before a database commit
    "committed",  # just after a commit, before its result is used
    "hearing",  # during a call of ``on_event``
    "heard",  # just after that call, before its result is stored
    "delivery",  # when a webhook has arrived, before the response
    "delivered",  # when the response to a webhook is on its way
    "acknowledged",  # when the operator has read the result of a command
    "outage",  # after a restart of the database server under the running program
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
# The moments at which the program kills itself.
_INSIDE: frozenset[Kind] = frozenset(("commit", "committed", "hearing", "heard"))

Sort = Literal[
    "any",
    "event",  # stores events
    "block",  # adds a block to the chain
    "undo",  # removes a block
    "delivery",  # stores results of deliveries
    "registration",  # registers transactions
    "deposit",  # counts the deposits of watched addresses
    "search",  # stores the place of a search for earlier deposits
]
# For each sort its weight, and the mean of the count at which the program is killed.
_SORTS: dict[Sort, tuple[int, int]] = {
    "any": (1, 8),
    "event": (3, 3),
    "block": (2, 3),
    "undo": (4, 1),
    "delivery": (2, 5),
    "registration": (1, 3),
    "deposit": (2, 3),
    "search": (2, 1),
}
_MEAN_COUNT = 8

MAX_SECONDS = 0.12


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in a life.

    Attributes:
        kind: Kind of the moment.
        count: The number of the occurrence, from 1.
        sort: The database transactions that are counted, for ``commit`` and ``committed``.
        share: Share of the usual time until the application is ready, for ``born``.
        seconds: Seconds after the application is ready, for ``ready``. For counted kinds, this
            and some more is the timeout.
    """

    kind: Kind
    count: int
    sort: Sort
    share: float
    seconds: float

    @staticmethod
    def any_kind(chance: random.Random) -> Kind:
        """Return a random kind that is possible without a database server."""
        return chance.choices([*WEIGHTS], [*WEIGHTS.values()])[0]

    @classmethod
    def of(cls, kind: Kind, chance: random.Random) -> "Moment":
        """Return a random moment of a kind; early moments are more likely than late ones."""
        sort: Sort = "any"
        mean = _MEAN_COUNT
        if kind in ("commit", "committed"):
            (sort,) = chance.choices([*_SORTS], [weight for weight, _ in _SORTS.values()])
            mean = _SORTS[sort][1]
        return cls(
            kind=kind,
            count=1 + int(chance.expovariate(1 / mean)),
            sort=sort,
            share=chance.uniform(0.0, 1.2),
            seconds=chance.uniform(0.0, MAX_SECONDS),
        )

    @property
    def kill_options(self) -> dict[str, object] | None:
        """The options of the program that kills itself; ``None`` if it is killed from outside."""
        if self.kind not in _INSIDE:
            return None
        return {"kind": self.kind, "count": self.count, "sort": self.sort}

    @property
    def is_counted(self) -> bool:
        """Whether the moment is a counted occurrence, and not a time."""
        return self.kind not in ("born", "ready", "outage")
