"""Each failure in the table has tests in this folder, and each test names one of its reports."""

import ast
import re
from pathlib import Path

import pytest

# Failures that users of other programs reported, each with the first words of its tests' names.
ROWS = {
    "waits without limit when replaced or dropped": "waits_without_limit",
    "a missed block hangs the waiter": "a_missed_block_hangs_the_waiter",
    "success recorded as failure on a stale null": "success_recorded_as_failure_on_a_stale_null",
    "429 from polling": "429_from_polling",
    "transaction indexing is in progress": "transaction_indexing_is_in_progress",
    "block not found right after its head": "block_not_found_right_after_its_head",
    "confirmations wrong after a reorg": "confirmations_wrong_after_a_reorg",
    "a WebSocket reconnect loses events or hangs": "a_websocket_reconnect_loses_events_or_hangs",
    "one class of error pauses every provider": "one_class_of_error_pauses_every_provider",
    "blocks skipped silently after downtime": "blocks_skipped_silently_after_downtime",
    "callback lost between commit and call": "callback_lost_between_commit_and_call",
}
REPORTS = {
    "waits without limit when replaced or dropped": (
        *("viem#3875", "ethers#3385", "ethers#4875", "alloy#2678", "web3.js#6328"),
    ),
    "a missed block hangs the waiter": ("alloy#3408", "alloy#4181", "alloy#4194"),
    "success recorded as failure on a stale null": (
        *("OpenZeppelin Relayer#817", "geth#18448", "geth#28789"),
    ),
    "429 from polling": ("web3.py#1435", "Nethereum#879"),
    "transaction indexing is in progress": ("geth#29956", "ethers#4999", "web3.py#3212"),
    "block not found right after its head": ("viem#1543", "erigon#1761"),
    "confirmations wrong after a reorg": ("web3.js#3608",),
    "a WebSocket reconnect loses events or hangs": (
        *("web3.js#3491", "web3.py#3151", "web3.py#3375"),
    ),
    "one class of error pauses every provider": ("OpenZeppelin Relayer#681",),
    "blocks skipped silently after downtime": ("OpenZeppelin Monitor#394",),
    "callback lost between commit and call": ("ewallet",),
}


def described() -> dict[str, str]:
    """Return the docstrings of all asynchronous tests in this folder, by name."""
    found = {}
    for path in Path(__file__).parent.glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found[node.name.removeprefix("test_")] = ast.get_docstring(node) or ""
    return found


@pytest.mark.parametrize("row", ROWS)
def test_each_row_has_tests_and_each_report_is_named_in_a_test(row: str) -> None:
    docs = [doc for name, doc in described().items() if name.startswith(ROWS[row])]

    assert docs
    for report in REPORTS[row]:
        assert any(report in doc for doc in docs), report


def test_each_test_belongs_to_a_row_and_names_a_report() -> None:
    for name, doc in described().items():
        (row,) = [row for row, words in ROWS.items() if name.startswith(words)]
        assert re.match(r"[^:]+", doc), name
        assert any(report in doc for report in REPORTS[row]), name
