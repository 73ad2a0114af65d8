"""Addresses with a checksum; the vectors are those of EIP-55 (CC0-1.0)."""

import pytest

from transaction_tracker.sources.ethereum.checksum import checked_address, with_checksum

VALID = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]


@pytest.mark.parametrize("address", VALID)
def test_valid_checksum_is_accepted(address: str) -> None:
    assert checked_address(address) == address.lower()
    assert with_checksum(address.lower()) == address


@pytest.mark.parametrize("address", VALID[4:])
def test_letters_in_one_case_are_accepted_without_a_checksum(address: str) -> None:
    assert checked_address(address.lower()) == address.lower()
    assert checked_address("0x" + address[2:].upper()) == address.lower()


@pytest.mark.parametrize("address", VALID[4:])
def test_wrong_case_of_one_letter_is_refused(address: str) -> None:
    at = next(index for index, letter in enumerate(address) if letter in "ABCDEF")
    wrong = address[:at] + address[at].lower() + address[at + 1 :]

    with pytest.raises(ValueError, match=r"valid checksum \(EIP-55\), got '0x.*lower case"):
        checked_address(wrong)


@pytest.mark.parametrize(
    "text", ["", "0x", VALID[4][:-1], VALID[4] + "0", VALID[4][2:], "0x" + "g" * 40, "x" * 10_000]
)
def test_text_that_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected an address, 0x and 40") as caught:
        checked_address(text)

    assert len(str(caught.value)) < 200
