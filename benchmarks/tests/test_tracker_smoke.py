import asyncio
import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.tracker import __main__ as program
from benchmarks.tracker import bench as benches
from benchmarks.tracker import works
from benchmarks.tracker.bench import Bench
from benchmarks.tracker.samples import Samples
from benchmarks.tracker.sizes import QUICK
from benchmarks.tracker.works import (
    applying,
    catching_up,
    detection,
    following,
    hanging,
    polling,
    prepare,
    quick_blocks,
    webhooks,
    writing,
)

pytestmark = pytest.mark.once


@pytest.mark.slow
def test_a_quick_run_measures_and_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "figures.md"
    words = ("--quick", "--only", "boot", "--only", "registration", "--output", str(page))
    monkeypatch.setattr(sys, "argv", ["benchmarks.tracker", *words])
    in_a_new_process = Bench.run

    def run(bench: Bench, work: str, **options: Any) -> dict[str, Any]:
        if work == "registration":
            return in_a_new_process(bench, work, **options)
        # Quicker in this process: one of them shows that new processes measure.
        module = importlib.import_module(f"{works.__name__}.{work}")
        figures: dict[str, Any] = asyncio.run(module.run(**options))
        return figures

    monkeypatch.setattr(Bench, "run", run)

    status = program.main()

    shown = capsys.readouterr()
    assert status == 0, shown.err
    assert "| until all trackers run " in shown.out
    assert "| all in one request, until it is answered " in shown.out
    assert "start 1 with 200 on SQLite" in shown.err
    assert shown.out.splitlines()[0] in page.read_text()


async def test_a_program_that_polls_asks_about_each_at_each_block() -> None:
    figures = await polling.run(tracked=150, blocks=2)

    # The head, and two batches of at most a hundred.
    assert figures["requests"] == 3
    assert figures["calls"] == 151


async def test_blocks_full_of_tracked_transactions_are_timed(tmp_path: Path) -> None:
    database = str(tmp_path / "a.db")
    await prepare.run(database, tracked=30, required=applying.REQUIRED)

    figures = await applying.run(database, hits=10, blocks=2)

    assert len(figures["apply"]) == len(figures["node"]) == len(figures["processor"]) == 2
    assert len(figures["blocked"]) == 1
    assert min(*figures["apply"], *figures["processor"], *figures["blocked"]) > 0


async def test_events_are_delivered_to_each_receiver(tmp_path: Path) -> None:
    database = str(tmp_path / "a.db")
    await prepare.run(database, tracked=20, required=webhooks.REQUIRED)

    figures = await webhooks.run(database, events=20, receivers=2)

    assert figures["rate"] > 0
    assert figures["repeated"] == 0


async def test_requests_are_counted_while_the_head_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "BLOCK_SECONDS", 0.1)
    database = str(tmp_path / "a.db")
    await prepare.run(database, tracked=300, required=following.REQUIRED)

    figures = await following.run(database, tracked=300, blocks=2)

    assert figures["requests"] > 0
    assert figures["calls"] >= figures["requests"]
    assert figures["told"] > 0


def test_every_work_is_run_by_a_test() -> None:
    names = {module.name for module in pkgutil.iter_modules(works.__path__)}
    by_the_quick_run = {"registration", "resume"}

    assert {name for name in names if name not in globals()} == by_the_quick_run


async def test_blocks_that_were_missed_are_caught_up_with(tmp_path: Path) -> None:
    database = str(tmp_path / "a.db")
    await prepare.run(database, tracked=4, required=catching_up.REQUIRED)

    figures = await catching_up.run(database, tracked=4, blocks=40, round_trip=0.001)

    assert figures["rate"] > 0
    assert 0 < figures["requests"] < 1


async def test_the_blocks_of_a_fast_chain_are_followed(tmp_path: Path) -> None:
    database = str(tmp_path / "a.db")
    await prepare.run(database, tracked=200, required=quick_blocks.REQUIRED)

    figures = await quick_blocks.run(
        database, tracked=200, blocks=4, poll_interval=0.05, round_trip=0.001, warm_up=1
    )

    assert figures["requests"] > 0
    assert figures["worst"] >= figures["lag"] >= 0


async def test_detection_is_timed_for_each_transaction_of_each_block(tmp_path: Path) -> None:
    figures = await detection.run(
        str(tmp_path / "a.db"), "development", tracked=30, per_block=10, blocks=2, hinted=True
    )

    assert len(figures["detected"]) == 20
    assert len(figures["announced"]) == len(figures["node"]) == 2
    assert min(figures["detected"]) > 0


async def test_a_prepared_database_has_what_the_blocks_then_change(tmp_path: Path) -> None:
    database = str(tmp_path / "a.db")

    await prepare.run(database, tracked=20, required=12)
    figures = await writing.run(database, hits=10, blocks=2)

    assert len(figures["commit"]) == 2


def test_a_scene_that_fails_leaves_the_others_their_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Bench) -> None:
        raise RuntimeError("it broke")

    def well(bench: Bench) -> None:
        bench.samples.add("webhooks", {"rate": 1.0})

    monkeypatch.setattr(program, "SCENES", {"boot": broken, "webhooks": well})

    samples: Samples = program.play(["boot", "webhooks"], QUICK, tmp_path)

    assert samples.failures == {"boot": "it broke"}
    assert samples.median("webhooks.rate") == 1.0


def test_a_work_that_takes_too_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benches, "TIME_LIMIT", 0.05)

    with pytest.raises(benches.WorkloadFailedError, match="not done within"):
        Bench(QUICK, tmp_path).run("polling", tracked=1, blocks=1)


async def test_the_way_to_a_receiver_is_timed_while_others_hang(tmp_path: Path) -> None:
    database = str(tmp_path / "a.db")
    await prepare.run(database, tracked=3, required=hanging.REQUIRED)

    figures = await hanging.run(database, events=3, hanging_receivers=2)

    assert figures["late"] == 0
    assert 0 < figures["p50"] <= figures["p95"] <= figures["p99"]
