"""Registering by sender and nonce."""

from typing import Any

import orjson
import pytest

from transaction_tracker import EthereumSource
from transaction_tracker.api.items import read_items
from transaction_tracker.api.registering import CheckedItem, check_items
from transaction_tracker.domain import MAX_NONCE
from transaction_tracker.store import OpenTransactions
from transaction_tracker.tracker import TrackerContext

from .support import Client, move, register

PATH = "/v1/transactions"
SENDER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
KEY = f"{SENDER.lower()}:5"


async def checked(**item: Any) -> CheckedItem:
    context = TrackerContext(EthereumSource("http://127.0.0.1:1", 1), OpenTransactions(), 12)
    (found,) = await check_items(read_items(orjson.dumps([item])), [context])
    return found


@pytest.mark.parametrize(
    "item", [{"sender": SENDER, "nonce": 5}, {"sender": SENDER, "nonce": 5.0}, {"id": KEY}]
)
async def test_slot_is_registered(item: dict[str, Any]) -> None:
    found = await checked(**item)

    assert found.errors == ()
    assert found.registration is not None
    assert (found.registration.id, found.registration.slot) == (KEY, KEY)


async def test_hash_has_no_slot() -> None:
    found = await checked(id="0x" + "1" * 64)

    assert found.registration is not None
    assert found.registration.slot is None


@pytest.mark.parametrize(
    ("item", "pointer", "words"),
    [
        ({}, "#/0/id", "either id, or raw, or sender and nonce"),
        ({"sender": SENDER}, "#/0/nonce", "either id, or raw, or sender and nonce"),
        ({"nonce": 5}, "#/0/sender", "either id, or raw, or sender and nonce"),
        (
            {"id": KEY, "sender": SENDER, "nonce": 5},
            "#/0/id",
            "either id, or raw, or sender and nonce",
        ),
        ({"id": KEY, "nonce": 5}, "#/0/id", "either id, or raw, or sender and nonce"),
        ({"sender": "me", "nonce": 5}, "#/0/sender", "40 hexadecimal digits, got 'me'"),
        ({"sender": SENDER.replace("A", "a", 1), "nonce": 5}, "#/0/sender", "EIP-55"),
        ({"sender": None, "nonce": 5}, "#/0/sender", "string"),
        ({"sender": SENDER, "nonce": "5"}, "#/0/nonce", "integer"),
        ({"sender": SENDER, "nonce": 1.5}, "#/0/nonce", "integer"),
        ({"sender": SENDER, "nonce": -1}, "#/0/nonce", "0"),
        ({"sender": SENDER, "nonce": True}, "#/0/nonce", "integer"),
        ({"sender": SENDER, "nonce": MAX_NONCE + 1}, "#/0/nonce", str(MAX_NONCE)),
        ({"id": f"{SENDER}:x"}, "#/0/id", "nonce: expected a whole number"),
        ({"id": None}, "#/0/id", "string"),
        ({"id": ""}, "#/0/id", "at least 1 character"),
    ],
)
async def test_invalid_slot_is_refused_with_its_field(
    item: dict[str, Any], pointer: str, words: str
) -> None:
    found = await checked(**item)

    assert found.registration is None
    (error,) = found.errors
    assert error["pointer"] == pointer
    assert words in error["detail"]


async def test_source_without_nonces_refuses(client: Client) -> None:
    reply = await client.post(PATH, json={"sender": SENDER, "nonce": 5})

    assert reply.status == 422
    assert reply.json["errors"][0]["pointer"] == "#/sender"
    assert "no senders with nonces" in reply.json["detail"]


async def test_views_and_events_have_the_hash_once_it_is_known(client: Client) -> None:
    await register(client, "abcdefgh")
    await move("abcdefgh", slots=("abcdefgh",))
    before = (await client.get(f"{PATH}/abcdefgh")).json
    await move("abcdefgh", state="mined", hash="0xab")

    after = (await client.get(f"{PATH}/abcdefgh")).json

    assert (before["hash"], after["hash"]) == (None, "0xab")
    assert before["why"]["waits_for"] == "inclusion"
    assert "waiting for a block with a transaction of this nonce" in before["why"]["sentence"]
    assert [event["hash"] for event in after["history"]] == [None, "0xab"]
