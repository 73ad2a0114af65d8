"""Watched addresses over HTTP, in the complete application with a development node."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from transaction_tracker import Settings, TransactionTrackerApplication
from transaction_tracker.api import WEB, Service, Web, WebOptions
from transaction_tracker.store.addresses import watching
from txtrack_devnode import Chain, DevelopmentNode

from ..service.receiver import receiving  # noqa: TID252 - the one receiver that verifies
from .support import Client, eventually

PATH = "/v1/addresses"
LOWER = "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"
MIXED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.fixture
async def node() -> AsyncIterator[DevelopmentNode]:
    async with DevelopmentNode(chain=Chain(accounts=4)) as running:
        yield running


@pytest.fixture
async def client(node: DevelopmentNode) -> AsyncIterator[Client]:
    settings = Settings(
        node.url,
        confirmations=2,
        database=":memory:",
        poll_interval=0.01,
        web=WebOptions(port=0),
        allow_private=("127.0.0.0/8",),
    )
    async with (
        TransactionTrackerApplication(settings) as app,
        aiohttp.ClientSession() as session,
    ):
        await eventually(lambda: app.tip is not None)
        service: Service = None  # type: ignore[assignment]
        yield Client(await Web.url(WEB), session, service)


async def test_deposit_ends_as_a_signed_webhook_that_says_who_paid_how_much(
    client: Client, node: DevelopmentNode
) -> None:
    payer, shop = node.chain.accounts[0], node.chain.accounts[1]
    async with receiving() as receiver:
        added = await client.post("/v1/endpoints", json={"url": receiver.url})
        receiver.secret = added.json["secret"]
        await client.post(PATH, json={"address": shop, "metadata": {"customer": 7}})
        payment = node.chain.submit(payer, shop, 5)
        await node.mine(3)
        await eventually(lambda: "confirmed" in receiver.of(payment.hash))

    assert receiver.forged == []
    data = next(
        each["data"] for each in receiver.messages if each["type"] == "transaction.confirmed"
    )
    assert data["address"] == shop.lower()
    assert data["deposits"] == [{"address": shop.lower(), "token": None, "value": "5"}]
    assert data["details"]["from"] == payer.lower()
    assert data["metadata"] == {"customer": 7}


async def test_address_is_read_listed_and_removed(client: Client) -> None:
    other = "0x" + "ab" * 20
    added = await client.post(
        PATH,
        json=[{"address": MIXED, "confirmations": 7, "metadata": {"a": 1}}, {"address": other}],
    )
    shown = await client.get(f"{PATH}/{MIXED}")
    first = await client.get(f"{PATH}?limit=1")
    rest = await client.get(f"{PATH}?limit=1&cursor={first.json['next']}")
    last = await client.get(f"{PATH}?limit=1&cursor={rest.json['next']}")
    removed = await client.ask("DELETE", f"{PATH}/eip155:31337:{LOWER}")
    gone = await client.get(f"{PATH}/{LOWER}")

    assert (added.json["accepted"], added.json["refused"]) == (2, 0)
    assert added.json["results"][0] == {
        "address": LOWER,
        "caip_id": f"eip155:31337:{LOWER}",
        "status": "accepted",
        "existing": False,
    }
    expected = {
        "address": LOWER,
        "caip_id": f"eip155:31337:{LOWER}",
        "source": None,
        "confirmations": 7,
        "metadata": {"a": 1},
        "watched_from": 1,
        "found": 0,
        "open": 0,
        "passed_over": {"below_minimum": 0, "over_limit": 0, "failed": 0},
        "search": None,
    }
    assert {name: shown.json[name] for name in expected} == expected
    assert [each["address"] for each in first.json["addresses"]] == [LOWER]
    assert [each["address"] for each in rest.json["addresses"]] == [other]
    assert (last.json["addresses"], last.json["next"]) == ([], None)
    assert (removed.status, removed.json["address"]) == (200, LOWER)
    assert (gone.status, gone.json["type"].rpartition(":")[2]) == (404, "not-watched")


async def test_address_that_is_watched_stays_as_it_is(client: Client) -> None:
    await client.post(PATH, json={"address": LOWER, "metadata": {"a": 1}, "confirmations": 7})

    again = await client.post(PATH, json={"address": LOWER, "metadata": {"a": 2}})

    assert again.json["accepted"] == 1
    assert again.json["results"][0]["existing"]
    shown = (await client.get(f"{PATH}/{LOWER}")).json
    assert (shown["metadata"], shown["confirmations"]) == ({"a": 1}, 7)


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        ({"address": MIXED.replace("5aAe", "5AAe")}, "#/address"),
        ({"address": "0x12"}, "#/address"),
        ({"address": f"eip155:1:{LOWER}"}, "#/address"),
        ({"address": 5}, "#/address"),
        ({"address": "0x" + "0" * 40}, "#/address"),
        ({"address": "0x" + "a" * 200}, "#/address"),
        ({}, "#/address"),
        ({"address": LOWER, "confirmations": 0}, "#/confirmations"),
        ({"address": LOWER, "from_block": -1}, "#/from_block"),
        ({"address": LOWER, "from_block": "now"}, "#/from_block"),
        ({"address": LOWER, "metadata": {"a": "b" * 5_000}}, "#/metadata"),
        ({"address": LOWER, "metadata": 5}, "#/metadata"),
        ({"address": LOWER, "token": LOWER}, "#/token"),
    ],
)
async def test_invalid_address_is_refused(client: Client, item: Any, pointer: str) -> None:
    reply = await client.post(PATH, json=item)

    assert reply.status == 422
    assert reply.json["errors"][0]["pointer"] == pointer
    assert (await client.get(PATH)).json["addresses"] == []


async def test_valid_addresses_of_a_list_are_stored(client: Client) -> None:
    reply = await client.post(PATH, json={"addresses": [{"address": LOWER}, 5, {"address": "no"}]})

    assert (reply.json["accepted"], reply.json["refused"]) == (1, 2)
    places = [each["errors"][0]["pointer"] for each in reply.json["results"][1:]]
    assert places == ["#/addresses/1", "#/addresses/2/address"]


async def test_first_of_several_equal_addresses_counts(client: Client) -> None:
    reply = await client.post(
        PATH,
        json=[
            {"address": LOWER, "confirmations": 7},
            {"address": MIXED, "confirmations": 9},
        ],
    )

    assert [each["existing"] for each in reply.json["results"]] == [False, True]
    assert (await client.get(f"{PATH}/{LOWER}")).json["confirmations"] == 7


async def test_unknown_source_is_not_found(client: Client) -> None:
    replies = [
        await client.post(PATH, json={"address": LOWER, "source": "other"}),
        await client.get(f"{PATH}?source=other"),
        await client.get(f"{PATH}/{LOWER}?source=other"),
        await client.ask("DELETE", f"{PATH}/{LOWER}?source=other"),
    ]

    assert [reply.status for reply in replies] == [404] * 4


async def test_number_of_addresses_is_limited(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_ADDRESSES", 1)
    other = "0x" + "ab" * 20

    first = await client.post(PATH, json={"address": LOWER})
    second = await client.post(PATH, json={"address": other})
    same = await client.post(PATH, json={"address": LOWER})

    assert [reply.status for reply in (first, second, same)] == [200, 409, 200]
    assert second.json["type"].rpartition(":")[2] == "too-many-addresses"


async def test_forged_cursor_is_an_empty_page_or_a_problem(client: Client) -> None:
    for cursor, status in (("w00", 200), ("wff20ff", 200), ("x", 422), ("w", 422)):
        assert (await client.get(f"{PATH}?cursor={cursor}")).status == status, cursor
