"""Whether all providers agree about the transactions that are said to have taken slots."""

from collections.abc import Mapping
from typing import Any

from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.rpc import Request, Rpc
from transaction_tracker.sources.protocol import Ending, Objection


async def objections_to_takers(
    rpc: Rpc, context: ChainContext, endings: Mapping[str, Ending]
) -> dict[str, Objection]:
    """Return the ends by a winner that a provider describes with another sender or nonce.

    A wrong sender or nonce in one answer about a block must not end a transaction as replaced.
    The followed provider is asked too: the block can have come from another one.
    """
    taken = {key: end for key, end in endings.items() if end.winner and end.slot}
    if not taken:
        return {}

    def read(value: Any) -> decode.Found:
        return decode.found(value, context.profile)

    requests = [Request("eth_getTransactionByHash", (end.winner,), read) for end in taken.values()]
    found: dict[str, Objection] = {}
    for answers in await rpc.everywhere(requests):
        for (key, end), answer in zip(taken.items(), answers, strict=True):
            if isinstance(answer, decode.Found) and _differs(answer, end):
                why = (
                    f"a provider says that {end.winner} has sender and nonce "
                    f"{answer.transaction.slot}, the followed one {end.slot}"
                )
                found[key] = Objection(why, contradicts=True)
    return found


def _differs(found: decode.Found, end: Ending) -> bool:
    return found.id == end.winner and found.transaction.slot not in (None, end.slot)
