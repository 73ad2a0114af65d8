"""Ids of several sources: with a chain id, without one, and of no source."""

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from beamish import StartError
from transaction_tracker import Settings, TransactionTracker, TransactionTrackerApplication
from transaction_tracker.api import WEB, Web, WebOptions
from transaction_tracker.domain import AmbiguousIdError, InvalidTransactionError, Tracked
from transaction_tracker.sources.http_polling import HttpPollingSource
from transaction_tracker.tracker import TrackerContext

from ..service.client import Client  # noqa: TID252
from ..tracker.support import eventually, submit  # noqa: TID252
from .conftest import Places, Running

HASH = "0x" + "ab" * 32


async def refused(service: Running, path: str, body: object = None) -> tuple[int, Any]:
    """Send a request, and return the status and the problem."""
    url = f"{service.client.url}{path}"
    session = service.client._session
    request = session.get(url) if body is None else session.post(url, json=body)
    async with request as response:
        return response.status, await response.json()


async def test_equal_hash_is_followed_on_each_chain(places: Places, service: Running) -> None:
    first = submit(places.main)
    # Replayed: a transaction without a chain id has the same hash on each chain.
    places.other.chain.add(replace(first, chain_id=31338))
    ids = [f"eip155:31337:{first.hash}", f"eip155:31338:{first.hash}"]
    await service.client.post("/v1/transactions", [{"id": one} for one in ids])

    await places.main.mine(2)

    done = await service.client.reach(ids[0], "confirmed")
    waits = await service.client.get(f"/v1/transactions/{ids[1]}")
    assert (done["id"], done["caip_id"]) == (ids[0], ids[0])
    assert waits["state"] in ("registered", "pending")
    await places.other.mine(2)
    await service.client.reach(ids[1], "confirmed")


async def test_plain_hash_of_several_chains_is_ambiguous(service: Running) -> None:
    status, problem = await refused(service, "/v1/transactions", {"id": HASH})

    candidates = [f"eip155:31337:{HASH}", f"eip155:31338:{HASH}"]
    assert status == 409
    assert problem["type"].endswith(":ambiguous-id")
    assert problem["errors"][0]["candidates"] == candidates
    assert problem["errors"][0]["pointer"] == "#/id"


async def test_ambiguous_id_of_a_list_does_not_refuse_the_others(service: Running) -> None:
    body = [{"id": HASH}, {"id": f"eip155:31338:{HASH}"}]

    reply = await service.client.post("/v1/transactions", body)

    assert (reply["accepted"], reply["refused"]) == (1, 1)


async def test_plain_hash_means_the_only_registered_one(service: Running) -> None:
    full = f"eip155:31338:{HASH}"
    await service.client.post("/v1/transactions", [{"id": full}])

    found = await service.client.get(f"/v1/transactions/{HASH}")

    assert found["id"] == full


async def test_plain_hash_of_two_registered_ones_is_ambiguous(service: Running) -> None:
    ids = [f"eip155:{chain}:{HASH}" for chain in (31337, 31338)]
    await service.client.post("/v1/transactions", [{"id": one} for one in ids])

    status, problem = await refused(service, f"/v1/transactions/{HASH}")

    assert status == 409
    assert problem["errors"][0]["candidates"] == ids


async def test_id_that_fits_one_source_needs_no_chain_id(places: Places, service: Running) -> None:
    places.bank.answer = lambda request: {"status": "settled"}
    await service.client.post("/v1/transactions", {"id": "PAY-7"})

    found = await service.client.reach("PAY-7", "confirmed")

    assert (found["id"], found["caip_id"]) == ("PAY-7", "http:example-bank:PAY-7")
    again = await service.client.get("/v1/transactions/http:example-bank:PAY-7")
    assert again["id"] == "PAY-7"


async def test_unknown_chain_is_refused_with_the_field(service: Running) -> None:
    status, problem = await refused(service, "/v1/transactions", {"id": f"eip155:5:{HASH}"})

    assert status == 422
    assert problem["errors"][0]["pointer"] == "#/id"
    assert "eip155:31337, eip155:31338, http:example-bank, got one of eip155:5" in problem["detail"]


async def test_unregistered_hash_is_not_tracked(service: Running) -> None:
    status, _ = await refused(service, f"/v1/transactions/{HASH}")

    assert status == 404


async def test_events_have_the_id_as_registered_and_the_full_one(
    places: Places, service: Running
) -> None:
    places.bank.answer = lambda request: {"status": "settled"}
    await service.client.post("/v1/transactions", {"id": "PAY-8"})
    await service.client.reach("PAY-8", "confirmed")

    page = await service.client.get("/v1/events", transaction="http:example-bank:PAY-8")

    assert {event["transaction"] for event in page["events"]} == {"PAY-8"}
    assert {event["caip_id"] for event in page["events"]} == {"http:example-bank:PAY-8"}


