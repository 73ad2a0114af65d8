"""Operate several sources: commands, metrics, alerts and providers, each by the source's name."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.alerts import AlertOptions
from transaction_tracker.alerts.faults import Observed, ServiceFacts, symptoms
from transaction_tracker.cli import main
from transaction_tracker.follower import Verdict
from transaction_tracker.metrics import Gauges, Metrics, SourceGauges
from transaction_tracker.service.source_state import SourceState
from transaction_tracker.store import Store, chain
from transaction_tracker.store.alerts import DatabaseView

from ..tracker.support import eventually  # noqa: TID252
from .conftest import Places, Running

Txtrack = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def txtrack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Txtrack:
    """Return a function that runs a command in a thread: its status, output and errors."""
    for name in os.environ:
        if name.upper().startswith("TXTRACK"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    async def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = await asyncio.to_thread(main, arguments)
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return run


async def test_sources_are_listed_paused_and_resumed(service: Running, txtrack: Txtrack) -> None:
    url = ("--url", service.client.url)

    _, paused, _ = await txtrack("source", "pause", "other", *url, "--json")
    _, listed, _ = await txtrack("source", "ls", *url, "--json")
    status, resumed, _ = await txtrack("source", "resume", "other", *url, "--json")

    states = {one["name"]: one["state"] for one in map(json.loads, listed.splitlines())}
    assert json.loads(paused)["state"] == "paused"
    assert states == {"main": "running", "other": "paused", "bank": "running"}
    assert json.loads(resumed)["state"] in ("starting", "running")
    assert status == 0


async def test_table_shows_chain_and_providers(service: Running, txtrack: Txtrack) -> None:
    _, out, _ = await txtrack("source", "ls", "--url", service.client.url)

    assert "eip155:31338" in out
    assert "1 of 1 healthy" in out


async def test_unknown_source_is_an_error(service: Running, txtrack: Txtrack) -> None:
    status, _, errors = await txtrack("source", "pause", "none", "--url", service.client.url)

    assert status == 1
    assert "unknown source" in errors


def configuration(folder: Path, *nodes: tuple[str, int, str]) -> Path:
    """Write a configuration with these chains."""
    path = folder / "several.toml"
    path.write_text(
        "".join(
            f'[[sources]]\nname = "{name}"\nchain_id = {chain_id}\n'
            f'[[sources.providers]]\nurl = "{url}"\n'
            for name, chain_id, url in nodes
        )
        + f'[database]\nurl = "{folder / "none.db"}"\n[web]\nport = 1\n'
    )
    return path


def findings(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


async def test_check_reports_each_source_as_the_doctor_does(
    places: Places, tmp_path: Path, txtrack: Txtrack
) -> None:
    nodes = (("main", 31337, places.main.url), ("other", 5, places.other.url))
    config = ("--config", str(configuration(tmp_path, *nodes)), "--json")

    status, out, _ = await txtrack("source", "check", "other", *config)
    _, all_, _ = await txtrack("doctor", *config)

    wrong = [one for one in findings(out) if one["severity"] == "error"]
    assert status == 1
    assert wrong
    assert all(one["subject"].startswith("other: ") for one in findings(out))
    subjects = {one["subject"].partition(":")[0] for one in findings(all_)}
    assert {"main", "other"} <= subjects


async def test_check_of_an_unknown_source_names_the_known_ones(
    tmp_path: Path, txtrack: Txtrack
) -> None:
    path = configuration(tmp_path, ("main", 1, "http://127.0.0.1:1"))

    status, _, errors = await txtrack("source", "check", "none", "--config", str(path))

    assert status == 2
    assert "the configured names are main" in errors


async def test_providers_have_the_name_of_their_source(
    places: Places, service: Running, txtrack: Txtrack
) -> None:
    found = (await service.client.get("/v1/providers"))["providers"]
    names = [provider["name"] for provider in found]

    paused = await service.client.post(f"/v1/providers/{names[1]}/pause", {})

    assert names == ["main.127.0.0.1-1", "other.127.0.0.1-1"]
    assert (paused["name"], paused["by_hand"]) == (names[1], True)
    await service.client.post(f"/v1/providers/{names[1]}/resume", {})


async def test_source_is_checked_by_the_service(places: Places, service: Running) -> None:
    await places.main.mine()
    well = await service.client.post("/v1/sources/main/check", {})
    await places.other.die()

    ill = await service.client.post("/v1/sources/other/check", {})

    assert (well["ok"], well["problem"]) == (True, None)
    assert not ill["ok"]
    assert ill["problem"]


async def test_transactions_are_listed_by_source(service: Running, txtrack: Txtrack) -> None:
    ids = [f"eip155:31338:0x{'ab' * 32}", "PAY-1"]
    await service.client.post("/v1/transactions", [{"id": one} for one in ids])

    page = await service.client.get("/v1/transactions", source="bank")
    _, listed, _ = await txtrack("ls", "--source", "other", "--json", "--url", service.client.url)
    status, _, errors = await txtrack("ls", "--source", "none", "--url", service.client.url)

    assert [one["id"] for one in page["transactions"]] == ["PAY-1"]
    assert [json.loads(line)["id"] for line in listed.splitlines()] == [ids[0]]
    assert status == 1
    assert "unknown source" in errors


async def test_sources_whose_deliveries_are_frozen_are_named(service: Running) -> None:
    await Store.run(partial(chain.pause_deliveries, source="ethereum:31338"))

    found = await service.client.get("/v1/deliveries")

    assert (found["flow"], found["frozen_sources"]) == ("frozen", ["other"])


async def test_metrics_of_several_sources_have_a_label(places: Places, service: Running) -> None:
    places.bank.answer = lambda request: {"status": "settled"}
    await service.client.post("/v1/transactions", {"id": "PAY-1"})
    await service.client.reach("PAY-1", "confirmed")
    await places.main.mine()
    main = next(tree for tree in service.application.sources if tree.name == "main")
    await eventually(lambda: (tip := main.open_transactions.tip) is not None and tip.number)

    page = await service.client.page("/metrics")

    assert 'transaction_tracker_block_hits_total{source="main"} 0.0' in page
    assert 'transitions_total{from="registered",source="bank",to="confirmed"} 1.0' in page
    assert 'transaction_tracker_source_halted{source="main"} 0.0' in page
    assert 'transaction_tracker_source_paused{source="bank"} 0.0' in page
    assert 'transaction_tracker_tracked{source="bank",state="' in page


def test_metrics_of_the_only_source_have_no_label() -> None:
    page = Metrics(runtime=False).render(Gauges(source_halted=1)).decode()

    assert "transaction_tracker_source_halted 1.0" in page
    assert "source_paused" not in page


def test_gauge_that_is_unknown_for_one_source_is_left_out_for_it() -> None:
    sources = {"a": SourceGauges(head_lag_blocks=3), "b": SourceGauges()}

    page = Metrics(runtime=False).render(Gauges(sources=sources)).decode()

    assert 'head_lag_blocks{source="a"} 3.0' in page
    assert 'head_lag_blocks{source="b"}' not in page


def test_alerts_name_the_source_that_has_the_fault() -> None:
    well = ServiceFacts(source="main", verdict=Verdict("ok"), stored_name="ethereum:5")
    ill = Verdict("halted", "it broke")
    frozen = DatabaseView(1.0, None, (), {"ethereum:5": 1.0})
    observed = Observed(
        wall=10.0,
        service=well,
        others=[replace(well, source="other", verdict=ill, stored_name="ethereum:6")],
        database=frozen,
    )

    found = {(one.kind, one.subject) for one in symptoms(observed, AlertOptions())}

    assert found == {("source.halted", "other"), ("finality_violation", "main")}


def test_source_that_does_not_run_is_halted_since_its_first_failure() -> None:
    state = SourceState("main")
    state.failed("it broke")

    first = state.verdict(Verdict("ok"), 5.0)
    state.failed("again")
    later = state.verdict(Verdict("ok"), 9.0)

    assert (first.state, first.reason) == ("halted", "its processes do not run: it broke")
    assert later.since == 5.0
    state.started()
    assert state.verdict(Verdict("ok"), 10.0) == Verdict("ok")


def test_source_that_has_not_been_started_is_starting() -> None:
    assert SourceState("main").verdict(Verdict("ok"), 1.0).state == "starting"


async def test_alert_of_a_dead_source_is_raised_and_the_others_have_none(
    places: Places, service: Running
) -> None:
    other = next(tree for tree in service.application.sources if tree.name == "other")
    other.state.failed("it broke")

    views = {view.source: view.verdict.state for view in service.application._service_views()}

    assert views["other"] == "halted"
    assert views["main"] == "ok"
