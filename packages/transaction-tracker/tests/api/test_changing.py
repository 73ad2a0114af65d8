"""Changing what is required of a transaction."""

from typing import Any

import pytest

from transaction_tracker import EthereumSource, TransactionTracker
from transaction_tracker.api.changing import read_change
from transaction_tracker.api.problems import ProblemError
from transaction_tracker.domain import UNCHANGED, Expectation
from transaction_tracker.store import OpenTransactions, Store
from transaction_tracker.tracker import TrackerContext

from .support import Client, make_token, mine, move, register, serving

PATH = "/v1/transactions"
KEY = "abcdefgh"
ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


async def change(client: Client, body: Any, key: str = KEY) -> Any:
    return await client.ask("PATCH", f"{PATH}/{key}", json=body)


@pytest.fixture
async def known(client: Client) -> Client:
    await register(client, KEY)
    return client


async def test_change_is_stored_before_it_is_answered(known: Client) -> None:
    body = {
        "confirmations": 30,
        "deadline": "2030-01-31T12:00:00Z",
        "metadata": {"order": 8},
    }

    reply = await change(known, body)

    assert reply.status == 200
    stored = (await known.get(f"{PATH}/{KEY}")).json
    for shown in (reply.json, stored):
        assert (shown["required"], shown["deadline"]) == (30, "2030-01-31T12:00:00Z")
        assert shown["metadata"] == {"order": 8}
    assert stored["history"] == []


async def test_running_tracker_has_the_change(known: Client) -> None:
    pid = TransactionTracker.lookup(KEY)

    await change(known, {"confirmations": 30})

    assert TransactionTracker.lookup(KEY) == pid
    assert (await TransactionTracker.status(KEY)).required == 30


async def test_missing_fields_stay_and_null_removes(known: Client) -> None:
    await change(known, {"deadline": "2030-01-31T12:00:00Z", "metadata": {"a": 1}})

    shown = (await change(known, {"confirmations": 5})).json
    assert (shown["deadline"], shown["metadata"]) == ("2030-01-31T12:00:00Z", {"a": 1})
    shown = (await change(known, {"deadline": None, "expect": None})).json
    assert (shown["required"], shown["deadline"]) == (5, None)


async def test_repeated_change_has_the_same_answer(known: Client) -> None:
    body = {"confirmations": 5, "metadata": {"a": 1}}

    first, second = await change(known, body), await change(known, body)

    assert first.json == second.json


async def test_next_event_has_the_change_and_the_last_one_has_not(known: Client) -> None:
    await move(KEY, state="pending")

    await change(known, {"metadata": {"order": 8}})

    await mine(KEY)
    history = (await known.get(f"{PATH}/{KEY}")).json["history"]
    assert [event["metadata"] for event in history] == [{}, {"order": 8}]


@pytest.mark.parametrize("state", ["confirmed", "dropped", "untracked"])
async def test_ended_transaction_is_refused_and_unchanged(known: Client, state: str) -> None:
    await mine(KEY)
    await move(KEY, state=state)

    reply = await change(known, {"confirmations": 30, "metadata": {"a": 1}})

    assert reply.status == 409
    assert reply.json["type"].endswith(":ended")
    assert f"has ended as {state}" in reply.json["detail"]
    shown = (await known.get(f"{PATH}/{KEY}")).json
    assert (shown["required"], shown["metadata"]) == (12, {})


async def test_unknown_transaction_is_not_found(client: Client) -> None:
    reply = await change(client, {"confirmations": 30})

    assert (reply.status, reply.json["type"].rpartition(":")[2]) == (404, "not-tracked")


async def test_change_needs_the_scope_of_registering() -> None:
    async with serving(host="127.0.0.1") as client:
        reading, writing = await make_token("read"), await make_token("write")
        await register(client.with_token(writing), KEY)

        assert (await change(client.with_token(reading), {"confirmations": 3})).status == 403
        assert (await change(client.with_token(writing), {"confirmations": 3})).status == 200


def read(content: bytes) -> Any:
    context = TrackerContext(EthereumSource("http://127.0.0.1:1", 1), OpenTransactions(), 12)
    return read_change(content, context)


def test_fields_are_converted() -> None:
    address = ADDRESS.encode()
    found = read(b'{"confirmations": 7.0, "expect": {"to": "' + address + b'"}}')

    assert found.required == 7
    assert found.expectation == Expectation(recipient=ADDRESS.lower())
    assert (found.deadline, found.metadata) == (UNCHANGED, UNCHANGED)


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        (b"{}", "#", "expected what to change"),
        (b"[]", "#", "expected what to change"),
        (b"null", "#", "expected what to change"),
        (b'{"id": "x"}', "#/id", "not permitted"),
        (b'{"confirmations": null}', "#/confirmations", "can be changed, not removed"),
        (b'{"confirmations": 0}', "#/confirmations", "whole number from 1"),
        (b'{"confirmations": "soon"}', "#/confirmations", "'safe' or 'finalized'"),
        (b'{"deadline": 5}', "#/deadline", "RFC 3339"),
        (b'{"deadline": "1960-01-01T00:00:00Z"}', "#/deadline", "after 1970"),
        (b'{"metadata": null}', "#/metadata", "dictionary"),
        (b'{"metadata": {"a": "' + b"x" * 5_000 + b'"}}', "#/metadata", "up to 4,096 bytes"),
        (b'{"expect": {"value": "1.5"}}', "#/expect/value", "whole number"),
        (b'{"expect": {"value": 5}}', "#/expect/value", "expected text"),
        (b'{"expect": {"to": "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}}', "#/expect/to", "EIP"),
        (b'{"expect": {"amount": "1"}}', "#/expect/amount", "unknown field"),
    ],
)
def test_invalid_field_is_refused_with_its_name(body: bytes, pointer: str, words: str) -> None:
    with pytest.raises(ProblemError) as caught:
        read(body)

    assert caught.value.status == 422
    (error,) = caught.value.errors
    assert error["pointer"] == pointer
    assert words in error["detail"]


async def test_refused_change_changes_nothing(known: Client) -> None:
    reply = await change(known, {"confirmations": 30, "metadata": None})

    assert reply.status == 422
    stored = await Store.fetch(KEY)
    assert stored is not None
    assert stored.required == 12