async def test_python_programs_get_the_same_answers(places: Places, service: Running) -> None:
    tx = submit(places.other)
    full = f"eip155:31338:{tx.hash}"
    with pytest.raises(AmbiguousIdError, match="eip155:31337"):
        await TransactionTracker.start(tx.hash)
    with pytest.raises(InvalidTransactionError, match="fits none of the sources"):
        await TransactionTracker.start("nonsense")

    pid = await TransactionTracker.start(full)

    assert TransactionTracker.lookup(tx.hash) == pid
    await places.other.mine(2)
    assert (await TransactionTracker.wait(tx.hash, timeout=50)).state == "confirmed"
    assert (await TransactionTracker.status(full)).key == full


async def test_untracked_and_rechecked_transactions_are_found_by_each_id(
    places: Places, service: Running
) -> None:
    full = f"eip155:31338:{submit(places.other).hash}"
    await service.client.post("/v1/transactions", {"id": full})
    plain = full.rpartition(":")[2]

    await TransactionTracker.recheck(plain)
    ended = await TransactionTracker.untrack(plain)

    assert (ended.state, ended.key) == ("untracked", full)


async def test_status_of_a_plain_hash_is_ambiguous_if_one_of_two_has_ended(
    places: Places, service: Running
) -> None:
    first = submit(places.main)
    places.other.chain.add(replace(first, chain_id=31338))
    ids = [f"eip155:{chain}:{first.hash}" for chain in (31337, 31338)]
    await service.client.post("/v1/transactions", [{"id": one} for one in ids])
    await places.main.mine(2)
    await service.client.reach(ids[0], "confirmed")

    with pytest.raises(AmbiguousIdError):
        await TransactionTracker.status(first.hash)


async def test_parked_transaction_that_was_registered_plainly_is_rechecked(
    places: Places, session: aiohttp.ClientSession
) -> None:
    tx = submit(places.main)
    alone = Settings(places.main.url, confirmations=2, database=places.database)
    async with TransactionTrackerApplication(alone):
        await TransactionTracker.start(tx.hash)

    async with TransactionTrackerApplication(places.settings):
        tracked = await TransactionTracker.status(tx.hash)
        await TransactionTracker.park(tracked, "poison")
        await eventually(lambda: main_open(tx.hash).error == "poison")
        await TransactionTracker.recheck(tx.hash)
        await eventually(lambda: main_open(tx.hash).error is None)


def main_open(transaction: str) -> Tracked:
    """Return an open transaction of the source "main"."""
    found = TrackerContext.current("main").open_transactions.get(transaction)
    assert found is not None
    return found


async def test_repriced_transaction_is_followed_in_its_own_chain(
    places: Places, session: aiohttp.ClientSession
) -> None:
    main, other, bank = places.settings.sources
    settings = places.settings.replace(
        sources=(main, other.replace(follow_repriced=True, expires_after=3600.0), bank)
    )
    async with TransactionTrackerApplication(settings):
        client = Client(await Web.url(WEB), session)
        loser = submit(places.other)
        await client.post("/v1/transactions", {"id": f"eip155:31338:{loser.hash}"})
        await client.reach(f"eip155:31338:{loser.hash}", "pending")
        winner = places.other.chain.replace(loser.hash, "repriced")
        await places.other.mine(2)

        ended = await client.reach(f"eip155:31338:{loser.hash}", "replaced")
        followed = await client.reach(f"eip155:31338:{winner.hash}", "confirmed")

    assert ended["superseded_by"] == winner.hash
    assert followed["id"] == f"eip155:31338:{winner.hash}"
    assert followed["deadline"] is not None


async def test_id_that_is_too_long_with_its_chain_id_is_refused(
    places: Places, session: aiohttp.ClientSession
) -> None:
    main, other, bank = places.settings.sources
    assert bank.http is not None
    http = bank.http.replace(id_pattern="[a-z]+")
    settings = places.settings.replace(sources=(main, other, bank.replace(http=http)))
    async with TransactionTrackerApplication(settings) as application:
        service = Running(application, Client(await Web.url(WEB), session))

        status, problem = await refused(service, "/v1/transactions", {"id": "x" * 190})

    assert status == 422
    assert "at most 200 characters with its chain id, got 208" in problem["detail"]


async def test_only_source_accepts_ids_with_its_chain_id(
    places: Places, session: aiohttp.ClientSession
) -> None:
    tx = submit(places.main)
    settings = Settings(
        places.main.url,
        confirmations=2,
        poll_interval=0.01,
        database=places.database,
        web=WebOptions(port=0),
    )
    async with TransactionTrackerApplication(settings) as application:
        service = Running(application, Client(await Web.url(WEB), session))
        full = f"eip155:31337:{tx.hash}"
        await service.client.post("/v1/transactions", {"id": full})
        await places.main.mine(2)

        ended = await service.client.reach(tx.hash, "confirmed")
        status, problem = await refused(service, f"/v1/transactions/eip155:5:{tx.hash}")

    assert (ended["id"], ended["caip_id"]) == (full, full)
    assert status == 422
    assert "expected an id of eip155:31337, got one of eip155:5" in problem["detail"]


