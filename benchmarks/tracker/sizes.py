"""How much of everything is measured."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["SQLite", "PostgreSQL"]


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes of one run.

    Attributes:
        repeats: How often each scene plays.
        tracked: Transactions at which the requests per block are counted.
        counted: Blocks over which they are counted.
        missed: Blocks to catch up with.
        quick: Blocks of a fast chain over which requests are counted.
        polled: Blocks over which those of a program that polls are counted.
        detected: Transactions tracked while detection is timed.
        per_block: Transactions in each of the blocks that are timed.
        timed: Blocks that are timed.
        booted: Open transactions at a start.
        starts: How often the program is started on them.
        registered: Transactions in one request.
        hits: Tracked transactions in a block.
        applied: Blocks of each such kind.
        delivered: Events for each receiver.
        receivers: How many receivers there are.
        hanging: How many receivers never answer, beside one that does.
        hung: Events delivered to the one that does.
        kinds: The databases, as far as this machine has them.
    """

    repeats: int = 3
    tracked: tuple[int, ...] = (1_000, 10_000, 100_000)
    counted: int = 20
    missed: int = 5_000
    quick: int = 100
    polled: int = 3
    detected: int = 10_000
    per_block: int = 400
    timed: int = 24
    booted: tuple[int, ...] = (100_000,)
    starts: int = 3
    registered: int = 10_000
    hits: tuple[int, ...] = (400, 1_000, 10_000)
    applied: int = 5
    delivered: int = 2_000
    receivers: tuple[int, ...] = (1, 10)
    hanging: tuple[int, ...] = (0, 16, 63, 499)
    hung: int = 180
    kinds: tuple[Kind, ...] = ("SQLite", "PostgreSQL")


FULL = Sizes()

# Shows that everything runs; its figures mean nothing.
QUICK = Sizes(
    repeats=1,
    tracked=(100,),
    counted=2,
    missed=40,
    quick=4,
    polled=1,
    detected=60,
    per_block=20,
    timed=3,
    booted=(200,),
    starts=1,
    registered=50,
    hits=(20,),
    applied=2,
    delivered=20,
    receivers=(2,),
    hanging=(0, 2),
    hung=4,
    kinds=("SQLite",),
)

MILLION = 1_000_000
