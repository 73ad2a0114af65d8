"""``eth_getLogs``: find the logs of blocks by address and topics."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest

from txtrack_devnode import params
from txtrack_devnode.block import Block
from txtrack_devnode.blocks import Mined
from txtrack_devnode.wire import Json, logs_json


def find_logs(blocks: Iterable[Block], given: Mapping[str, object]) -> list[Json]:
    """Return the logs of blocks that match a filter.

    Args:
        blocks: The blocks to search.
        given: Fields ``address``, one or a list, and ``topics``: for each place a topic, a list
            of them, or ``null`` for any.
    """
    addresses = None if given.get("address") is None else _choices(given["address"], "address")
    topics = [
        None if topic is None else _choices(topic, "a topic")
        for topic in _list(given.get("topics"))
    ]
    return [log for log in _logs(blocks) if _matches(log, addresses, topics)]


def _logs(blocks: Iterable[Block]) -> Iterator[Json]:
    for block in blocks:
        for index, tx in enumerate(block.transactions):
            yield from logs_json(Mined(tx, block, index))


def _matches(log: Json, addresses: list[str] | None, wanted: list[list[str] | None]) -> bool:
    if addresses is not None and log["address"] not in addresses:
        return False
    topics = _list(log["topics"])
    pairs = zip_longest(wanted, topics[: len(wanted)])
    return all(choices is None or topic in choices for choices, topic in pairs)


def _choices(value: object, name: str) -> list[str]:
    parse = params.address if name == "address" else params.hash32
    return [parse(item, name) for item in (value if isinstance(value, list) else [value])]


def _list(value: object) -> list[object]:
    if value is not None and not isinstance(value, list):
        raise params.invalid("topics", "a list", value)
    return value or []
