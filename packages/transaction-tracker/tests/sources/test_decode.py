from typing import Any

import pytest

from transaction_tracker.domain import BlockRef, Outcome
from transaction_tracker.node.wire import encode_reason
from transaction_tracker.sources import MalformedError
from transaction_tracker.sources.ethereum import decode


def hash_of(digit: str) -> str:
    return "0x" + digit * 64


ALICE, BOB = "0x" + "a" * 40, "0x" + "b" * 40
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
RECEIPT = PLACED | {
    "transactionHash": hash_of("1"),
    "status": "0x1",
    "gasUsed": "0x5208",
    "effectiveGasPrice": "0x2",
}


def test_a_block_knows_its_transactions_by_id_and_by_slot() -> None:
    block = decode.block(BLOCK | {"transactions": [PAYMENT]})

    assert block.link.ref == BlockRef(10, hash_of("b"))
    assert block.link.parent_ref == BlockRef(9, hash_of("a"))
    assert block.ids == {hash_of("1"): 0}
    assert block.slots == {f"{ALICE}:7": hash_of("1")}


def test_the_same_text_in_other_letters_is_the_same() -> None:
    upper = PAYMENT | {"hash": "0x" + "AB" * 32, "from": ALICE.upper().replace("0X", "0x")}

    transaction = decode.transaction(upper | {"nonce": "0x07"})

    assert transaction.id == "0x" + "ab" * 32
    assert transaction.slot == f"{ALICE}:7"


def test_only_what_a_transaction_does_makes_its_content() -> None:
    content = decode.transaction(PAYMENT).content

    assert decode.transaction(PAYMENT | {"hash": hash_of("2"), "gas": "0x9"}).content == content
    for other in ({"to": ALICE}, {"to": None}, {"value": "0x6"}, {"input": "0x00"}):
        assert decode.transaction(PAYMENT | other).content != content


def test_nothing_sent_to_oneself_cancels() -> None:
    nothing = PAYMENT | {"to": ALICE, "value": "0x0"}

    assert decode.transaction(nothing).cancels
    for other in ({"to": BOB}, {"to": None}, {"value": "0x1"}, {"input": "0x00"}):
        assert not decode.transaction(nothing | other).cancels


def test_a_transaction_in_no_block_has_no_place() -> None:
    assert decode.place(PAYMENT) is None
    assert decode.place(PAYMENT | {"blockHash": None, "blockNumber": None}) is None
    assert decode.place(PAYMENT | PLACED) == BlockRef(10, hash_of("b"))


def test_a_receipt_tells_the_outcome_and_the_fee() -> None:
    receipt = decode.receipt(RECEIPT)

    assert receipt.outcome == Outcome(succeeded=True, fee=42_000)
    assert (receipt.id, receipt.block) == (hash_of("1"), BlockRef(10, hash_of("b")))


def test_a_receipt_may_leave_the_price_out() -> None:
    without = {key: value for key, value in RECEIPT.items() if key != "effectiveGasPrice"}

    assert decode.receipt(without).outcome.fee is None


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (None, None),
        ("", None),
        ("out of money", "out of money"),
        (encode_reason("out of money"), "out of money"),
        (encode_reason(""), None),
        ("0x4e487b71", "0x4e487b71"),
        ("0xnonsense", "0xnonsense"),
        ("0x08c379a0", None),
        (encode_reason("x" * 9_000), "x" * 500),
        (7, None),
    ],
)
def test_a_revert_reason_is_read_where_there_is_one(told: object, reason: str | None) -> None:
    receipt = decode.receipt(RECEIPT | {"status": "0x0", "revertReason": told})

    assert receipt.outcome == Outcome(succeeded=False, fee=42_000, error=reason)


@pytest.mark.parametrize("value", [None, 5, "x", [], {}])
@pytest.mark.parametrize("read", [decode.block, decode.transaction, decode.receipt, decode.link])
def test_what_is_nothing_of_the_kind_is_refused(read: Any, value: object) -> None:
    with pytest.raises(MalformedError):
        read(value)


BAD = [None, "", "0x", "0xzz", "7", 7, True, [], {}, "0x" + "1" * 65]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("field", ["hash", "from", "nonce", "value"])
def test_a_bad_field_of_a_transaction_is_named(field: str, bad: object) -> None:
    with pytest.raises(MalformedError, match="must be"):
        decode.transaction(PAYMENT | {field: bad})


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("field", ["transactionHash", "status", "gasUsed", "blockHash"])
def test_a_bad_field_of_a_receipt_is_named(field: str, bad: object) -> None:
    with pytest.raises(MalformedError, match="must be"):
        decode.receipt(RECEIPT | {field: bad})


def test_a_status_is_success_or_failure_and_nothing_else() -> None:
    with pytest.raises(MalformedError, match="0x0 or 0x1"):
        decode.receipt(RECEIPT | {"status": "0x2"})


def test_a_block_that_has_a_transaction_twice_is_refused() -> None:
    with pytest.raises(MalformedError, match="twice"):
        decode.block(BLOCK | {"transactions": [PAYMENT, PAYMENT]})


def test_a_block_that_came_without_its_transactions_is_refused() -> None:
    with pytest.raises(MalformedError, match="an object"):
        decode.block(BLOCK | {"transactions": [hash_of("1")]})


def test_long_nonsense_is_shown_only_in_its_beginning() -> None:
    with pytest.raises(MalformedError) as caught:
        decode.transaction(PAYMENT | {"hash": "x" * 10_000})

    assert len(str(caught.value)) < 200


def test_a_height_that_no_chain_has_is_refused() -> None:
    with pytest.raises(MalformedError, match="block number must be a number up to"):
        decode.link(BLOCK | {"number": hex(2**53 + 1)})
