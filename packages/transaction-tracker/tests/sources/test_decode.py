from dataclasses import replace
from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, Outcome
from transaction_tracker.sources import MalformedError
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.profiles import UNKNOWN, ChainProfile
from transaction_tracker.sources.ethereum.revert_data import ErrorTable
from txtrack_devnode.wire import encode_reason


def hash_of(digit: str) -> str:
    return "0x" + digit * 64


ALICE, BOB = "0x" + "a" * 40, "0x" + "b" * 40
NOBODY = "0x" + "0" * 40
PAYMENT = {
    "hash": hash_of("1"),
    "from": ALICE,
    "to": BOB,
    "nonce": "0x7",
    "value": "0x5",
    "input": "0x",
}
BLOCK = {"number": "0xa", "hash": hash_of("b"), "parentHash": hash_of("a")}
PLACED = {"blockNumber": "0xa", "blockHash": hash_of("b")}
ETHEREUM = ChainProfile("Ethereum", fee="ethereum")
RECEIPT = PLACED | {
    "transactionHash": hash_of("1"),
    "status": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x2",
}


def test_block_has_its_transactions_by_id_and_by_slot() -> None:
    block = decode.block(BLOCK | {"transactions": [PAYMENT]})

    assert block.link.ref == BlockRef(10, hash_of("b"))
    assert block.link.parent_ref == BlockRef(9, hash_of("a"))
    assert block.ids == {hash_of("1"): 0}
    assert block.slots == {f"{ALICE}:7": hash_of("1")}


def test_hexadecimal_text_is_converted_to_one_form() -> None:
    upper = PAYMENT | {"hash": "0x" + "AB" * 32, "from": ALICE.upper().replace("0X", "0x")}

    transaction = decode.transaction(upper | {"nonce": "0x07"})

    assert transaction.id == "0x" + "ab" * 32
    assert transaction.slots == (f"{ALICE}:7",)


def test_content_excludes_price_and_hash() -> None:
    content = decode.transaction(PAYMENT).content

    assert decode.transaction(PAYMENT | {"hash": hash_of("2"), "gas": "0x9"}).content == content
    for other in ({"to": ALICE}, {"to": None}, {"value": "0x6"}, {"input": "0x00"}):
        assert decode.transaction(PAYMENT | other).content != content


def test_empty_transaction_to_oneself_cancels() -> None:
    nothing = PAYMENT | {"to": ALICE, "value": "0x0"}

    assert decode.transaction(nothing).cancels
    for other in ({"to": BOB}, {"to": None}, {"value": "0x1"}, {"input": "0x00"}):
        assert not decode.transaction(nothing | other).cancels


def test_pending_transaction_has_no_block() -> None:
    assert decode.place(PAYMENT) is None
    assert decode.place(PAYMENT | {"blockHash": None, "blockNumber": None}) is None
    assert decode.place(PAYMENT | PLACED) == BlockRef(10, hash_of("b"))


def test_receipt_has_the_outcome_and_the_fee() -> None:
    receipt = decode.receipt(RECEIPT, ETHEREUM)

    assert receipt.outcome == Outcome(succeeded=True, fee=42_000)
    assert (receipt.id, receipt.block) == (hash_of("1"), BlockRef(10, hash_of("b")))
    assert (receipt.gas_used, receipt.raw) == (21_000, RECEIPT)


def test_text_of_what_a_node_sent_is_short() -> None:
    """A report of a crash must not have the logs of a receipt."""
    receipt = decode.receipt(RECEIPT, ETHEREUM)
    found = decode.found(PAYMENT)

    assert found.raw == PAYMENT
    assert "raw" not in repr(receipt) + repr(found)


def test_receipt_without_a_price_has_no_fee() -> None:
    without = {key: value for key, value in RECEIPT.items() if key != "effectiveGasPrice"}

    outcome = decode.receipt(without).outcome

    assert outcome is not None
    assert outcome.fee is None


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (None, None),
        ("", None),
        ("out of money", "out of money"),
        (encode_reason("out of money"), "out of money"),
        (encode_reason(""), None),
        ("0x4e487b71", "custom error 0x4e487b71"),
        ("0xnonsense", "0xnonsense"),
        ("0x08c379a0", "custom error 0x08c379a0"),
        (encode_reason("x" * 9_000), "x" * 500),
        (7, None),
    ],
)
def test_revert_reason_is_decoded_if_there_is_one(told: object, reason: str | None) -> None:
    receipt = decode.receipt(RECEIPT | {"status": "0x0", "revertReason": told}, ETHEREUM)

    assert receipt.outcome == Outcome(succeeded=False, fee=42_000, error=reason)


