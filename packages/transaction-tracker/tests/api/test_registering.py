"""Registering transactions: one, many, valid and invalid ones together."""

import time
from typing import Any

import orjson
import pytest

from transaction_tracker import TransactionTracker
from transaction_tracker.api import registering
from transaction_tracker.api.items import MAX_ITEMS, read_items
from transaction_tracker.api.registering import check_items
from transaction_tracker.domain import MAX_METADATA_BYTES, Registration
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.store import OpenTransactions
from transaction_tracker.tracker import TrackerContext

from .support import Client, serving

PATH = "/v1/transactions"


async def test_one_object_registers_one_transaction(client: Client) -> None:
    reply = await client.post(PATH, json={"id": "ABCDEFGH", "metadata": {"order": 7}})

    assert reply.status == 200
    assert reply.json["results"] == [
        {
            "id": "abcdefgh",
            "caip_id": "somewhere:1:abcdefgh",
            "status": "accepted",
            "state": "registered",
            "version": 0,
        }
    ]
    stored = (await client.get(f"{PATH}/abcdefgh")).json
    assert stored["metadata"] == {"order": 7}
    assert stored["required"] == 12
    assert TransactionTracker.lookup("abcdefgh") is not None


@pytest.mark.parametrize("wrap", [lambda items: items, lambda items: {"transactions": items}])
async def test_invalid_registrations_are_reported_and_valid_ones_stored(
    client: Client, wrap: Any
) -> None:
    items: list[Any] = [
        {"id": "aaaaaaaa", "confirmations": "finalized"},
        {"id": "short"},
        5,
        {"id": "bbbbbbbb", "confirmations": 0},
        {"id": "cccccccc", "confirmations": 3},
        {"id": "aaaaaaaa"},
        {"confirmations": 3},
        None,
    ]

    reply = (await client.post(PATH, json=wrap(items))).json

    assert (reply["accepted"], reply["refused"]) == (3, 5)
    assert [one["status"] == "accepted" for one in reply["results"]] == [
        True, False, False, False, True, True, False, False,
    ]  # fmt: skip
    place = "#" if isinstance(wrap([]), list) else "#/transactions"
    faults = [one["errors"][0]["pointer"] for one in reply["results"] if "errors" in one]
    assert faults == [f"{place}/{step}" for step in ("1/id", "2", "3/confirmations", "6/id", "7")]
    listed = (await client.get(PATH)).json["transactions"]
    assert {one["id"]: one["required"] for one in listed} == {
        "aaaaaaaa": "finalized",
        "cccccccc": 3,
    }


@pytest.mark.parametrize(
    ("item", "pointer"),
    [
        ({"id": "abcdefgh", "confirmations": True}, "#/confirmations"),
        ({"id": "abcdefgh", "confirmations": "12"}, "#/confirmations"),
        ({"id": "abcdefgh", "confirmations": 1.5}, "#/confirmations"),
        ({"id": "abcdefgh", "confirmations": -1}, "#/confirmations"),
        ({"id": "abcdefgh", "confirmations": 10_001}, "#/confirmations"),
        ({"id": "abcdefgh", "confirmations": 2**70}, "#/confirmations"),
        ({"id": "abcdefgh", "expires_in": 0}, "#/expires_in"),
        ({"id": "abcdefgh", "expires_in": "1"}, "#/expires_in"),
        ({"id": "abcdefgh", "expires_in": 1e300}, "#/expires_in"),
        ({"id": "abcdefgh", "deadline": 1_700_000_000}, "#/deadline"),
        ({"id": "abcdefgh", "deadline": "1700000000"}, "#/deadline"),
        ({"id": "abcdefgh", "deadline": "tomorrow"}, "#/deadline"),
        ({"id": "abcdefgh", "deadline": "2030-01-01T00:00:00"}, "#/deadline"),
        ({"id": "abcdefgh", "deadline": "2030-01-01T00:00:00Z", "expires_in": 1}, "#"),
        ({"id": "abcdefgh", "metadata": []}, "#/metadata"),
        ({"id": "abcdefgh", "metadata": {"a": "b" * MAX_METADATA_BYTES}}, "#/metadata"),
        ({"id": "abcdefgh", "colour": "red"}, "#/colour"),
        ({"id": "abcdefgh", "a/b~c": 1}, "#/a~1b~0c"),
        ({"id": "a" * 201}, "#/id"),
        ({"id": ""}, "#/id"),
        ({"id": 5}, "#/id"),
        ({"id": "<script>"}, "#/id"),
        ({}, "#/id"),
    ],
)
async def test_single_invalid_registration_is_a_problem_with_a_pointer(
    client: Client, item: dict[str, Any], pointer: str
) -> None:
    reply = await client.post(PATH, json=item)

    assert reply.status == 422
    assert {fault["pointer"] for fault in reply.json["errors"]} == {pointer}
    assert (await client.get(PATH)).json["transactions"] == []


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"transactions": []},
        {"transactions": {}},
        {"transactions": [], "id": "abcdefgh"},
        5,
        "x",
        True,
    ],
)
async def test_body_of_another_shape_is_a_problem(client: Client, body: Any) -> None:
    assert (await client.post(PATH, json=body)).status == 422


