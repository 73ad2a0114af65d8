"""What each chain sends, a row for each kind, written after the source that the row names."""

import json
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.profiles import profile_of

DATA = Path(__file__).parent.parent / "data"
FILES = sorted(DATA.glob("*.json"))
SETS = {path.stem: json.loads(path.read_text()) for path in FILES}
ROWS = [
    pytest.param(group["chain_id"], row, id=f"{name}-{row['kind']}-{row['note']}")
    for name, group in SETS.items()
    for row in group["rows"]
]


def of_kind(kind: str) -> Any:
    return pytest.mark.parametrize(
        ("chain_id", "row"), [row for row in ROWS if row.values[1]["kind"] == kind]
    )


@of_kind("transaction")
def test_every_transaction_is_read(chain_id: int | None, row: dict[str, Any]) -> None:
    found = decode.found(row["value"], profile_of(chain_id))

    assert found.id == row["value"]["hash"]
    assert found.transaction.slots == (() if row["slot"] is None else (row["slot"],))
    assert (found.block is not None) == row.get("block", True)
    if "chain" in row:
        assert found.chain_id == row["chain"]


@of_kind("receipt")
def test_every_receipt_is_read(chain_id: int | None, row: dict[str, Any]) -> None:
    receipt = decode.receipt(row["value"], profile_of(chain_id))

    outcome = receipt.outcome
    assert (outcome.succeeded if outcome else None) == row["succeeded"]
    if outcome is not None:
        assert (outcome.fee, outcome.fee_scope) == (row["fee"], row["scope"])


@of_kind("block")
def test_every_block_is_read(chain_id: int | None, row: dict[str, Any]) -> None:
    block = decode.block(row["value"], profile_of(chain_id))

    assert (len(block.ids), len(block.slots)) == (row["ids"], row["slots"])
    assert block.unreadable == row.get("unreadable", 0)
    assert block.hashes_only == row.get("hashes_only", False)


def test_the_page_lists_each_file_with_its_rows_and_sources() -> None:
    lines = (DATA / "README.md").read_text().splitlines()
    listed = {
        cells[0]: (int(cells[1]), cells[2])
        for cells in ([cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines)
        if cells[0].endswith(".json")
    }

    assert listed == {
        f"{name}.json": (len(group["rows"]), "; ".join(group["sources"]))
        for name, group in SETS.items()
    }