@pytest.mark.parametrize("value", [None, 5, "x", [], {}])
@pytest.mark.parametrize("read", [decode.block, decode.transaction, decode.receipt, decode.link])
def test_value_of_another_type_is_malformed(read: Any, value: object) -> None:
    with pytest.raises(MalformedError):
        read(value)


BAD = [None, "", "0x", "0xzz", "7", 7, True, [], {}, "0x" + "1" * 65]


@pytest.mark.parametrize("bad", BAD)
def test_transaction_without_a_readable_hash_is_malformed(bad: object) -> None:
    with pytest.raises(MalformedError, match="transaction hash must be"):
        decode.transaction(PAYMENT | {"hash": bad})


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("field", ["from", "nonce"])
def test_transaction_with_an_unreadable_slot_has_no_slot(field: str, bad: object) -> None:
    odd = PAYMENT | {field: bad}

    block = decode.block(BLOCK | {"transactions": [odd]})

    assert decode.transaction(odd).slots == ()
    assert (block.ids, block.slots, block.unreadable) == ({hash_of("1"): 0}, {}, 1)


@pytest.mark.parametrize("bad", [*BAD, [7], {"hash": 7}])
@pytest.mark.parametrize(
    "field",
    [
        "to",
        "value",
        "input",
        "maxFeePerGas",
        "gasPrice",
        "blobVersionedHashes",
        "authorizationList",
        "gas",
        "r",
    ],
)
def test_unreadable_field_for_a_label_or_a_flag_is_ignored(field: str, bad: object) -> None:
    assert decode.found(PAYMENT | PLACED | {field: bad}).id == hash_of("1")


@pytest.mark.parametrize(
    "unreadable", [{"value": None}, {"input": "0x123"}, {"input": "0x1g"}, {"input": None}]
)
def test_unreadable_contents_are_never_equal(unreadable: dict[str, object]) -> None:
    odd = PAYMENT | unreadable
    other = odd | {"hash": hash_of("2")}

    assert decode.transaction(odd).content != decode.transaction(other).content
    assert not decode.transaction(odd | {"to": ALICE}).cancels


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("transactionHash", "receipt's transaction hash"),
        ("blockHash", "block hash"),
        ("blockNumber", "block number"),
    ],
)
def test_error_names_the_invalid_block_field_of_a_receipt(
    field: str, name: str, bad: object
) -> None:
    with pytest.raises(MalformedError, match=f"{name} must be"):
        decode.receipt(RECEIPT | {field: bad})


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("field", ["gasUsed", "effectiveGasPrice"])
def test_a_receipt_whose_fee_cannot_be_read_still_has_its_outcome(field: str, bad: object) -> None:
    receipt = decode.receipt(RECEIPT | {field: bad}, ETHEREUM)

    assert receipt.outcome == Outcome(succeeded=True, fee=None, fee_scope="execution")


@pytest.mark.parametrize("bad", ["0x2", "0xzz", "1", 1, True, []])
def test_a_status_is_success_or_failure_and_nothing_else(bad: object) -> None:
    with pytest.raises(MalformedError, match="receipt's status must be"):
        decode.receipt(RECEIPT | {"status": bad})


@pytest.mark.parametrize("status", [None, "", "0x"])
def test_a_receipt_from_before_byzantium_has_no_outcome_yet(status: object) -> None:
    old = RECEIPT | {"status": status, "root": hash_of("c")}

    receipt = decode.receipt(old)

    assert receipt.outcome is None
    assert receipt.gas_used == 21_000
    del old["status"]
    assert decode.receipt(old) == receipt


def test_unreadable_receipt_does_not_affect_other_receipts_of_its_block() -> None:
    other = RECEIPT | {"transactionHash": hash_of("2")}
    odd = RECEIPT | {"blockHash": None}

    found = decode.receipts([RECEIPT, odd, None, other])

    assert found == [decode.receipt(RECEIPT), decode.receipt(other)]
    with pytest.raises(MalformedError, match="block's receipts must be an array"):
        decode.receipts({})


def test_custom_error_in_a_receipt_has_its_name() -> None:
    failed = RECEIPT | {"status": "0x0", "revertReason": "0x9e87fac8"}

    outcome = decode.receipt(failed, ETHEREUM, ErrorTable.of(["Paused()"])).outcome

    assert outcome is not None
    assert outcome.error == "Paused()"


