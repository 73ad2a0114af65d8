"""The table of what a shard takes."""

import pytest

from benchmarks.tracker.capacity import Row, table

pytestmark = pytest.mark.once


def test_sizes_are_counted_from_the_empty_shard_and_rates_from_the_row_before() -> None:
    rows = [
        Row(0, 1.0, start=0.5, resident=1_000, stored=500),
        Row(10, 2.0, start=0.75, resident=21_000, stored=4_500),
        Row(40, 3.0, start=1.5, resident=81_000, stored=12_500),
    ]

    _, _, *lines = table(rows)

    assert lines == [
        "| 0 | | | | 0.5 s |",
        "| 10 | 2,000 | 400 | 5 | 0.8 s |",
        "| 40 | 2,000 | 300 | 10 | 1.5 s |",
    ]
