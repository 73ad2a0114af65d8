"""Data of each chain, replayed as a chain: each transaction reaches its end (rule 11.3).

The rows are those of ``tests/data``, each in a block of its own.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.sources.ethereum.profiles import profile_of

from .chain import Chain, Json, digest, transaction
from .node import Node
from .world import CONFIRMATIONS, World, chain_of

DATA = Path(__file__).parent.parent / "data"
FILES = sorted(path.stem for path in DATA.glob("*.json"))
# Fields that a block sets in its transactions, and a chain in its blocks.
OF_THE_BLOCK = {"blockHash", "blockNumber", "transactionIndex", "transactionHash"}
OF_THE_CHAIN = {"number", "hash", "timestamp", "transactions"}
# Whether the row's receipt has the status of success. Without a status, the outcome of some
# transactions is unknown.
ENDS_BY_SUCCESS = {True: [["confirmed"]], False: [["failed"]], None: [[], ["confirmed"]]}


def rows_of(name: str) -> tuple[int, list[dict[str, Any]]]:
    """Return a chain's id and its rows."""
    group = json.loads((DATA / f"{name}.json").read_text())
    return group["chain_id"] or 1, group["rows"]


def unlike(item: Any, *parts: object) -> Any:
    """Return a transaction of a row with its own hash, because all rows have the same hash."""
    if not isinstance(item, dict):
        return item
    fields = {name: value for name, value in item.items() if name not in OF_THE_BLOCK}
    return fields | {"hash": digest(item["hash"], *parts)}


def mine_row(chain: Chain, row: dict[str, Any], place: int) -> list[Json]:
    """Mine a block with the content of the row; return the transactions to track."""
    value = row["value"]
    if row["kind"] == "transaction":
        wanted = unlike(value, place)
        chain.mine(wanted)
        return [wanted]
    if row["kind"] == "receipt":
        wanted = transaction(f"sender {place}", 1, kind=value.get("type", "0x0"), chain_id=chain.id)
        changes = dict.fromkeys(("status",)) | value
        own = {*OF_THE_BLOCK, "from", "to"}
        chain.mine(
            wanted, receipt={name: item for name, item in changes.items() if name not in own}
        )
        return [wanted]
    has_links = profile_of(chain.id).parent_links
    own = {*OF_THE_CHAIN, "parentHash"} if has_links else OF_THE_CHAIN
    header = {name: item for name, item in value.items() if name not in own}
    listed = [unlike(item, place) for item in value["transactions"]]
    followed = [item for item in listed if isinstance(item, dict)]
    chain.mine(*followed, **header)
    return followed


@pytest.mark.parametrize("name", FILES)
def test_every_transaction_of_a_chain_reaches_its_end(name: str) -> None:
    chain_id, rows = rows_of(name)
    chain = chain_of(CONFIRMATIONS, chain_id)
    world = World(Node(chain))
    followed: list[tuple[dict[str, Any], Json]] = []
    for place, row in enumerate(rows):
        followed += [(row, item) for item in mine_row(chain, row, place)]

    async def main() -> None:
        await world.track(*(item for _, item in followed))
        await world.blocks(CONFIRMATIONS + 3)
        await world.reaches(chain)
        for row, item in followed:
            assert await world.ends(item) in ENDS_BY_SUCCESS[row.get("succeeded", True)], row

    world.play(main)
