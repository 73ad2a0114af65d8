"""Decimals and symbols of tokens, which their contracts say.

A contract can say anything, and a node can make up an answer, so nothing is decided by them: they
only show an amount to people.

Source:
    EIP-20: ``decimals()`` returns a ``uint8`` and ``symbol()`` a ``string``, both optional. Tokens
    that are older than the standard, such as MKR, return the symbol as ``bytes32``.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from transaction_tracker.domain import MAX_SYMBOL_CHARACTERS, TokenUnit
from transaction_tracker.sources.ethereum.fields import data, readable
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

DECIMALS = "0x313ce567"
SYMBOL = "0x95d89b41"

# 10 ** 77 is the largest power of ten that 256 bits can hold: above it, each amount is below 1.
MAX_DECIMALS = 77
_WORD_BYTES = 32
# A symbol with its offset and its length takes 96 bytes. A contract can return far more.
_MAX_ANSWER_BYTES = 1_024

V = TypeVar("V")


async def read_token_units(rpc: Rpc, contracts: Sequence[str]) -> dict[str, TokenUnit]:
    """Ask all healthy nodes for the units of tokens.

    A value counts if more than half of the nodes say it: one node alone must not move the point
    of an amount.

    Args:
        rpc: Client of the nodes.
        contracts: Addresses of the tokens, in lower case.

    Returns:
        The units by contract, without tokens for which no decimals were agreed on.

    Raises:
        SourceError: No node is healthy.
    """
    # Without a reader: what a contract returns must not count against the node that ran it.
    requests = [
        Request("eth_call", ({"to": contract, "data": selector}, "latest"), takes_null=True)
        for contract in contracts
        for selector in (DECIMALS, SYMBOL)
    ]
    nodes = await rpc.everywhere(requests)
    found: dict[str, TokenUnit] = {}
    for place, contract in enumerate(contracts):
        number = _agreed([decimals(node[2 * place]) for node in nodes])
        if number is not None:
            text = _agreed([symbol(node[2 * place + 1]) for node in nodes])
            found[contract] = TokenUnit(number, text)
    return found


def decimals(value: object) -> int | None:
    """Return the number of decimals in the result of a call; ``None`` if it is not valid."""
    content = _content(value)
    number = int.from_bytes(content, "big")
    return number if len(content) == _WORD_BYTES and number <= MAX_DECIMALS else None


def symbol(value: object) -> str | None:
    """Return the symbol in the result of a call; ``None`` if it is not valid.

    Characters that are invisible, or that change the direction of the text, make it invalid.
    """
    content = _content(value)
    raw = content.rstrip(b"\0") if len(content) == _WORD_BYTES else _text(content)
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        return None
    is_valid = 1 <= len(text) <= MAX_SYMBOL_CHARACTERS and text.isprintable()
    return text if is_valid else None


def _content(value: object) -> bytes:
    """Return the bytes in the result of a call; none if it is an error or too long."""
    if not isinstance(value, str) or len(value) > 2 * (1 + _MAX_ANSWER_BYTES):
        return b""
    return bytes.fromhex((readable(data, value) or "0x")[2:])


def _text(content: bytes) -> bytes:
    """Return the bytes of a ``string``: its offset, then its length and its content."""
    offset = int.from_bytes(content[:_WORD_BYTES], "big")
    start = offset + _WORD_BYTES
    length = int.from_bytes(content[offset:start], "big")
    end = start + length
    return content[start:end] if end <= len(content) else b""


def _agreed(answers: Sequence[V | None]) -> V | None:
    """Return the value that more than half of the nodes say; ``None`` without one."""
    counts = Counter(answer for answer in answers if answer is not None)
    for value, count in counts.most_common(1):
        if 2 * count > len(answers):
            return value
    return None
