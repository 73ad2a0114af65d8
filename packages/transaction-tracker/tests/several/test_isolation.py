"""One source of three that is dead, hangs, or sends nonsense: the others do not notice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from beamish import ChildSpec, GenServer, IgnoredError, process
from transaction_tracker import TransactionTrackerApplication
from transaction_tracker.api import WEB, Web
from transaction_tracker.service import tree
from transaction_tracker.service.runner import SOURCES, SourceRunner, WaitForSources
from transaction_tracker.service.source_tree import SourceTree
from transaction_tracker.sources.http_polling import HttpPollingSource
from transaction_tracker.tracker import FOLLOWER, REGISTRY, SUPERVISOR
from txtrack_devnode.faults import Hang, NotJson

from ..service.client import Client  # noqa: TID252
from ..tracker.support import eventually, submit  # noqa: TID252
from .conftest import Places, Running

Harm = Callable[[Places], Awaitable[None]]


def tree_of(service: Running, name: str) -> SourceTree:
    return next(tree for tree in service.application.sources if tree.name == name)


def seen_from_outside(service: Running) -> dict[str, Any]:
    """Return the state of each source, by its name."""
    return {tree.name: tree.state.name for tree in service.application.sources}


async def kill(places: Places) -> None:
    await places.other.die()


async def hang(places: Places) -> None:
    places.other.faults.inject(Hang())


async def poison(places: Places) -> None:
    places.other.faults.inject(NotJson())


async def others_work(places: Places, client: Client, number: int = 1) -> None:
    """Check that a transaction of the chain and one of the bank are confirmed."""
    places.bank.answer = lambda request: {"status": "settled"}
    paid = f"eip155:31337:{submit(places.main).hash}"
    await client.post("/v1/transactions", [{"id": paid}, {"id": f"PAY-{number}"}])
    await places.main.mine(2)
    await client.reach(paid, "confirmed")
    await client.reach(f"PAY-{number}", "confirmed")


@pytest.mark.parametrize("harm", [kill, hang, poison])
async def test_others_work_while_one_source_does_not(
    places: Places, service: Running, harm: Harm
) -> None:
    waiting = f"eip155:31338:{submit(places.other).hash}"
    await service.client.post("/v1/transactions", {"id": waiting})
    names = [FOLLOWER, REGISTRY, SUPERVISOR]
    before = [process.whereis(f"{name}.main") for name in names]

    await harm(places)

    await others_work(places, service.client)
    assert [process.whereis(f"{name}.main") for name in names] == before
    found = await service.client.get(f"/v1/transactions/{waiting}")
    assert found["state"] in ("registered", "pending")


@pytest.mark.parametrize("harm", [kill, hang, poison])
async def test_source_that_was_harmed_goes_on_where_it_was(
    places: Places, service: Running, harm: Harm
) -> None:
    waiting = f"eip155:31338:{submit(places.other).hash}"
    await service.client.post("/v1/transactions", {"id": waiting})
    await harm(places)
    await others_work(places, service.client)

    places.other.faults.clear()
    if not places.other.listening:
        await places.other.revive()
    await places.other.mine(2)

    await service.client.reach(waiting, "confirmed")


async def test_processes_of_one_source_that_are_killed_start_again(
    places: Places, service: Running
) -> None:
    waiting = f"eip155:31338:{submit(places.other).hash}"
    await service.client.post("/v1/transactions", {"id": waiting})
    pid = process.whereis(f"{SOURCES}.other")
    assert pid is not None

    process.exit(pid, "kill")

    await eventually(lambda: tree_of(service, "other").state.name == "failed")
    await others_work(places, service.client)
    # Does not wait for the next attempt.
    await SourceRunner.resume(SourceRunner.name_of("other"))
    await places.other.mine(2)
    await service.client.reach(waiting, "confirmed")


async def test_killed_runner_adopts_the_running_source(service: Running) -> None:
    before = process.whereis(f"{SOURCES}.other")
    runner = process.whereis(SourceRunner.name_of("other"))
    assert runner is not None

    process.exit(runner, "kill")

    await eventually(
        lambda: (
            process.whereis(SourceRunner.name_of("other")) not in (None, runner)
            and tree_of(service, "other").state.name == "running"
        )
    )
    assert process.whereis(f"{SOURCES}.other") == before


async def test_source_that_is_down_at_the_start_does_not_stop_the_others(
    places: Places, session: aiohttp.ClientSession
) -> None:
    await places.other.die()

    async with TransactionTrackerApplication(places.settings) as application:
        client = Client(await Web.url(WEB), session)
        await others_work(places, client)
        ready = await client.get("/readyz")
        waiting = f"eip155:31338:{submit(places.other).hash}"
        await client.post("/v1/transactions", {"id": waiting})
        listed = (await client.get("/v1/sources"))["sources"]
        await places.other.revive()
        await SourceRunner.resume(SourceRunner.name_of("other"))
        await places.other.mine(2)
        await client.reach(waiting, "confirmed")
        ended = seen_from_outside(Running(application, client))

    assert [note["detail"].partition(":")[0] for note in ready["notes"]] == ["other"]
    assert "its processes do not run" in ready["notes"][0]["detail"]
    assert {source["name"]: source["state"] for source in listed} == {
        "main": "running",
        "other": "failed",
        "bank": "running",
    }
    assert set(ended.values()) == {"running"}


async def test_wrong_chain_of_one_source_does_not_stop_the_others(
    places: Places, session: aiohttp.ClientSession
) -> None:
    places.other.chain.chain_id = 5

    async with TransactionTrackerApplication(places.settings):
        client = Client(await Web.url(WEB), session)
        await others_work(places, client)
        (note,) = (await client.get("/readyz"))["notes"]

    assert "31338" in note["detail"]


async def test_service_is_not_ready_if_no_source_moves(
    places: Places, service: Running, session: aiohttp.ClientSession
) -> None:
    for each in service.application.sources:
        each.state.failed("it broke")

    async with session.get(f"{service.client.url}/readyz") as response:
        problem = await response.json()

    assert response.status == 503
    assert [error["detail"].partition(":")[0] for error in problem["errors"]] == [
        "main",
        "other",
        "bank",
    ]


async def test_paused_source_gets_no_requests_and_its_transactions_wait(
    places: Places, service: Running
) -> None:
    waiting = f"eip155:31338:{submit(places.other).hash}"
    await service.client.post("/v1/transactions", {"id": waiting})

    view = await service.client.post("/v1/sources/other/pause", {})

    requests = places.other.http_requests
    later = f"eip155:31338:{submit(places.other, 1).hash}"
    await service.client.post("/v1/transactions", {"id": later})
    await others_work(places, service.client)
    assert (view["state"], places.other.http_requests) == ("paused", requests)
    assert (await service.client.get("/readyz"))["status"] == "ready"
    await service.client.post("/v1/sources/other/resume", {})
    await places.other.mine(2)
    await service.client.reach(waiting, "confirmed")
    await service.client.reach(later, "confirmed")


async def test_pause_lasts_over_a_restart_of_the_service(
    places: Places, session: aiohttp.ClientSession
) -> None:
    async with TransactionTrackerApplication(places.settings):
        client = Client(await Web.url(WEB), session)
        await client.post("/v1/sources/other/pause", {})
    requests = places.other.http_requests

    async with TransactionTrackerApplication(places.settings):
        client = Client(await Web.url(WEB), session)
        await others_work(places, client, 2)
        states = {one["name"]: one["state"] for one in (await client.get("/v1/sources"))["sources"]}

    assert states == {"main": "running", "other": "paused", "bank": "running"}
    assert places.other.http_requests == requests


async def test_restarted_store_restarts_all_sources(places: Places, service: Running) -> None:
    store = GenServer.whereis("TransactionTracker.Store")
    assert store is not None

    process.exit(store, "kill")

    await eventually(
        lambda: (
            GenServer.whereis("TransactionTracker.Store") not in (None, store)
            and GenServer.whereis(WEB) is not None
        )
    )
    async with asyncio.timeout(50):
        client = Client(await Web.url(WEB), service.client._session)
        await others_work(places, client)


async def test_source_that_was_killed_starts_again_by_itself(service: Running) -> None:
    pid = process.whereis(f"{SOURCES}.other")
    assert pid is not None

    process.exit(pid, "kill")

    await eventually(lambda: process.whereis(f"{SOURCES}.other") not in (None, pid))
    await eventually(lambda: tree_of(service, "other").state.name == "running")


async def test_pause_ends_an_attempt_to_start(
    places: Places, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "START_SECONDS", 0.01)
    places.other.faults.inject(Hang())
    runner = SourceRunner.name_of("other")
    settings = places.settings
    async with TransactionTrackerApplication(settings.replace(sources=settings.sources[1:])) as app:
        assert app.sources[0].state.name in ("starting", "failed")
        await SourceRunner.pause(runner)

        places.other.faults.clear()

        await eventually(lambda: process.whereis(f"{SOURCES}.other") is None)
        requests = places.other.http_requests
        await others_of_bank(places, Client(await Web.url(WEB), session))
        assert places.other.http_requests == requests
        assert app.sources[0].state.name == "paused"


async def others_of_bank(places: Places, client: Client) -> None:
    places.bank.answer = lambda request: {"status": "settled"}
    await client.post("/v1/transactions", {"id": "PAY-1"})
    await client.reach("PAY-1", "confirmed")


async def test_start_does_not_wait_for_a_source_that_hangs(places: Places) -> None:
    options = places.settings.sources[2]
    assert options.http is not None
    source = HttpPollingSource.of(options.http)
    never_started = SourceTree(options, source=source, label="bank")

    with pytest.raises(IgnoredError):
        await WaitForSources.start([never_started], 0.01)

    assert not never_started.state.attempted.is_set()


async def test_bug_in_the_start_of_one_source_does_not_stop_the_others(
    places: Places, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    children = SourceTree.children

    def broken(source: SourceTree) -> list[ChildSpec]:
        if source.label == "other":
            raise ZeroDivisionError("a bug")
        return children(source)

    monkeypatch.setattr(SourceTree, "children", broken)
    async with TransactionTrackerApplication(places.settings) as application:
        await others_work(places, Client(await Web.url(WEB), session))
        failed = application.sources[1].state

    assert (failed.name, failed.failure) == ("failed", "ZeroDivisionError: a bug")