@pytest.mark.parametrize(
    "logs", [None, {}, "x", [None], [7], [{}], [{"blockHash": hash_of("c")}], [{"data": "0xz"}]]
)
def test_logs_of_a_receipt_are_not_read(logs: object) -> None:
    assert decode.receipt(RECEIPT | {"logs": logs}) == decode.receipt(RECEIPT)


def test_first_position_counts_if_a_block_lists_a_hash_twice() -> None:
    block = decode.block(BLOCK | {"transactions": [PAYMENT, PAYMENT]})

    assert block.ids == {hash_of("1"): 0}
    assert block.slots == {f"{ALICE}:7": hash_of("1")}


def test_slot_of_two_transactions_of_a_block_is_removed() -> None:
    second = PAYMENT | {"hash": hash_of("2")}
    third = PAYMENT | {"hash": hash_of("3")}
    later = PAYMENT | {"hash": hash_of("4"), "nonce": "0x8"}

    block = decode.block(BLOCK | {"transactions": [PAYMENT, second, third, later]})

    assert list(block.ids) == [hash_of(digit) for digit in "1234"]
    assert block.slots == {f"{ALICE}:8": hash_of("4")}
    assert block.unreadable == 3


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, PAYMENT | {"hash": None}])
def test_unreadable_transaction_is_skipped_and_counted(odd: object) -> None:
    block = decode.block(BLOCK | {"transactions": [odd, PAYMENT]})

    assert block.ids == {hash_of("1"): 1}
    assert block.slots == {f"{ALICE}:7": hash_of("1")}
    assert block.unreadable == 1


def test_a_block_can_list_hashes_in_place_of_transactions() -> None:
    hashes = [hash_of("1"), "0x" + "AB" * 32, hash_of("1")]

    block = decode.block(BLOCK | {"transactions": hashes})

    assert block.hashes_only
    assert block.ids == {hash_of("1"): 0, "0x" + "ab" * 32: 1}
    assert (block.slots, block.body, block.unreadable) == ({}, hashes, 0)


def test_a_block_without_transactions_lists_no_hashes() -> None:
    assert not decode.block(BLOCK | {"transactions": []}).hashes_only


@pytest.mark.parametrize("kind", [None, "0x0", "0x1", "0x2", "0x3", "0x4"])
def test_a_transaction_of_a_standard_type_takes_a_slot(kind: object) -> None:
    typed = PAYMENT | {"type": kind}

    assert decode.transaction(typed).slots == (f"{ALICE}:7",)
    assert decode.block(BLOCK | {"transactions": [typed]}).slots == {f"{ALICE}:7": hash_of("1")}


@pytest.mark.parametrize(
    "system",
    [{"type": hex(kind)} for kind in (0x7E, *range(0x64, 0x6B), 0xFF, 0x7B, 0x71, 0x5)]
    + [{"from": NOBODY}, {"type": "0x7e", "nonce": None}],
)
def test_a_transaction_of_the_chain_itself_takes_no_slot(system: dict[str, object]) -> None:
    block = decode.block(BLOCK | {"transactions": [PAYMENT | system]})

    assert decode.transaction(PAYMENT | system).slots == ()
    assert (block.ids, block.slots, block.unreadable) == ({hash_of("1"): 0}, {}, 0)


def test_a_type_is_a_slot_where_the_profile_lists_it() -> None:
    celo = replace(UNKNOWN, slot_types=UNKNOWN.slot_types | {0x7B})

    assert decode.transaction(PAYMENT | {"type": "0x7b"}, celo).slots == (f"{ALICE}:7",)


@pytest.mark.parametrize("bad", ["", "0x", "0xzz", 0, True, []])
def test_transaction_with_an_unreadable_type_has_no_slot(bad: object) -> None:
    block = decode.block(BLOCK | {"transactions": [PAYMENT | {"type": bad}]})

    assert (block.slots, block.unreadable) == ({}, 1)


def test_no_transaction_takes_a_slot_where_accounts_have_no_nonces() -> None:
    tron = replace(UNKNOWN, account_nonces=False)
    block = decode.block(BLOCK | {"transactions": [PAYMENT, PAYMENT | {"nonce": None}]}, tron)

    assert decode.transaction(PAYMENT, tron).slots == ()
    assert (block.slots, block.unreadable) == ({}, 0)


