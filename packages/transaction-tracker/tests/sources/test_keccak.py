"""The hash function of Ethereum, which differs from SHA3-256."""

import hashlib

import pytest

from transaction_tracker.sources.ethereum.keccak import keccak256


def test_hash_differs_from_sha3() -> None:
    assert keccak256(b"") != hashlib.sha3_256(b"").digest()


# Public figures: the hash of nothing (the code hash of every account without code), the event
# of ERC-20 transfers, and the selector of Solidity's ``Error(string)``.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (
            "Transfer(address,address,uint256)",
            "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef",
        ),
        ("Error(string)", "08c379a0"),
        ("Panic(uint256)", "4e487b71"),
    ],
)
def test_known_hashes(text: str, expected: str) -> None:
    assert keccak256(text.encode()).hex().startswith(expected)
