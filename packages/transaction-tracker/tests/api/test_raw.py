"""Registering a raw signed transaction."""

from typing import Any

import orjson
import pytest

from transaction_tracker import EthereumSource
from transaction_tracker.api.items import read_items
from transaction_tracker.api.registering import CheckedItem, check_items
from transaction_tracker.domain import MAX_RAW_BYTES
from transaction_tracker.store import OpenTransactions
from transaction_tracker.tracker import TrackerContext

from ..signing import SENDER, legacy  # noqa: TID252
from .support import Client

PATH = "/v1/transactions"
SHOP = "0x" + "35" * 20
RAW = legacy(5, SHOP, 7)


async def checked(**item: Any) -> CheckedItem:
    context = TrackerContext(EthereumSource("http://127.0.0.1:1", 1), OpenTransactions(), 12)
    (found,) = await check_items(read_items(orjson.dumps([item])), [context])
    return found


async def test_raw_transaction_is_registered_by_its_hash() -> None:
    found = (await checked(raw=RAW, confirmations=3)).registration

    assert found is not None
    assert found.known is not None
    assert found.id == found.known.id
    assert (found.known.slots, found.required) == ((f"{SENDER}:5",), 3)


@pytest.mark.parametrize(
    ("item", "pointer", "words"),
    [
        ({"raw": RAW[:-2]}, "#/0/raw", "cannot decode it"),
        ({"raw": "0x"}, "#/0/raw", "hexadecimal digits"),
        ({"raw": ""}, "#/0/raw", "hexadecimal digits"),
        ({"raw": None}, "#/0/raw", "string"),
        ({"raw": legacy(5, SHOP, chain_id=5)}, "#/0/raw", "signed for chain 5, this is chain 1"),
        ({"raw": "0x" + "00" * (MAX_RAW_BYTES + 1)}, "#/0/raw", "at most 262146"),
        ({"raw": RAW, "id": "0x" + "1" * 64}, "#/0/id", "either id, or raw, or sender"),
        ({"raw": RAW, "sender": SENDER, "nonce": 5}, "#/0/id", "either id, or raw, or sender"),
    ],
)
async def test_invalid_raw_transaction_is_refused_with_its_field(
    item: dict[str, Any], pointer: str, words: str
) -> None:
    found = await checked(**item)

    assert found.registration is None
    (error,) = found.errors
    assert error["pointer"] == pointer
    assert words in error["detail"]


async def test_source_without_signed_transactions_refuses(client: Client) -> None:
    reply = await client.post(PATH, json={"raw": RAW})

    assert reply.status == 422
    assert reply.json["errors"][0]["pointer"] == "#/raw"
    assert "no signed transactions" in reply.json["detail"]