BLOBS = {"blobVersionedHashes": ["0x01" + "a" * 62]}
AUTHORIZATION = {
    "chainId": "0x1",
    "address": BOB,
    "nonce": "0x1",
    "yParity": "0x0",
    "r": "0xa",
    "s": "0xb",
}
AUTHORIZATIONS = {"authorizationList": [AUTHORIZATION]}


@pytest.mark.parametrize(
    "other",
    [
        {"blobVersionedHashes": ["0x01" + "b" * 62]},
        {"blobVersionedHashes": []},
        *({"authorizationList": [AUTHORIZATION | {key: "0x9"}]} for key in ("nonce", "r", "s")),
        {"authorizationList": [AUTHORIZATION, AUTHORIZATION]},
        {"authorizationList": []},
    ],
)
def test_other_blobs_or_authorizations_are_other_contents(other: dict[str, object]) -> None:
    full = PAYMENT | BLOBS | AUTHORIZATIONS

    assert decode.transaction(full | other).content != decode.transaction(full).content


def test_blobs_and_authorizations_have_one_form() -> None:
    padded = AUTHORIZATION | {"r": "0x000A", "address": BOB.upper().replace("0X", "0x")}
    plain, other = AUTHORIZATIONS, {"authorizationList": [padded | {"yParity": None, "v": "0x0"}]}

    content = decode.transaction(PAYMENT | plain).content

    assert decode.transaction(PAYMENT | other).content == content


def test_content_without_blobs_and_authorizations_has_the_stored_digest() -> None:
    content = "f901ea9fd37a70269e4833da745592ef"

    assert decode.transaction(PAYMENT).content == content
    assert (
        decode.transaction(PAYMENT | {"blobVersionedHashes": [], "type": "0x2"}).content == content
    )


@pytest.mark.parametrize("carried", [BLOBS, AUTHORIZATIONS, {"authorizationList": [7]}])
def test_transaction_with_blobs_or_authorizations_does_not_cancel(
    carried: dict[str, object],
) -> None:
    nothing = PAYMENT | {"to": ALICE, "value": "0x0"}

    assert decode.transaction(nothing).cancels
    assert not decode.transaction(nothing | carried).cancels


@pytest.mark.parametrize("none", [None, "", "0x", "0xzz"])
def test_a_null_fee_cap_does_not_hide_the_price(none: object) -> None:
    legacy = PAYMENT | {"maxFeePerGas": none, "gasPrice": "0x9"}

    assert decode.transaction(legacy).max_fee == 9
    assert decode.transaction(legacy | {"maxFeePerGas": "0x7"}).max_fee == 7


@pytest.mark.parametrize("empty", [None, "", "0x", "0x" + "0" * 64])
@pytest.mark.parametrize("field", ["blockHash", "blockNumber"])
def test_all_forms_of_null_are_null(field: str, empty: object) -> None:
    assert decode.found(PAYMENT | PLACED | {field: empty}).block is None


@pytest.mark.parametrize("unprotected", [{}, *({"chainId": v} for v in (None, "", "0x", "0x0"))])
def test_a_transaction_without_a_chain_id_is_valid_everywhere(unprotected: dict[str, Any]) -> None:
    assert decode.found(PAYMENT | unprotected).chain_id is None


def test_a_transaction_keeps_its_chain_and_its_fields() -> None:
    found = decode.found(PAYMENT | {"chainId": "0x2a"})

    assert found.chain_id == 42
    assert found.raw == PAYMENT | {"chainId": "0x2a"}
    assert found == decode.found(PAYMENT | {"chainId": "0x2a", "gas": "0x1"})


@pytest.mark.parametrize("bad", BAD)
def test_unreadable_base_fee_is_none(bad: object) -> None:
    assert decode.base_fee(BLOCK | {"baseFeePerGas": bad}) is None
    assert decode.head(BLOCK | {"baseFeePerGas": bad}).base_fee is None


def test_head_has_its_link_and_its_base_fee() -> None:
    head = decode.head(BLOCK | {"baseFeePerGas": "0x7"})

    assert head == decode.HeadBlock(decode.link(BLOCK), 7)


def test_error_shows_only_the_start_of_a_long_value() -> None:
    with pytest.raises(MalformedError) as caught:
        decode.transaction(PAYMENT | {"hash": "x" * 10_000})

    assert len(str(caught.value)) < 200


def test_too_large_height_is_malformed() -> None:
    with pytest.raises(MalformedError, match="block number must be a number up to"):
        decode.link(BLOCK | {"number": hex(2**53 + 1)})
