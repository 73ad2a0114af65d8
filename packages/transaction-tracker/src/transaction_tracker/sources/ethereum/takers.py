"""Whether all providers agree about the transactions that are said to have taken slots."""

from collections.abc import Mapping, Sequence
from typing import Any

from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.context import ChainContext
from transaction_tracker.sources.ethereum.rpc import Request
from transaction_tracker.sources.protocol import Ending, Objection


def taker_requests(context: ChainContext, endings: Mapping[str, Ending]) -> list[Request]:
    """Return the requests for the winners of superseded transactions."""
    taken = (end.winner for end in endings.values() if end.winner and end.slot)
    return [_request(winner, context) for winner in dict.fromkeys(taken)]


def objections_to_takers(
    context: ChainContext, answers: Sequence[Mapping[Request, Any]], endings: Mapping[str, Ending]
) -> dict[str, Objection]:
    """Return the ends by a winner that a provider describes with another sender or nonce.

    A wrong sender or nonce in one answer about a block must not end a transaction as replaced.
    The followed provider is asked too: the block can have come from another one.

    Args:
        context: The chain.
        answers: What each provider answered to ``taker_requests``, and to other requests.
        endings: The ends.
    """
    found: dict[str, Objection] = {}
    for key, end in endings.items():
        if end.winner is None or end.slot is None:
            continue
        request = _request(end.winner, context)
        for answer in (of_provider.get(request) for of_provider in answers):
            if isinstance(answer, decode.Found) and _differs(answer, end):
                why = (
                    f"a provider says that {end.winner} has sender and nonce "
                    f"{answer.transaction.slot}, the followed one {end.slot}"
                )
                found[key] = Objection(why, contradicts=True)
    return found


def _request(winner: str, context: ChainContext) -> Request:
    return Request(
        "eth_getTransactionByHash", (winner,), lambda value: decode.found(value, context.profile)
    )


def _differs(found: decode.Found, end: Ending) -> bool:
    return found.id == end.winner and found.transaction.slot not in (None, end.slot)
