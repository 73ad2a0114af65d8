"""Token transfers, from the logs of a receipt.

A contract can log anything, and a node can send anything as a log. A log that names a transfer and
is not one by its standard is counted and skipped: it never makes a receipt unreadable.

Source:
    ERC-20, ERC-721 and ERC-1155, "Events"; the Solidity ABI specification, "Events".
"""

import re
from collections.abc import Iterator
from typing import Any

from transaction_tracker.domain import Transfer
from transaction_tracker.sources.errors import MalformedError
from transaction_tracker.sources.ethereum.fields import address, array, data, hash32, record, wrong

# Keccak-256 of the events' signatures.
TRANSFER = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
TRANSFER_SINGLE = "0xc3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62"
TRANSFER_BATCH = "0x4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb"
_EVENTS = frozenset((TRANSFER, TRANSFER_SINGLE, TRANSFER_BATCH))

_ERC20_TOPICS, _INDEXED_TOPICS = 3, 4
_WORD_BYTES = 32
_WORD_DIGITS = 2 * _WORD_BYTES
_PADDED_ADDRESS = re.compile("0x0{24}([0-9a-f]{40})")


def read_logs(value: object) -> tuple[tuple[Transfer, ...], int] | None:
    """Return the transfers in a receipt's logs, and the number of malformed logs.

    Returns:
        The transfers in the order of the logs; ``None`` if ``value`` is not a list.
    """
    if not isinstance(value, list):
        return None
    found: list[Transfer] = []
    malformed = 0
    for index, log in enumerate(value):
        try:
            found += _transfers(index, record(log, "log"))
        except MalformedError:
            malformed += 1
    return tuple(found), malformed


def _transfers(index: int, log: dict[str, Any]) -> list[Transfer]:
    topics = array(log.get("topics"), "log's topics")
    event = topics[0].lower() if topics and isinstance(topics[0], str) else None
    if event not in _EVENTS:
        return []
    token = address(log.get("address"), "log's address")
    rest = [hash32(topic, "log's topic") for topic in topics[1:]]
    content = data(log.get("data"), "log's data")[2:]
    if event == TRANSFER:
        return [_of_transfer(index, token, rest, content)]
    if len(topics) != _INDEXED_TOPICS:
        raise wrong("log of an ERC-1155 transfer", f"{_INDEXED_TOPICS} topics", len(topics))
    sender, recipient = map(_account, rest[1:])  # the first one is the operator
    return [
        Transfer(index, "erc1155", token, sender, recipient, value, token_id)
        for token_id, value in (_single if event == TRANSFER_SINGLE else _batch)(content)
    ]


def _of_transfer(index: int, token: str, topics: list[str], content: str) -> Transfer:
    """Return the transfer in an event that ERC-20 and ERC-721 have in common."""
    count = len(topics) + 1
    if count == _ERC20_TOPICS and len(content) == _WORD_DIGITS:
        sender, recipient = map(_account, topics)
        return Transfer(index, "erc20", token, sender, recipient, value=int(content, 16))
    if count == _INDEXED_TOPICS and not content:
        sender, recipient = map(_account, topics[:2])
        return Transfer(index, "erc721", token, sender, recipient, token_id=int(topics[2], 16))
    raise wrong("log of a transfer", "that of ERC-20 or ERC-721", (count, len(content) // 2))


def _single(content: str) -> list[tuple[int, int]]:
    if len(content) != 2 * _WORD_DIGITS:
        raise wrong("log's data", "an id and a value", len(content) // 2)
    return [(_word(content, 0), _word(content, _WORD_BYTES))]


def _batch(content: str) -> list[tuple[int, int]]:
    ids, values = (list(_array(content, _word(content, at))) for at in (0, _WORD_BYTES))
    if len(ids) != len(values):
        raise wrong("log's data", "as many ids as values", (len(ids), len(values)))
    return list(zip(ids, values, strict=True))


def _array(content: str, offset: int) -> Iterator[int]:
    """Yield the numbers of an array at an offset in bytes."""
    # Anybody can write any count: the first number beyond the data raises an error.
    for number in range(_word(content, offset)):
        yield _word(content, offset + (1 + number) * _WORD_BYTES)


def _word(content: str, offset: int) -> int:
    digits = content[2 * offset : 2 * offset + _WORD_DIGITS]
    if len(digits) != _WORD_DIGITS:
        raise wrong("log's data", f"32 bytes at {offset}", len(content) // 2)
    return int(digits, 16)


def _account(topic: str) -> str:
    found = _PADDED_ADDRESS.fullmatch(topic)
    if found is None:
        raise wrong("log's topic", "an address", topic)
    return f"0x{found[1]}"
