"""Send a signed transaction to all nodes."""

from typing import Any

from transaction_tracker.sources.answers import Sent
from transaction_tracker.sources.errors import ApplicationError
from transaction_tracker.sources.ethereum import fields
from transaction_tracker.sources.ethereum.rpc import Request, Rpc

# What nodes say of a transaction that they have already, in a pool or in a block: of geth, Erigon,
# Nethermind, Besu, reth and anvil.
_KNOWN = ("already known", "already imported", "alreadyknown", "known transaction", "nonce too low")


class _Raw(str):
    """A raw transaction that is not printed: a crash report shows the last request."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'0x…'"


def _hash(value: Any) -> str:
    return fields.hash32(value, "transaction hash")


async def send(rpc: Rpc, raw: str) -> Sent:
    """Send a signed transaction to all healthy nodes.

    Args:
        rpc: Client of the nodes.
        raw: The transaction in hexadecimal.

    Raises:
        SourceError: No node is healthy.
    """
    answers = await rpc.everywhere([Request("eth_sendRawTransaction", (_Raw(raw),), _hash)])
    return Sent(sum(_has_it(answer) for (answer,) in answers), len(answers))


def _has_it(answer: object) -> bool:
    if isinstance(answer, ApplicationError):
        text = str(answer).lower()
        return any(words in text for words in _KNOWN)
    return isinstance(answer, str)
