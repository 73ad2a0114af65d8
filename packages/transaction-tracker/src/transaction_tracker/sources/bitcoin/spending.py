"""Whether the outputs that a transaction spends are still there, as a node says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from transaction_tracker.sources.errors import SourceError
from transaction_tracker.sources.ethereum.rpc import Request

MAX_ASKED = 8
"""Outputs of one transaction that are asked about."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What a node says of the outputs that a transaction spends.

    Attributes:
        is_unmined: Whether an output is unspent in the node's blocks: then no block of its chain
            has the transaction, whether or not the node has an index.
        is_blocked: Whether an output is neither unspent in a block nor in the mempool: no block
            can have the transaction any more, unless one has it already.
        error: Error that left an output undecided.
    """

    is_unmined: bool = False
    is_blocked: bool = False
    error: SourceError | None = None


def requests(slots: Sequence[str]) -> list[Request]:
    """Return the requests about the first outputs: each in the blocks, then with the mempool.

    Source:
        ``gettxout``: null for an output that is spent or does not exist.
    """
    return [
        Request("gettxout", (*_coin(slot), with_mempool), takes_null=True)
        for slot in slots[:MAX_ASKED]
        for with_mempool in (False, True)
    ]


def read(slots: Sequence[str], results: Mapping[Request, Any]) -> Spending:
    """Return what the results of ``requests`` say."""
    answers = [results.get(request) for request in requests(slots)]
    error = next((answer for answer in answers if isinstance(answer, SourceError)), None)
    in_blocks, with_mempool = answers[::2], answers[1::2]
    return Spending(
        any(isinstance(answer, dict) for answer in in_blocks),
        any(pair == (None, None) for pair in zip(in_blocks, with_mempool, strict=True)),
        error,
    )


def _coin(slot: str) -> Iterator[str | int]:
    key, _, index = slot.partition(":")
    yield key
    yield int(index)
