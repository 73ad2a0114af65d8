"""What each provider says of an end that is about to be told, read from its answers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from transaction_tracker.domain import Outcome
from transaction_tracker.sources.errors import RateLimitedError, SourceError, TransportError
from transaction_tracker.sources.ethereum import decode, fields
from transaction_tracker.sources.protocol import Ending, FetchedBlock

Stance: TypeAlias = Literal["agrees", "contradicts", "behind", "silent"]


@dataclass(frozen=True, slots=True)
class Vote:
    """What one provider says of one end.

    Attributes:
        stance: ``"behind"``: its head is below the block that decides the end; ``"silent"``: its
            head is not, and it says neither yes nor no.
        reason: What it says, in words that follow its name; empty where it agrees.
        outcome: How the transaction ended by its receipt, where that contradicts the end.
        can_be_asked: Whether its blocks can still settle what it did not say.
        lists: Whether its block lists the transaction, and its receipt alone is missing.
        head: The height of its head, where that is below the block.
        is_firm: Whether it says itself how the transaction ended, and can withdraw what it, or
            another provider, said against that.
    """

    stance: Stance
    reason: str = ""
    outcome: Outcome | None = None
    can_be_asked: bool = False
    lists: bool = False
    head: int = 0
    is_firm: bool = True


AGREES = Vote("agrees")
WITHOUT_STATUS = Vote("agrees", is_firm=False)


def receipt_of(key: str, answer: Any) -> Any:
    """Return a transaction's receipt from an answer about it alone or about its whole block."""
    if isinstance(answer, list):
        return next((receipt for receipt in answer if receipt.id == key), None)
    return answer


def of_receipt(key: str, end: Ending, receipt: Any, others: Iterable[decode.Receipt] = ()) -> Vote:
    """Return what a provider's receipt says of an end.

    Args:
        key: The transaction.
        end: Its end.
        receipt: The receipt; ``None`` or an error where there is none. One of another block comes
            from another branch, or from another node behind the same address.
        others: The receipts of the other providers.
    """
    if isinstance(receipt, SourceError):
        return _failed(receipt)
    if not isinstance(receipt, decode.Receipt) or receipt.id != key or receipt.block != end.block:
        return Vote("silent", "has no receipt of it", can_be_asked=True)
    if receipt.outcome is None:
        return _without_status(receipt, [one for one in others if one.block == end.block])
    if receipt.outcome.succeeded == end.succeeded:
        return AGREES
    return Vote(
        "contradicts", f"has a receipt by which it {_ended(receipt.outcome)}", receipt.outcome
    )


def of_winner(end: Ending, winner: Any, loser: Any) -> Vote:
    """Return what a provider's answers about two transactions say of an end by a winner.

    The provider that told the sender or the nonce of either can be wrong, and so can the one that
    listed the winner in a block.

    Args:
        end: The end.
        winner: What the provider answers about the winner.
        loser: What it answers about the transaction that lost its slot. It says nothing of the
            end where the provider does not know it any more, which is usual.
    """
    if isinstance(loser, decode.Found):
        if loser.transaction.slot not in (None, end.slot):
            return Vote("contradicts", f"says that it has {_slot(loser.transaction.slot)}")
        if loser.block is not None:
            return Vote("contradicts", f"has it in block {loser.block.number} ({loser.block.hash})")
    if isinstance(winner, SourceError):
        return _failed(winner)
    if not isinstance(winner, decode.Found) or winner.id != end.winner:
        return Vote("silent", f"does not know {end.winner}", can_be_asked=True)
    if winner.transaction.slot not in (None, end.slot):
        said = _slot(winner.transaction.slot)
        return Vote("contradicts", f"says that {end.winner} has {said}, not {_slot(end.slot)}")
    if winner.block != end.block:
        return Vote("silent", f"does not have {end.winner} in that block", can_be_asked=True)
    return AGREES


def of_block(key: str, end: Ending, block: Any, head: Any) -> Vote:
    """Return what a provider's own version of the block that decides an end says of it.

    A node without an index of transactions, or without old receipts, answers ``null`` about what
    it has in its blocks: the block itself tells whether it has the transaction.

    Args:
        key: The transaction.
        end: Its end.
        block: The block by its hash; ``None`` or an error where the provider does not show it.
        head: The height of the provider's head, or an error.
    """
    place = f"block {end.block.number} ({end.block.hash})"
    if isinstance(block, SourceError):
        return Vote("silent", f"does not show {place}: {block}")
    if not isinstance(block, FetchedBlock):
        if isinstance(head, int) and head < end.block.number:
            return Vote("behind", f"is at block {head}, below it", head=head)
        return Vote("silent", f"does not show {place}")
    if block.link.ref != end.block:
        return Vote("silent", f"shows block {block.link.hash} in place of {place}")
    wanted = end.winner or key
    if wanted not in block.ids:
        if block.unreadable and not block.hashes_only:
            return Vote("silent", f"shows {place} in a way that cannot be read")
        what = "it" if end.winner is None else end.winner
        return Vote("contradicts", f"does not list {what} in {place}")
    if end.winner is None:
        return Vote("silent", f"lists it in {place}, and has no receipt of it", lists=True)
    taken = {slot for slot, taker in block.slots.items() if taker == end.winner}
    if taken and end.slot not in taken:
        return Vote("contradicts", f"says that {end.winner} has {_slot(*taken)}")
    return AGREES


def height_of(value: Any) -> int:
    """Return the height of a head as a node writes it, or raise ``MalformedError``."""
    return fields.height(value, "head")


def _without_status(receipt: decode.Receipt, others: list[decode.Receipt]) -> Vote:
    """Return what a receipt without a status says: as much as the use of gas that it names.

    Where all receipts lack the status, the end was derived from the use of gas (see ``Statuses``).
    """
    known = [one for one in others if None not in (one.gas_used, receipt.gas_used)]
    if any(one.gas_used != receipt.gas_used for one in known):
        return Vote("contradicts", f"has a receipt with {receipt.gas_used} gas used")
    has_root = receipt.raw.get("root") is not None
    if has_root and any(one.outcome is not None for one in others):
        return Vote("silent", "has a receipt from before Byzantium, without a status")
    return WITHOUT_STATUS


def _failed(error: SourceError) -> Vote:
    # A provider that is out of reach is not asked at once again.
    is_away = isinstance(error, TransportError | RateLimitedError)
    return Vote("silent", f"gives no answer about it: {error}", can_be_asked=not is_away)


def _ended(outcome: Outcome) -> str:
    return "succeeded" if outcome.succeeded else "reverted"


def _slot(slot: str | None) -> str:
    return f"sender and nonce {slot}"
