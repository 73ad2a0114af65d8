"""Facts about the chain that the parts of a Bitcoin source share."""

from collections.abc import Collection
from typing import Any

from transaction_tracker.domain import Outcome
from transaction_tracker.sources.answers import FetchedBlock, Unreadable
from transaction_tracker.sources.bitcoin.found import Listed, listed_request, outcome_of
from transaction_tracker.sources.bitcoin.networks import PROFILES, NetworkProfile
from transaction_tracker.sources.errors import ApplicationError, MalformedError
from transaction_tracker.sources.ethereum.rpc import Rpc


class BitcoinContext:
    """The network, and the outcomes of its transactions.

    Args:
        rpc: Client of the nodes.

    Attributes:
        network: The network; that of the configuration or the main network before the first check.
    """

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc
        self.network: NetworkProfile = PROFILES["main"]

    async def outcomes(
        self, block: FetchedBlock, keys: Collection[str]
    ) -> dict[str, Outcome | Unreadable | None]:
        """Return the outcomes of transactions of a block, with their fees.

        A transaction in a block has succeeded. Its fee is unknown if each provider refuses to say
        it, as a node does that has pruned the block. After another error, the outcome is missing,
        and the fee is asked for again.
        """
        paid = [key for key in keys if not block.body[block.ids[key]].is_coinbase]
        answers = await self._listed(block, paid)
        found: dict[str, Outcome | Unreadable | None] = {}
        for key in keys:
            answer = answers.get(key)
            if isinstance(answer, MalformedError):
                found[key] = Unreadable(str(answer))
            elif key not in answers or isinstance(answer, Listed | ApplicationError):
                fee = answer.fee if isinstance(answer, Listed) else None
                found[key] = outcome_of(block.body[block.ids[key]], fee, block.time)
        return found

    async def _listed(self, block: FetchedBlock, keys: Collection[str]) -> dict[str, Any]:
        if not keys:
            return {}
        requests = {key: listed_request(key, block.link.ref) for key in keys}
        results = await self._rpc.batch(list(requests.values()))
        answers = dict(zip(keys, results, strict=True))
        refused = [key for key in keys if not isinstance(answers[key], Listed)]
        others = await self._rpc.elsewhere([requests[key] for key in refused]) if refused else []
        for key, other in zip(refused, others, strict=True):
            answers[key] = answers[key] if other is None else other
        return answers
