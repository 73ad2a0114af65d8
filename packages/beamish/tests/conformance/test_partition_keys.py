"""Which partition a key has.

Source: Elixir ``PartitionSupervisor``, "Implementation notes".
"""

from collections import namedtuple
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

import pytest

from beamish import PartitionSupervisor
from beamish._stable_hash import stable_hash
from beamish.partition_supervisor import partition_of

NAME = "partitions"

Point = namedtuple("Point", "x y")


@dataclass(frozen=True)
class Address:
    host: str
    port: int


class Colour(Enum):
    RED = 1
    BLUE = 2


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("alice", 182),
        ("", 374),
        ("ö", 688),
        (b"alice", 467),
        (None, 268),
        (1.5, 721),
        (float("inf"), 102),
        ((), 726),
        (("user", 1), 818),
        (("user", (1, "x")), 1),
        (Point(1, 2), 578),
        (frozenset({"a", "b", "c"}), 185),
        (Address("localhost", 80), 76),
        (Colour.RED, 760),
        (Fraction(1, 3), 926),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_keys_go_by_a_hash_that_never_changes(key: object, expected: int) -> None:
    assert partition_of(key, 1000) == expected


def test_equal_keys_go_together_and_different_ones_need_not() -> None:
    equal = [((1, 2), (1.0, True + 1), Point(1, 2)), (frozenset("ab"), frozenset("ba"))]
    different = ["1", 1, b"1", ("1",), (1,), ("1", ""), (("1",), ""), None, "n", frozenset("1"), ()]

    for keys in equal:
        assert len({stable_hash(key) for key in keys}) == 1
    assert len({stable_hash(key) for key in different}) == len(different)


def test_keys_are_spread_evenly() -> None:
    found = [partition_of(f"user-{number}", 8) for number in range(8000)]

    assert all(800 < found.count(partition) < 1200 for partition in range(8))


def test_key_without_a_stable_hash_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="no stable hash"):
        PartitionSupervisor.via(NAME, ("user", object()))
