"""Token transfers from logs: as they are on the chain, and as anybody can write them."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.domain import Standard, Transfer
from transaction_tracker.sources.ethereum.keccak import keccak256
from transaction_tracker.sources.ethereum.transfers import (
    TRANSFER,
    TRANSFER_BATCH,
    TRANSFER_SINGLE,
    read_logs,
)

REAL = json.loads((Path(__file__).parent.parent / "data/logs/transfers.json").read_text())["rows"]

TOKEN, ALICE, BOB = "0x" + "7" * 40, "0x" + "a" * 40, "0x" + "b" * 40


def word(value: int | str) -> str:
    """Return a number or an address as 32 bytes, without 0x."""
    return f"{value:064x}" if isinstance(value, int) else value[2:].rjust(64, "0")


def topics(event: str, *values: int | str) -> list[str]:
    return [event, *(f"0x{word(value)}" for value in values)]


def log(*words: int | str, **changes: Any) -> dict[str, Any]:
    """Return a log of Alice's transfer to Bob; ``words`` are its data."""
    data = "0x" + "".join(map(word, words))
    return {"address": TOKEN, "topics": topics(TRANSFER, ALICE, BOB), "data": data} | changes


def batch(*words: int) -> dict[str, Any]:
    return log(*words, topics=topics(TRANSFER_BATCH, ALICE, ALICE, BOB))


@pytest.mark.parametrize(
    ("signature", "topic"),
    [
        ("Transfer(address,address,uint256)", TRANSFER),
        ("TransferSingle(address,address,address,uint256,uint256)", TRANSFER_SINGLE),
        ("TransferBatch(address,address,address,uint256[],uint256[])", TRANSFER_BATCH),
    ],
)
def test_topics_are_the_hashes_of_the_standards_events(signature: str, topic: str) -> None:
    assert f"0x{keccak256(signature.encode()).hex()}" == topic


@pytest.mark.parametrize("row", REAL, ids=[row["note"] for row in REAL])
def test_logs_of_mainnet_are_read(row: dict[str, Any]) -> None:
    token = row["log"]["address"].lower()

    found = read_logs([row["log"]])

    expected = [
        Transfer(0, standard, token, sender, recipient, value, token_id)
        for standard, sender, recipient, value, token_id in row["transfers"]
    ]
    assert found == (tuple(expected), 0)


def test_transfers_have_the_position_of_their_log() -> None:
    approval = log(1, topics=topics("0x" + "8" * 64, ALICE, BOB))

    found = read_logs([approval, log(5), approval, log(6)])

    assert found is not None
    assert [(transfer.index, transfer.value) for transfer in found[0]] == [(1, 5), (3, 6)]
    assert found[1] == 0


@pytest.mark.parametrize("value", [None, "absent", {}, "0x", 7])
def test_logs_that_are_not_a_list_are_unknown(value: object) -> None:
    assert read_logs(value) is None


def test_a_batch_can_be_empty() -> None:
    assert read_logs([batch(64, 96, 0, 0)]) == ((), 0)


@pytest.mark.parametrize(
    "malformed",
    [
        None,
        "0x",
        [],
        {},
        log(5, topics=None),
        log(5, address=None),
        log(5, address="0x7"),
        log(5, data=None),
        log(5, data="0x5"),
        log(5, topics=[TRANSFER]),
        log(5, topics=[TRANSFER, 7, None]),
        log(5, topics=topics(TRANSFER, ALICE)),
        log(topics=topics(TRANSFER, ALICE, BOB)),
        log(5, 5),
        log(5, topics=topics(TRANSFER, ALICE, BOB, 7)),
        log(topics=topics(TRANSFER, ALICE, BOB, 7, 8)),
        log(5, topics=topics(TRANSFER, 1 << 160, BOB)),
        log(5, topics=topics(TRANSFER_SINGLE, ALICE, ALICE, BOB)),
        log(5, 6, topics=topics(TRANSFER_SINGLE, ALICE, ALICE)),
        log(5, 6, topics=topics(TRANSFER_SINGLE, ALICE, 1 << 255, BOB)),
        batch(),
        batch(64),
        batch(64, 96, 1, 7),
        batch(64, 96, 2**255, 7),
        batch(2**255, 2**256 - 1, 1, 7),
        batch(64, 128, 1, 7, 2, 8, 8),
    ],
    ids=str,
)
def test_malformed_logs_are_skipped_and_counted(malformed: Any) -> None:
    found = read_logs([log(1), malformed, log(2)])

    assert found is not None
    assert [(transfer.index, transfer.value) for transfer in found[0]] == [(0, 1), (2, 2)]
    assert found[1] == 1


def test_both_arrays_of_a_batch_can_be_the_same_bytes() -> None:
    found = read_logs([batch(64, 64, 2, 5, 6)])

    assert found is not None
    assert [(transfer.token_id, transfer.value) for transfer in found[0]] == [(5, 5), (6, 6)]


WORDS = st.integers(0, 2**256 - 1) | st.integers(0, 400)
HOSTILE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
EVENTS = st.sampled_from([TRANSFER, TRANSFER_SINGLE, TRANSFER_BATCH, TRANSFER.upper(), "0x"])
HALF_RIGHT = st.fixed_dictionaries(
    {
        "address": st.just(TOKEN) | HOSTILE,
        "topics": st.builds(
            lambda event, values: topics(event, *values), EVENTS, st.lists(WORDS, max_size=5)
        )
        | HOSTILE,
        "data": st.builds(
            lambda words, rest: "0x" + "".join(map(word, words)) + rest,
            st.lists(WORDS, max_size=8),
            st.sampled_from(["", "ab", "a", "zz"]),
        )
        | HOSTILE,
    }
)


@given(st.lists(HALF_RIGHT | HOSTILE, max_size=6) | HOSTILE)
def test_no_log_raises_and_each_transfer_is_complete(logs: Any) -> None:
    found = read_logs(logs)

    if not isinstance(logs, list):
        assert found is None
        return
    assert found is not None
    transfers, malformed = found
    assert 0 <= malformed <= len(logs)
    for transfer in transfers:
        assert 0 <= transfer.index < len(logs)
        assert transfer.standard in get_args(Standard)
        for account in (transfer.token, transfer.sender, transfer.recipient):
            assert len(account) == 42
            assert account == account.lower()
        assert (transfer.value is None) == (transfer.standard == "erc721")
        assert (transfer.token_id is None) == (transfer.standard == "erc20")
        for number in (transfer.value, transfer.token_id):
            assert number is None or 0 <= number < 2**256
