"""Transactions and blocks in the form of the network, against what Bitcoin Core says of them."""

import contextlib
import json
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transaction_tracker.slices import MAX_SLICE_ITEMS, run_at_once
from transaction_tracker.sources import MalformedError
from transaction_tracker.sources.bitcoin.addresses import address_of, checked, is_data
from transaction_tracker.sources.bitcoin.networks import PROFILES
from transaction_tracker.sources.bitcoin.raw import (
    MAX_BLOCK_BYTES,
    RawBlock,
    RawTransaction,
    block_steps,
    from_hex,
    read_header,
    transaction_steps,
)
from txtrack_devnode.bitcoin import BitcoinChain
from txtrack_devnode.bitcoin.wire import BitcoinBlock

CORE = json.loads((Path(__file__).parents[2] / "data" / "bitcoin" / "core.json").read_text())
BLOCKS = [bytes.fromhex(block) for block in CORE["blocks"]]
PAYMENT = bytes.fromhex(CORE["transaction"]["hex"])
MAIN = PROFILES["main"]


def read_block(data: bytes) -> RawBlock:
    return run_at_once(block_steps(data))


def read_transaction(data: bytes) -> RawTransaction:
    return run_at_once(transaction_steps(data))


@pytest.mark.parametrize("number", [0, 1])
def test_block_has_the_numbers_that_bitcoin_core_counts(number: int) -> None:
    block, stats = read_block(BLOCKS[number]), CORE["stats"][number]

    _, *paid = block.transactions
    assert block.header.hash == stats["blockhash"]
    assert block.header.time == stats["time"]
    assert len(block.transactions) == stats["txs"]
    assert sum(len(transaction.spent) for transaction in paid) == stats["ins"]
    assert sum(len(transaction.outputs) for transaction in block.transactions) == stats["outs"]
    assert sum(out.value for each in paid for out in each.outputs) == stats["total_out"]


def test_coinbase_spends_nothing_and_gets_the_fees() -> None:
    coinbase, *others = read_block(BLOCKS[1]).transactions

    assert (coinbase.is_coinbase, coinbase.spent) == (True, ())
    assert not any(transaction.is_coinbase for transaction in others)
    stats = CORE["stats"][1]
    assert coinbase.outputs[0].value == stats["subsidy"] + stats["totalfee"]
    assert is_data(coinbase.outputs[1].script)


def test_blocks_are_linked() -> None:
    assert read_block(BLOCKS[1]).header.parent == read_block(BLOCKS[0]).header.hash


def test_transaction_is_read_as_bitcoin_core_decodes_it() -> None:
    found, said = read_transaction(PAYMENT), CORE["transaction"]

    assert found.id == said["txid"]
    assert list(found.spent) == [f"{each['txid']}:{each['vout']}" for each in said["vin"]]
    assert [address_of(out.script, MAIN) for out in found.outputs] == [
        each["address"] for each in said["vout"]
    ]
    assert [out.value for out in found.outputs] == [18_000_000, 400_000_000]
    assert not found.replaceable


def test_cut_off_transaction_is_malformed() -> None:
    for at in range(4, len(PAYMENT) - 4):
        with pytest.raises(MalformedError):
            read_transaction(PAYMENT[:at])


def test_transaction_with_more_bytes_is_malformed() -> None:
    with pytest.raises(MalformedError, match="1 bytes follow"):
        read_transaction(PAYMENT + b"\0")


def test_huge_count_is_refused_before_anything_is_read() -> None:
    with pytest.raises(MalformedError, match="inputs do not fit"):
        read_transaction(PAYMENT[:4] + b"\xff" + b"\xff" * 8)


def test_negative_or_impossible_amount_is_malformed() -> None:
    value = (18_000_000).to_bytes(8, "little")
    for wrong in ((-1).to_bytes(8, "little", signed=True), (21 * 10**14 + 1).to_bytes(8, "little")):
        with pytest.raises(MalformedError, match="satoshi"):
            read_transaction(PAYMENT.replace(value, wrong))


@given(st.binary(max_size=300))
def test_no_bytes_cause_another_error(data: bytes) -> None:
    for read in (read_transaction, read_block, read_header):
        with contextlib.suppress(MalformedError):
            read(data)


@pytest.mark.parametrize("change", ["amount", "order", "repeated", "left out"])
def test_block_with_other_transactions_does_not_fit_its_header(change: str) -> None:
    data = BLOCKS[1]
    first = read_block(data).transactions
    assert len(first) == 4
    body, head = data[81:], data[:80]
    parts = split(body, [transaction.id for transaction in first])
    changed = {
        "amount": [*parts[:3], parts[3].replace(b"\x08\xbd\x9a\x3b", b"\x09\xbd\x9a\x3b")],
        "order": [parts[0], parts[2], parts[1], parts[3]],
        "repeated": [*parts, *parts[2:]],
        "left out": parts[:3],
    }[change]

    with pytest.raises(MalformedError, match="do not fit its header"):
        read_block(head + bytes((len(changed),)) + b"".join(changed))