async def test_transactions_of_the_only_source_are_followed_with_others(
    places: Places, session: aiohttp.ClientSession
) -> None:
    tx = submit(places.main)
    alone = Settings(places.main.url, confirmations=2, database=places.database)
    async with TransactionTrackerApplication(alone):
        await TransactionTracker.start(tx.hash)

    async with TransactionTrackerApplication(places.settings):
        client = Client(await Web.url(WEB), session)
        reply = await client.post("/v1/transactions", {"id": tx.hash})
        await places.main.mine(2)
        ended = await client.reach(tx.hash, "confirmed")

    assert reply["results"][0]["id"] == tx.hash
    assert (ended["id"], ended["caip_id"]) == (tx.hash, f"eip155:31337:{tx.hash}")


async def test_only_source_refuses_a_database_with_several(places: Places) -> None:
    async with TransactionTrackerApplication(places.settings):
        pass
    alone = Settings(places.main.url, database=places.database)

    with pytest.raises(StartError) as caught:
        async with TransactionTrackerApplication(alone):
            pass

    assert r"list each of them in [[sources]]" in causes(caught.value)


def causes(error: BaseException) -> str:
    """Return the texts of an error and of its causes."""
    texts = []
    found: BaseException | None = error
    while found is not None:
        texts.append(str(found))
        found = found.__cause__
    return "; ".join(texts)


async def test_id_of_an_unknown_chain_is_not_one_of_a_service_with_colons(
    places: Places, session: aiohttp.ClientSession
) -> None:
    main, _, bank = places.settings.sources
    assert bank.http is not None
    pattern = "[a-z0-9]+:[0-9]+:[A-Za-z0-9]+"
    colons = bank.replace(http=bank.http.model_copy(update={"id_pattern": pattern}))
    settings = places.settings.replace(sources=(main, colons))
    async with TransactionTrackerApplication(settings) as application:
        service = Running(application, Client(await Web.url(WEB), session))

        status, problem = await refused(service, "/v1/transactions", {"id": f"eip155:9:{HASH}"})
        reply = await service.client.post("/v1/transactions", {"id": "transfer:9:17"})

    assert (status, "got one of eip155:9" in problem["detail"]) == (422, True)
    assert reply["accepted"] == 1


async def test_transaction_of_a_removed_source_is_shown_and_not_changed(
    places: Places, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    main, other, bank = places.settings.sources
    async with TransactionTrackerApplication(places.settings.replace(sources=(main, bank))):
        await TransactionTracker.start(HASH)

    settings = places.settings.replace(sources=(other, bank))
    async with TransactionTrackerApplication(settings) as application:
        url = f"{await Web.url(WEB)}/v1/transactions/{HASH}"
        service = Running(application, Client(await Web.url(WEB), session))
        before = await service.client.get(f"/v1/transactions/{HASH}")
        for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/recheck")):
            async with session.request(method, url + path, json={"confirmations": 9}) as response:
                problem = await response.json()
                assert (response.status, problem["type"].rpartition(":")[2]) == (
                    409,
                    "not-followed",
                )
                assert "ethereum:31337; add it to [[sources]]" in problem["detail"]
        after = await service.client.get(f"/v1/transactions/{HASH}")

    names = ("id", "state", "version", "required")
    assert [before[name] for name in names] == [after[name] for name in names]
    told = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert told == [
        "1 open transactions of ethereum:31337 are not followed; add the source to [[sources]]"
    ]


async def test_long_id_of_a_service_with_one_source_is_found_in_one_with_several(
    places: Places, session: aiohttp.ClientSession
) -> None:
    main, _, bank = places.settings.sources
    assert bank.http is not None
    section = bank.http.model_copy(update={"id_pattern": "PAY-[0-9]{1,196}"})
    bank = bank.replace(http=section)
    only = Settings(database=places.database, poll_interval=0.01)
    key = "PAY-" + "1" * 190
    source = HttpPollingSource.of(section)
    async with TransactionTrackerApplication(only, source=source):
        await TransactionTracker.start(key)

    settings = places.settings.replace(sources=(main, bank))
    async with TransactionTrackerApplication(settings):
        client = Client(await Web.url(WEB), session)
        shown = await client.get(f"/v1/transactions/{key}")
        ended = await TransactionTracker.untrack(key)

    assert (shown["id"], ended.state) == (key, "untracked")


async def test_transaction_of_a_removed_source_is_read_by_its_id_with_the_chain_id(
    places: Places, session: aiohttp.ClientSession
) -> None:
    """The list shows it with this id."""
    main, other, bank = places.settings.sources
    async with TransactionTrackerApplication(places.settings.replace(sources=(main, bank))):
        await TransactionTracker.start(HASH)

    async with TransactionTrackerApplication(places.settings.replace(sources=(other, bank))):
        url = f"{await Web.url(WEB)}/v1/transactions/eip155:31337:"
        async with session.get(url + HASH) as response:
            shown = await response.json()
        async with session.get(url + "0x" + "cd" * 32) as unknown:
            pass

    assert (response.status, shown["id"]) == (200, HASH)
    assert unknown.status == 422
