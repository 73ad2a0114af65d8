"""Which shard tracks a transaction: the same for each form of its id, and it never changes."""

from collections import Counter

import pytest

from transaction_tracker.domain.sharding import MAX_SHARDS, Shard, ShardMap

HASH = "0x9c943b375e547b11ca484b210d8430fdf622fea65a35069c928a7341e88099a0"
SENDER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def test_assignment_never_changes() -> None:
    # Literal numbers: another assignment would lose the transactions of a running service.
    four = ShardMap((4,))

    assert [four.newest(text) for text in (HASH, f"{SENDER}:17", "PAY-17", "")] == [1, 0, 3, 0]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (HASH, HASH.upper().replace("0X", "0x")),
        (HASH, f"eip155:1:{HASH}"),
        (f"eip155:1:{HASH}", f"eip155:8453:{HASH}"),
        (f"{SENDER}:17", f"eip155:1:{SENDER.lower()}:17"),
        ("PAY-17", "http:example-bank:PAY-17"),
    ],
)
def test_all_forms_of_an_id_have_one_shard(text: str, same: str) -> None:
    many = ShardMap((MAX_SHARDS,))

    assert many.newest(text) == many.newest(same)


@pytest.mark.parametrize("form", ["{:064x}", f"{SENDER}:{{}}", "PAY-{}"])
def test_transactions_are_spread_evenly(form: str) -> None:
    counts = Counter(ShardMap((10,)).newest(form.format(number)) for number in range(20_000))

    assert len(counts) == 10
    assert min(counts.values()) > 1_600


def test_service_that_has_grown_has_former_places() -> None:
    grown = ShardMap((8, 4))

    places = {number: grown.places(f"PAY-{number}") for number in range(100)}

    for number, (newest, *former) in places.items():
        assert newest == ShardMap((8,)).newest(f"PAY-{number}")
        assert {newest, *former} == {newest, ShardMap((4,)).newest(f"PAY-{number}")}


def test_shard_owns_what_the_newest_number_assigns_to_it() -> None:
    grown = ShardMap((8, 4))

    owners = [number for number in range(8) if Shard(number, grown).owns(HASH)]

    assert owners == [grown.newest(HASH)]


@pytest.mark.parametrize(
    "counts", [(), (0,), (MAX_SHARDS + 1,), (4, 4), (4, 8), (8, 4, 6), tuple(range(20, 0, -1))]
)
def test_impossible_numbers_are_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="shards"):
        ShardMap(counts)


@pytest.mark.parametrize("number", [-1, 4])
def test_unknown_shard_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=f"must be 0 to 3, got {number}"):
        Shard(number, ShardMap((4,)))


def test_map_is_read_as_it_is_written() -> None:
    assert ShardMap.parse(str(ShardMap((8, 4)))) == ShardMap((8, 4))
