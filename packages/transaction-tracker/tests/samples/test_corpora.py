"""Reads every sample that other projects keep, where their repositories are at hand.

Set ``TRACKER_CORPORA`` to a folder with clones named ``owner+name``. Without it these tests are not
collected: nothing of those repositories is kept here. The counts are those of the table in
docs/tracker/chains.md.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.rpc import Request
from transaction_tracker.sources.ethereum.statuses import Statuses

from .corpora import CORPORA, Corpus, clone, read, samples

CLONES = Path(os.environ["TRACKER_CORPORA"])


@pytest.mark.parametrize("corpus", CORPORA, ids=lambda corpus: corpus.repository)
def test_nothing_that_a_node_sent_is_refused(corpus: Corpus) -> None:
    if not clone(CLONES, corpus.repository).is_dir():
        pytest.skip(f"no clone of {corpus.repository}; name their folder in TRACKER_CORPORA")

    reading = read(corpus, CLONES)

    assert reading.refused == []
    assert reading.unreadable == corpus.unreadable
    assert dict(reading.counts) == corpus.counts


class NodeWithoutCode:
    """Answers that there is no code anywhere, and can trace nothing."""

    async def batch(self, requests: Sequence[Request]) -> list[Any]:
        return ["0x" if request.method == "eth_getCode" else None for request in requests]


async def test_every_receipt_from_before_byzantium_is_settled() -> None:
    corpus = CORPORA[0]
    if not clone(CLONES, corpus.repository).is_dir():
        pytest.skip(f"no clone of {corpus.repository}; name their folder in TRACKER_CORPORA")
    found = list(samples(corpus, CLONES))
    items = {item["hash"]: item for kind, item in found if kind == "transaction"}
    receipts = {
        item["transactionHash"]: decode.receipt(item) for kind, item in found if kind == "receipt"
    }
    old = {key: receipt for key, receipt in receipts.items() if receipt.outcome is None}

    outcomes = await Statuses(NodeWithoutCode()).settle(items, old)  # type: ignore[arg-type]

    assert len(old) == 5
    assert all(outcome is not None and outcome.succeeded for outcome in outcomes.values())