async def test_more_than_ten_thousand_are_a_problem(client: Client) -> None:
    items = [{"id": "abcdefgh"}] * (MAX_ITEMS + 1)

    assert (await client.post(PATH, json=items)).status == 422
    assert (await client.get(PATH)).json["transactions"] == []


async def test_whole_float_is_an_integer(client: Client) -> None:
    body = b'{"id": "abcdefgh", "confirmations": 3.0}'

    await client.post(PATH, data=body, headers={"Content-Type": "application/json"})

    assert (await client.get(f"{PATH}/abcdefgh")).json["required"] == 3


async def test_deadline_is_stored(client: Client) -> None:
    await client.post(PATH, json={"id": "aaaaaaaa", "deadline": "2030-01-01T02:00:00+02:00"})
    before = time.time()
    await client.post(PATH, json={"id": "bbbbbbbb", "expires_in": 60})

    first = (await client.get(f"{PATH}/aaaaaaaa")).json
    second = await TransactionTracker.status("bbbbbbbb")
    assert first["deadline"] == "2030-01-01T00:00:00Z"
    assert second.deadline is not None
    assert before + 60 <= second.deadline <= time.time() + 60


async def test_full_queue_has_retry_after() -> None:
    async with serving(max_registering=2) as client:
        three = [{"id": f"{number:08}"} for number in range(3)]
        refused = await client.post(PATH, json=three)
        accepted = await client.post(PATH, json=three[:2])

    assert refused.status == 429
    assert refused.headers["retry-after"] == "1"
    assert accepted.status == 200


async def test_unknown_finality_tag_is_refused_with_a_pointer() -> None:
    """A transaction that waits for an unknown tag would never end."""
    source = EthereumSource("http://127.0.0.1:1", 1, profile={"finality_tags": False})
    context = TrackerContext(source, OpenTransactions(), required=12)
    body = orjson.dumps([{"id": "0x" + "1" * 64, "confirmations": tag} for tag in ("safe", 3)])

    refused, accepted = await check_items(read_items(body), [context])

    (error,) = refused.errors
    assert error["pointer"] == "#/0/confirmations"
    assert error["detail"].startswith("confirmations must be a number of blocks on")
    assert accepted.registration is not None


@pytest.mark.parametrize(
    "deadline", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"]
)
async def test_deadline_before_1970_is_refused_with_a_pointer(
    client: Client, deadline: str
) -> None:
    items = [{"id": "aaaaaaaa"}, {"id": "bbbbbbbb", "deadline": deadline}]

    reply = await client.post(PATH, json=items)

    assert reply.status == 200
    accepted, refused = reply.json["results"]
    assert accepted["status"] == "accepted"
    assert refused["errors"][0]["pointer"] == "#/1/deadline"


async def test_registration_that_breaks_any_other_rule_is_refused_alone(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "Registration", _strict_registration)

    reply = await client.post(PATH, json=[{"id": "aaaaaaaa"}, {"id": "bbbbbbbb"}])

    assert reply.status == 200
    accepted, refused = reply.json["results"]
    assert accepted["status"] == "accepted"
    assert refused["errors"] == [{"detail": "id must begin with a", "pointer": "#/1"}]


def _strict_registration(key: str, *options: Any) -> Registration:
    if not key.startswith("a"):
        raise ValueError("id must begin with a")
    return Registration(key, *options)
