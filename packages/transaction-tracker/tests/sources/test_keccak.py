import hashlib

import pytest

from transaction_tracker.sources.ethereum.keccak import SHA3_PADDING, keccak256


@pytest.mark.parametrize("size", [0, 1, 31, 32, 135, 136, 137, 271, 272, 1_000])
def test_other_padding_gives_sha3(size: int) -> None:
    data = bytes(index * 7 % 256 for index in range(size))

    assert keccak256(data, padding=SHA3_PADDING) == hashlib.sha3_256(data).digest()


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
