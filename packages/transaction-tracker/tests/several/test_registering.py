"""Registration by sender and nonce or raw transaction, changes and Bitcoin with several sources."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from beamish import process
from transaction_tracker import TransactionTracker, TransactionTrackerApplication
from transaction_tracker.api import WEB, Web
from transaction_tracker.domain import AmbiguousIdError, InvalidTransactionError
from transaction_tracker.service import SourceSettings
from txtrack_devnode.bitcoin import BitcoinNode

from ..service.client import Client  # noqa: TID252
from ..signing import SENDER, legacy  # noqa: TID252
from ..tracker.support import submit  # noqa: TID252
from .conftest import Places, Running
from .test_ids import HASH, refused

TO = "0x" + "5b" * 20
REGTEST = "bip122:0f9188f13cb7b2c71f2a335e3a4fc328"


# -- Sender and nonce


async def test_sender_and_nonce_of_several_chains_are_ambiguous(service: Running) -> None:
    status, problem = await refused(service, "/v1/transactions", {"sender": SENDER, "nonce": 5})

    assert status == 409
    assert problem["errors"][0]["pointer"] == "#/sender"
    assert problem["errors"][0]["candidates"] == [
        f"eip155:31337:{SENDER}:5",
        f"eip155:31338:{SENDER}:5",
    ]


async def test_sender_and_nonce_are_followed_on_the_chain_of_the_id(
    places: Places, service: Running
) -> None:
    paid = submit(places.other)
    named = f"eip155:31338:{paid.sender}:{paid.nonce}"
    await service.client.post("/v1/transactions", {"id": named})

    await places.main.mine(2)
    await places.other.mine(2)

    ended = await service.client.reach(named, "confirmed")
    assert (ended["id"], ended["hash"], ended["caip_id"]) == (named, paid.hash, named)
    plain = await service.client.get(f"/v1/transactions/{paid.sender}:{paid.nonce}")
    assert plain["id"] == named


async def test_sender_and_nonce_that_are_registered_mean_the_same_again(
    places: Places, session: aiohttp.ClientSession
) -> None:
    main, _, bank = places.settings.sources
    async with TransactionTrackerApplication(places.settings.replace(sources=(main, bank))):
        client = Client(await Web.url(WEB), session)
        await client.post("/v1/transactions", {"sender": SENDER, "nonce": 5})

    async with TransactionTrackerApplication(places.settings):
        client = Client(await Web.url(WEB), session)
        again = await client.post(
            "/v1/transactions", {"sender": SENDER.upper().replace("0X", "0x"), "nonce": 5}
        )

    assert again["results"][0]["caip_id"] == f"eip155:31337:{SENDER}:5"


async def test_wrong_sender_is_refused_with_its_field(service: Running) -> None:
    status, problem = await refused(service, "/v1/transactions", {"sender": "me", "nonce": 5})

    assert status == 422
    assert problem["errors"][0]["pointer"] == "#/sender"


# -- Raw transactions


async def test_raw_transaction_belongs_to_the_chain_that_it_is_signed_for(
    service: Running,
) -> None:
    reply = await service.client.post("/v1/transactions", {"raw": legacy(5, TO, chain_id=31338)})

    (result,) = reply["results"]
    assert result["caip_id"] == f"eip155:31338:{result['id']}"
    tracked = await TransactionTracker.status(result["id"])
    assert (tracked.source, tracked.slots) == ("ethereum:31338", (f"{SENDER}:5",))


async def test_raw_transaction_of_no_chain_is_refused(service: Running) -> None:
    body = {"raw": legacy(5, TO, chain_id=5)}

    status, problem = await refused(service, "/v1/transactions", body)

    assert status == 422
    assert problem["errors"][0]["pointer"] == "#/raw"
    assert "signed for chain 5, this is chain 31337" in problem["detail"]
    with pytest.raises(InvalidTransactionError, match="the transaction fits none"):
        await TransactionTracker.start(raw=body["raw"])


async def test_raw_transaction_that_is_valid_on_every_chain_is_ambiguous(service: Running) -> None:
    raw = legacy(5, TO, chain_id=None)

    status, problem = await refused(service, "/v1/transactions", {"raw": raw})

    assert status == 409
    assert problem["errors"][0]["pointer"] == "#/raw"
    assert len(problem["errors"][0]["candidates"]) == 2
    with pytest.raises(AmbiguousIdError):
        await TransactionTracker.start(raw=raw)


async def test_each_source_decides_whether_it_sends_raw_transactions(
    places: Places, session: aiohttp.ClientSession
) -> None:
    main, other, bank = places.settings.sources
    settings = places.settings.replace(sources=(main, other.replace(rebroadcast=True), bank))
    async with TransactionTrackerApplication(settings) as application:
        service = Running(application, Client(await Web.url(WEB), session))
        bodies = [
            {"raw": legacy(5, TO, chain_id=chain), "rebroadcast": True} for chain in (31337, 31338)
        ]

        status, problem = await refused(service, "/v1/transactions", bodies[0])
        reply = await service.client.post("/v1/transactions", bodies[1])

        assert process.whereis("TransactionTracker.Rebroadcaster.other") is not None
        assert process.whereis("TransactionTracker.Rebroadcaster.main") is None
    assert (status, problem["errors"][0]["pointer"]) == (422, "#/rebroadcast")
    assert reply["accepted"] == 1


# -- Changes


async def test_change_is_that_of_the_chain_of_the_id(places: Places, service: Running) -> None:
    full = f"eip155:31338:{submit(places.other).hash}"
    await service.client.post("/v1/transactions", {"id": full, "confirmations": 100})
    await service.client.reach(full, "pending")
    await places.other.mine(2)
    await service.client.reach(full, "mined")

    changed = await patched(service, full, {"confirmations": 2})

    assert (changed["id"], changed["required"]) == (full, 2)
    # The follower of the other chain has read the change: no further block is needed.
    await service.client.reach(full, "confirmed")


async def test_change_of_a_plain_id_of_two_transactions_is_ambiguous(service: Running) -> None:
    ids = [f"eip155:{chain}:{HASH}" for chain in (31337, 31338)]
    await service.client.post("/v1/transactions", [{"id": key} for key in ids])

    problem = await patched(service, HASH, {"confirmations": 2})

    assert problem["status"] == 409
    assert problem["errors"][0]["candidates"] == ids


async def patched(service: Running, key: str, body: object) -> Any:
    """Change a transaction, and return the answer."""
    url = f"{service.client.url}/v1/transactions/{key}"
    async with service.client._session.patch(url, json=body) as response:
        return await response.json()


# -- Lists


async def test_pages_by_activity_have_the_transactions_of_one_source(service: Running) -> None:
    ids = [f"eip155:{chain}:{HASH[:-1]}{digit}" for chain in (31337, 31338) for digit in range(3)]
    await service.client.post("/v1/transactions", [{"id": key} for key in ids])

    found, query = list[str](), {"order": "activity", "source": "other", "limit": 1}
    while True:
        page = await service.client.get("/v1/transactions", **query)
        found += [shown["id"] for shown in page["transactions"]]
        if page["next"] is None:
            break
        query = {"cursor": page["next"], "source": "other", "limit": 1}

    assert sorted(found) == ids[3:]


# -- Bitcoin


@pytest.fixture
async def bitcoin() -> AsyncIterator[BitcoinNode]:
    async with BitcoinNode() as running:
        yield running


def of_bitcoin(node: BitcoinNode) -> SourceSettings:
    return SourceSettings(
        name="coins",
        type="bitcoin",
        network="regtest",
        rpc_url=node.url,
        confirmations=2,
        poll_interval=0.01,
        block_time=0.02,
    )


async def test_network_of_bitcoin_is_followed_with_other_sources(
    places: Places, session: aiohttp.ClientSession, bitcoin: BitcoinNode
) -> None:
    settings = places.settings
    settings = settings.replace(sources=(*settings.sources, of_bitcoin(bitcoin)))
    async with TransactionTrackerApplication(settings):
        client = Client(await Web.url(WEB), session)
        paid = bitcoin.chain.pay()
        reply = await client.post("/v1/transactions", [{"id": paid.id}])
        await client.reach(paid.id, "pending")

        bitcoin.chain.mine(2)

        ended = await client.reach(f"{REGTEST}:{paid.id}", "confirmed")
        listed = (await client.get("/v1/sources"))["sources"]
    assert reply["results"][0]["id"] == paid.id
    assert (ended["id"], ended["caip_id"]) == (paid.id, f"{REGTEST}:{paid.id}")
    assert {each["name"]: each["chain"] for each in listed}["coins"] == REGTEST
