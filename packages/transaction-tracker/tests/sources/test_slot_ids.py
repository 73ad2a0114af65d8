"""Ids of transactions by sender and nonce."""

import re

import pytest

from transaction_tracker import EthereumSource, InvalidTransactionError
from transaction_tracker.domain import MAX_NONCE
from transaction_tracker.sources.ethereum.slot_ids import ID_PATTERN

CHECKED = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # an example of EIP-55
LOWER = CHECKED.lower()
TRON = 728126428


def source(chain_id: int = 1) -> EthereumSource:
    return EthereumSource("http://127.0.0.1:1", chain_id)


@pytest.mark.parametrize("nonce", [0, 5, MAX_NONCE])
@pytest.mark.parametrize("sender", [LOWER, CHECKED])
def test_sender_and_nonce_have_one_form(sender: str, nonce: int) -> None:
    key = source().identify(f"{sender}:{nonce}")

    assert key == source().slot_id(sender, nonce) == f"{LOWER}:{nonce}"
    assert source().slot_of(key) == key


def test_pattern_fits_the_ids() -> None:
    for key in (f"{LOWER}:0", f"{LOWER}:17", "0x" + "aB" * 32):
        assert re.search(ID_PATTERN, key)
        assert source().identify(key) == key.lower()
    assert not re.search(ID_PATTERN, f"{LOWER}:01")


def test_hash_does_not_name_a_slot() -> None:
    assert source().slot_of("0x" + "a" * 64) is None


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        (f"{CHECKED.replace('A', 'a', 1)}:5", "sender", "valid checksum (EIP-55)"),
        ("me:5", "sender", "0x and 40 hexadecimal digits, got 'me'"),
        (":5", "sender", "got ''"),
        (f"{LOWER}:", "nonce", "got ''"),
        (f"{LOWER}:05", "nonce", "whole number"),
        (f"{LOWER}:-1", "nonce", "whole number"),
        (f"{LOWER}:1.0", "nonce", "whole number"),
        (f"{LOWER}:1:2", "nonce", "got '1:2'"),
        (f"{LOWER}:\u0661", "nonce", "whole number"),
        (f"{LOWER}:{MAX_NONCE + 1}", "nonce", f"to {MAX_NONCE}"),
        (f"{LOWER}:{'9' * 5_000}", "nonce", "whole number"),
    ],
)
def test_invalid_id_is_refused_with_its_part(text: str, field: str, words: str) -> None:
    with pytest.raises(InvalidTransactionError, match=re.escape(words)) as caught:
        source().identify(text)

    assert caught.value.field == field
    assert len(str(caught.value)) < 400


def test_chain_without_nonces_of_accounts_has_no_such_ids() -> None:
    with pytest.raises(InvalidTransactionError, match="accounts have no nonces on Tron"):
        source(TRON).identify(f"{LOWER}:5")
    assert ":" not in source(TRON).id_pattern
