"""What a payment must be: registering it, and the shapes in which it and its details are told."""

from dataclasses import fields
from typing import Any

import msgspec
import orjson
import pytest

from transaction_tracker.api.items import read_items
from transaction_tracker.api.registering import CheckedItem, check_items
from transaction_tracker.delivery import payload, views
from transaction_tracker.domain import (
    Difference,
    Event,
    Expectation,
    TokenUnit,
    Tracked,
    Transfer,
)
from transaction_tracker.sources.ethereum import EthereumSource
from transaction_tracker.store import OpenTransactions
from transaction_tracker.store.details import NAMES, OUTPUT_NAMES
from transaction_tracker.store.feed import EventRecord
from transaction_tracker.tracker import TrackerContext

from .support import Client, move, register

PATH = "/v1/transactions"
CHECKED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
LOWER = CHECKED.lower()
WRONG = CHECKED.replace("A", "a", 1)


async def checked(expect: Any) -> CheckedItem:
    """Check one registration of a list at a chain."""
    context = TrackerContext(EthereumSource("http://127.0.0.1:1", 1), OpenTransactions(), 12)
    body = orjson.dumps([{"id": "0x" + "1" * 64, "expect": expect}])
    (found,) = await check_items(read_items(body), [context])
    return found


@pytest.mark.parametrize(
    ("expect", "expectation"),
    [
        (None, None),
        ({"to": CHECKED}, Expectation(recipient=LOWER)),
        ({"value": "0"}, Expectation(value=0)),
        ({"from": LOWER, "min_value": "1" + "0" * 30}, Expectation(sender=LOWER, min_value=10**30)),
        (
            {"to": LOWER, "token": CHECKED, "value": "1"},
            Expectation(recipient=LOWER, token=LOWER, value=1),
        ),
    ],
)
async def test_expectation_is_registered(expect: Any, expectation: Expectation | None) -> None:
    found = await checked(expect)

    assert found.errors == ()
    assert found.registration is not None
    assert found.registration.expectation == expectation


@pytest.mark.parametrize(
    ("expect", "pointer", "words"),
    [
        ([], "#/0/expect", "dictionary"),
        ("x", "#/0/expect", "dictionary"),
        ({}, "#/0/expect", "at least one of from, to, value and min_value"),
        ({"token": LOWER}, "#/0/expect", "token needs the recipient"),
        ({"token": LOWER, "value": "1"}, "#/0/expect", "token needs the recipient"),
        ({"value": "1", "min_value": "1"}, "#/0/expect", "not both"),
        ({"amount": "1"}, "#/0/expect/amount", "unknown field; expected from, to, token, value"),
        ({"to": WRONG}, "#/0/expect/to", "valid checksum (EIP-55)"),
        ({"from": "me"}, "#/0/expect/from", "0x and 40 hexadecimal digits, got 'me'"),
        ({"to": LOWER, "from": None}, "#/0/expect/from", "address as text, got None"),
        ({"value": None}, "#/0/expect/value", "got None"),
        ({"token": "0x" + "0" * 40, "to": LOWER}, "#/0/expect/token", "leave token out"),
        ({"token": 7, "to": LOWER}, "#/0/expect/token", "expected text"),
        ({"value": "1.5"}, "#/0/expect/value", "whole number of the smallest unit"),
        ({"value": 1.5}, "#/0/expect/value", "got 1.5"),
        ({"value": "-1"}, "#/0/expect/value", "got '-1'"),
        ({"value": 5}, "#/0/expect/value", "expected text"),
        ({"value": True}, "#/0/expect/value", "got True"),
        ({"value": "0x10"}, "#/0/expect/value", "got '0x10'"),
        ({"value": "\u0661"}, "#/0/expect/value", "whole number"),
        ({"min_value": ""}, "#/0/expect/min_value", "got ''"),
        ({"min_value": str(2**256)}, "#/0/expect", "min_value must be from 0"),
        ({"value": "9" * 100_000}, "#/0/expect/value", "whole number"),
        ({"a/b~c": 1}, "#/0/expect/a~1b~0c", "unknown field"),
    ],
)
async def test_invalid_expectation_is_refused_with_its_field(
    expect: Any, pointer: str, words: str
) -> None:
    found = await checked(expect)

    assert found.registration is None
    (error,) = found.errors
    assert error["pointer"] == pointer
    assert words in error["detail"]
    assert len(error["detail"]) <= 400


async def test_source_without_payments_refuses_an_expectation(client: Client) -> None:
    reply = await client.post(PATH, json={"id": "abcdefgh", "expect": {"value": "1"}})

    assert reply.status == 422
    (error,) = reply.json["errors"]
    assert error["pointer"] == "#/expect"
    assert "does not report who paid whom how much" in error["detail"]


async def test_transaction_without_details_has_none(client: Client) -> None:
    await register(client, "abcdefgh")
    await move("abcdefgh", state="pending")

    found = (await client.get(f"{PATH}/abcdefgh")).json

    assert (found["details"], found["expectation"]) == (None, None)
    (event,) = found["history"]
    assert (event["details"], event["expectation"]) == (None, None)
    assert event["payload_version"] == 4


def test_webhook_has_what_was_stored_with_its_event() -> None:
    event = Event("pending", Tracked("tx", 3, state="mined", version=2))
    entry = EventRecord(7, event, 1.0, "{}", '{"from":"a"}', '{"matches":true}')

    sent = orjson.loads(payload.body(entry))["data"]

    assert sent["details"] == {"from": "a"}
    assert sent["expectation"] == {"matches": True}
    assert sent["payload_version"] == views.PAYLOAD_VERSION


async def test_description_has_the_names_that_are_stored(client: Client) -> None:
    schemas = (await client.get("/openapi.json")).json["components"]["schemas"]

    assert tuple(schemas["DetailsView"]["properties"]) == (*NAMES, *OUTPUT_NAMES)
    transfer = {
        {"sender": "from", "recipient": "to"}.get(field.name, field.name)
        for field in msgspec.structs.fields(Transfer)
    }
    unit = {field.name for field in msgspec.structs.fields(TokenUnit)}
    assert set(schemas["TransferView"]["properties"]) == transfer - {"unit"} | unit
    differences = {field.name for field in fields(Difference)}
    assert set(schemas["DifferenceView"]["properties"]) == differences
    assert set(schemas["ExpectedView"]["properties"]) == {
        *("from", "to", "value", "min_value", "token")
    }
