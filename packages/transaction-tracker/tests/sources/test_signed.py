"""Raw signed transactions, compared with how nodes show them."""

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker import InvalidTransactionError
from transaction_tracker.domain import MAX_NONCE, MAX_RAW_BYTES
from transaction_tracker.sources.ethereum import decode, rlp
from transaction_tracker.sources.ethereum.profiles import profile_of
from transaction_tracker.sources.ethereum.signed import SignedTransaction, read_signed

from ..signing import SENDER, legacy  # noqa: TID252

ROWS = json.loads((Path(__file__).parent.parent / "data" / "raw" / "signed.json").read_text())
SHOP = "0x" + "35" * 20
EXAMPLE = ROWS[0]["raw"]


def read(raw: str, chain_id: int | None = 1) -> SignedTransaction:
    return read_signed(raw, profile_of(chain_id, {}), chain_id)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_transaction_is_the_one_that_nodes_show(row: dict[str, Any]) -> None:
    shown, profile = row["transaction"], profile_of(row["chain_id"], {})

    found = read(row["raw"], row["chain_id"])

    expected = decode.transaction(shown, profile)
    assert found.transaction == expected
    assert found.transaction.payment == expected.payment
    assert found.transaction.slots == (f"{shown['from']}:{int(shown['nonce'], 16)}",)
    assert found.kind == int(shown["type"], 16)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_other_chain_is_refused(row: dict[str, Any]) -> None:
    if row["name"].startswith("get-legacy"):
        assert read(row["raw"], 5).chain_id is None  # signed for every chain
        return
    with pytest.raises(InvalidTransactionError, match=r"signed for chain \d+, this is chain 5"):
        read(row["raw"], 5)


def test_transaction_for_every_chain_is_accepted() -> None:
    found = read(legacy(3, SHOP, chain_id=None))

    assert found.chain_id is None
    assert found.transaction.slots == (f"{SENDER}:3",)


def test_any_chain_is_accepted_while_the_chain_is_unknown() -> None:
    assert read(EXAMPLE, None).chain_id == 1


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name"])
def test_each_changed_byte_is_another_transaction_or_refused(row: dict[str, Any]) -> None:
    raw = bytes.fromhex(row["raw"][2:])
    good = read(row["raw"], row["chain_id"]).transaction
    for place in range(len(raw)):
        changed = raw[:place] + bytes((raw[place] ^ 0x01,)) + raw[place + 1 :]
        with suppress(InvalidTransactionError):
            assert read("0x" + changed.hex(), row["chain_id"]).transaction.id != good.id


def test_each_cut_off_transaction_is_refused() -> None:
    for size in range(2, len(EXAMPLE), 2):
        with pytest.raises(InvalidTransactionError):
            read(EXAMPLE[:size])


def signed_with(**changes: int) -> str:
    """Return the example with other numbers in its signature."""
    fields = rlp.decode(bytes.fromhex(EXAMPLE[2:]))
    assert isinstance(fields, list)
    for name, value in changes.items():
        fields[6 + "vrs".index(name)] = rlp.integer(value)
    return "0x" + rlp.encode(fields).hex()


ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("", "expected 0x and an even number"),
        ("0x", "expected 0x and an even number"),
        ("0xf", "expected 0x and an even number"),
        ("f86c", "expected 0x and an even number"),
        ("0xzz", "expected 0x and an even number"),
        ("0x" + "00" * (MAX_RAW_BYTES + 1), "up to 131,072 bytes"),
        ("0x05c0", "unknown transaction type 0x05"),
        ("0x83646f67", "unknown transaction type 0x83"),
        ("0x02c0", "expected a list of 12 fields, got 0 fields"),
        ("0x0283646f67", "expected a list of 12 fields, got bytes"),
        ("0xc0", "expected a list of 9 fields, got 0 fields"),
        (EXAMPLE + "00", "1 bytes follow its end"),
        ("0x03c1c0", "without its blobs"),
        (legacy(MAX_NONCE + 1, SHOP), f"nonce must be at most {MAX_NONCE}"),
        (legacy(1, "0x3535"), "to must have 20 bytes"),
        (legacy(1, SHOP, 2**256), "value must be a number of up to 32 bytes"),
        (signed_with(v=29), "parity of its signature"),
        (signed_with(v=0), "parity of its signature"),
        (signed_with(r=0), "out of range"),
        (signed_with(s=0), "out of range"),
        (signed_with(r=ORDER), "out of range"),
        (signed_with(s=ORDER - 5), "out of range"),
        (signed_with(r=5), "sender cannot be recovered"),
    ],
)
def test_invalid_transaction_is_refused(raw: str, words: str) -> None:
    with pytest.raises(InvalidTransactionError, match=re.escape(words)) as caught:
        read(raw)

    assert caught.value.field == "raw"
    assert len(str(caught.value)) < 200


def test_number_with_leading_zeros_is_refused() -> None:
    fields = rlp.decode(bytes.fromhex(EXAMPLE[2:]))
    assert isinstance(fields, list)
    fields[0] = bytes((0, 9))

    with pytest.raises(InvalidTransactionError, match=r"nonce must be a number .* without leading"):
        read("0x" + rlp.encode(fields).hex())


def test_error_does_not_contain_the_transaction() -> None:
    with pytest.raises(InvalidTransactionError) as caught:
        read(EXAMPLE + "00")

    assert EXAMPLE[10:40] not in str(caught.value)
