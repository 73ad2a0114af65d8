"""Addresses with a checksum in the case of their letters, so that a typing error is noticed."""

from functools import lru_cache

from transaction_tracker.domain import ZERO_ADDRESS
from transaction_tracker.sources.ethereum.fields import ADDRESS
from transaction_tracker.sources.ethereum.keccak import keccak256

# Many payments are expected at the same addresses.
_MAX_KEPT = 4_096


@lru_cache(maxsize=_MAX_KEPT)
def checked_address(text: str) -> str:
    """Return an address in lower case.

    Letters all in one case are accepted without a checksum.

    Raises:
        ValueError: The text is not an address, or its checksum is wrong.

    Source:
        EIP-55.
    """
    if not isinstance(text, str) or ADDRESS.fullmatch(text) is None:
        raise ValueError(f"expected an address, 0x and 40 hexadecimal digits, got {text[:100]!r}")
    digits, lower = text[2:], text.lower()
    if digits in (digits.lower(), digits.upper()) or text == with_checksum(lower):
        return lower
    raise ValueError(
        f"expected an address with a valid checksum (EIP-55), got {text!r}; compare it with its "
        "origin, or send it in lower case to skip the check"
    )


def checked_contract(text: str) -> str:
    """Return the address of a token's contract in lower case.

    Raises:
        ValueError: The text is not an address, its checksum is wrong, or it is the zero address,
            which stands for the coin in some programs. No transfer of it would ever be found.
    """
    address = checked_address(text)
    if address == ZERO_ADDRESS:
        raise ValueError("expected the contract of a token, got the zero address")
    return address


def with_checksum(address: str) -> str:
    """Return an address in lower case with its checksum.

    Source:
        EIP-55: a letter is a capital if the digit at its place in the hash is 8 or more.
    """
    digits = address[2:]
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit
        for digit, mark in zip(digits, marks, strict=False)
    )