def test_block_whose_list_repeats_its_end_is_malformed() -> None:
    """An odd list and the same list with its last id twice have one root (CVE-2012-2459)."""
    chain = BitcoinChain.mature()
    chain.pay()
    last = chain.pay()
    block = chain.mine()
    assert len(block.transactions) == 3
    body = b"".join(each.raw for each in (*block.transactions, last))

    with pytest.raises(MalformedError, match="do not fit its header"):
        read_block(block.header + bytes((4,)) + body)


def split(body: bytes, ids: list[str]) -> list[bytes]:
    """Cut the transactions of a block apart."""
    parts: list[bytes] = []
    for key in ids:
        for end in range(60, len(body) + 1):
            try:
                found = read_transaction(body[:end])
            except MalformedError:
                continue
            if found.id == key:
                parts.append(body[:end])
                body = body[end:]
                break
    return parts


@pytest.mark.parametrize("value", [None, 7, "xyz", "0", "00" * (MAX_BLOCK_BYTES + 1)])
def test_text_that_is_not_short_hexadecimal_is_malformed(value: Any) -> None:
    with pytest.raises(MalformedError, match="the block must be hexadecimal"):
        from_hex(value, "the block")


# BIP 173 and BIP 350, examples and test vectors.
SCRIPTS = {
    "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4": "0014751e76e8199196d454941c45d1b3a323f1433bd6",
    "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0": "512079be667ef9dcbbac55a06295"
    "ce870b07029bfcdb2dce28d959f2815b16f81798",
    "bc1sw50qgdz25j": "6002751e",
    "13tuJJDR2RgArmgfv6JScSdreahzgc4T6o": "76a9141fc11f39be1729bf973a7ab6a615ca4729d6457488ac",
}


@pytest.mark.parametrize("address", SCRIPTS)
def test_script_has_its_address(address: str) -> None:
    assert address_of(bytes.fromhex(SCRIPTS[address]), MAIN) == address
    assert checked(address, MAIN) == address


def test_address_in_upper_case_is_the_same_address() -> None:
    address = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"

    assert checked(address.upper(), MAIN) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "BC1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
        "13tuJJDR2RgArmgfv6JScSdreahzgc4T6p",
        "113tuJJDR2RgArmgfv6JScSdreahzgc4T6o",
        "bc1" + "q" * 200,
        "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
        "bc1gmk9yu",
    ],
)
def test_wrong_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be an address of the network main"):
        checked(text, MAIN)


@given(st.binary(max_size=45))
def test_each_address_of_a_script_is_valid(script: bytes) -> None:
    address = address_of(script, MAIN)

    assert address is None or checked(address, MAIN) == address


@pytest.mark.parametrize("places", [(1,), (1, 0), (0, 2)], ids=str)
def test_block_without_one_reward_at_its_start_is_refused(places: tuple[int, ...]) -> None:
    """A row of the tree of ids has the same root as the list of transactions."""
    chain = BitcoinChain.mature()
    chain.pay()
    block, other = chain.mine(), chain.mine()
    found = (*block.transactions, *other.transactions)
    wrong = BitcoinBlock(block.number, block.parent, block.time, tuple(found[at] for at in places))

    assert len(read_block(block.raw).transactions) == 2
    with pytest.raises(MalformedError, match="one reward, as its first"):
        read_block(wrong.raw)


_SPENT = b"\x11" * 36 + b"\0" + b"\xff" * 4
_PAID = bytes(9)


@pytest.mark.parametrize(
    ("inputs", "outputs", "witnesses"), [(5_000, 1, 0), (1, 5_000, 0), (1, 1, 5_000)]
)
def test_long_transaction_is_read_in_slices(inputs: int, outputs: int, witnesses: int) -> None:
    """A node can send one of 4 MB: without slices, the service would stand for seconds."""

    def many(count: int, item: bytes) -> bytes:
        return b"\xfd" + pack("<H", count) + item * count

    data = bytes(4) + b"\0\1" + many(inputs, _SPENT) + many(outputs, _PAID)
    data += many(witnesses, b"\0") + bytes(inputs - 1) + bytes(4)

    slices = sum(1 for _ in transaction_steps(data))

    assert slices == 5_000 // MAX_SLICE_ITEMS
    assert len(read_transaction(data).spent) == inputs
