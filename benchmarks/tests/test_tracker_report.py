from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.tracker import page, report
from benchmarks.tracker.rows import TARGETS
from benchmarks.tracker.samples import Samples, percentiles
from benchmarks.tracker.sizes import FULL

pytestmark = pytest.mark.once

MOUNTS = Path("/proc/mounts")


def measured(**figures: float | list[float]) -> Samples:
    samples = Samples()
    for figure, value in figures.items():
        label, _, name = figure.replace("__", ".").rpartition(".")
        samples.add(label, {name: value})
    return samples


def line(text: str, title: str) -> list[str]:
    [found] = [one for one in text.splitlines() if one.startswith(f"| {title} ")]
    return [cell.strip() for cell in found.strip("|").split("|")]


@pytest.mark.parametrize(
    ("samples", "share", "expected"),
    [
        (range(1, 101), "p50", 50),
        (range(1, 101), "p99", 99),
        (range(1, 25), "p99", 24),
        (range(1, 25), "p95", 23),
        ([7.0], "p50", 7.0),
    ],
)
def test_a_percentile_is_the_sample_that_so_many_are_at_or_below(
    samples: list[float], share: str, expected: float
) -> None:
    assert percentiles(reversed(samples))[share] == expected


def test_a_target_is_held_against_the_median_of_the_runs() -> None:
    good = measured(boot__SQLite__100000__applied=[9.0, 4.9, 3.0])
    bad = measured(boot__SQLite__100000__applied=[9.0, 5.1, 3.0])
    title = "100,000 open transactions resumed, all trackers run and a block applied"

    assert line(report.targets(good), title)[1:] == ["≤ 5.00 s", "4.90 s", "met"]
    assert line(report.targets(bad), title)[1:] == ["≤ 5.00 s", "5.10 s", "**missed**"]


def test_a_missed_target_says_by_how_much_and_why() -> None:
    slow = measured(catching_up__rate=150.0, boot__SQLite__1000000__peak=1.8e9)
    good = measured(catching_up__rate=200.0, boot__SQLite__1000000__peak=1.5e9)

    rate, memory = report.misses(slow).split("\n- ")

    assert "150, which is 25% under 200." in rate
    assert "1.80 GB, which is 20% over 1.50 GB. " in memory
    [target] = [one for one in TARGETS if one.figure == "boot.SQLite.1000000.peak"]
    assert target.why
    assert target.why in " ".join(memory.split())
    assert report.misses(good) == "No target is missed."


def test_missing_figure_shows_its_reason_and_misses_its_target() -> None:
    samples = Samples(absent={"detection": "no anvil"}, failures={"boot": "it broke"})

    text = report.targets(samples)

    assert line(text, "detection on anvil, p99, head seen to state stored")[2:] == ["no anvil", ""]
    assert line(text, "memory per tracked transaction, with its process")[2] == "failed: it broke"
    assert "met |" not in text
    assert len(text.splitlines()) == len(TARGETS) + 2


def test_each_size_has_a_column_and_lines_without_figures_are_left_out() -> None:
    samples = measured(following__1000__requests=4.0, following__100000__requests=[4.1, 4.3])

    text = report.requests(samples)

    assert text.splitlines()[0].split("|")[2:4] == [" 1,000 ", " 100,000 "]
    assert line(text, "following the head")[1:] == ["4.00", "4.20"]
    assert "polling" not in text


def test_databases_and_sizes_share_a_column() -> None:
    samples = measured(
        applying__SQLite__400__apply=0.05,
        applying__PostgreSQL__400__apply=0.06,
        writing__PostgreSQL__400__commit=0.02,
    )

    text = report.blocks(samples)

    assert line(text, "tracked transactions in a block")[1:] == ["400, SQLite", "400, PostgreSQL"]
    assert line(text, "the store alone: one database transaction")[1:] == ["", "20.0 ms"]


def test_the_page_has_all_sections_the_samples_and_where_they_come_from() -> None:
    samples = measured(webhooks__SQLite__1__rate=[500.0, 700.0])
    text = page.whole("Measured somewhere.", "no targets", samples, replace(FULL, starts=7))

    assert "do not edit. Measured somewhere." in text
    for title, _ in report.SECTIONS.values():
        assert f"\n## {title}\n" in text
    assert "started on it, 7 times" in " ".join(text.split())
    assert line(text, "webhooks.SQLite.1.rate")[1:] == ["2", "500", "600", "700"]


@pytest.mark.parametrize(
    ("figure", "value", "shown"),
    [
        ("boot.SQLite.100000.bytes", 2_345.0, "2,345 B"),
        ("following.1000.requests", 4.1, "4.10"),
        ("boot.SQLite.100000.stop", 0.5, "500 ms"),
    ],
)
def test_a_sample_is_shown_in_what_it_is_measured_in(figure: str, value: float, shown: str) -> None:
    assert report.value_text(figure, value) == shown


@pytest.mark.skipif(not MOUNTS.exists(), reason="only Linux tells what is mounted where")
def test_the_file_system_of_a_folder_is_named(tmp_path: Path) -> None:
    assert f" {page.file_system(tmp_path)} " in MOUNTS.read_text()
