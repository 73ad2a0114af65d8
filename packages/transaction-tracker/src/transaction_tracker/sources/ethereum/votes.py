"""Vote of each provider on an end that is about to be reported, from its results."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from transaction_tracker.domain import Outcome, Transaction
from transaction_tracker.sources.answers import Ending, FetchedBlock
from transaction_tracker.sources.errors import RateLimitedError, SourceError, TransportError
from transaction_tracker.sources.ethereum import decode, details, fields
from transaction_tracker.sources.ethereum.contents import Content
from transaction_tracker.sources.ethereum.profiles import UNKNOWN, ChainProfile

Stance: TypeAlias = Literal["agrees", "contradicts", "behind", "silent"]


@dataclass(frozen=True, slots=True)
class Vote:
    """Vote of one provider on one end.

    Attributes:
        stance: ``"agrees"``; ``"contradicts"``; ``"behind"``: the provider's head is below the
            block that decides the end; ``"silent"``: it has no clear answer for another reason.
        reason: Reason, as text that follows the provider's name; empty if the provider agrees.
        outcome: Outcome in the provider's receipt, if it contradicts the end.
        transaction: The transaction as the provider has it, if it contradicts the end.
        can_be_asked: Whether the provider's block can still make the vote clear.
        lists: Whether the provider's block lists the transaction, and only its receipt is missing.
        head: Height of the provider's head, if it is below the block.
        is_firm: Whether the provider itself has evidence of the outcome. Only firm votes withdraw
            earlier objections.
    """

    stance: Stance
    reason: str = ""
    outcome: Outcome | None = None
    transaction: Transaction | None = None
    can_be_asked: bool = False
    lists: bool = False
    head: int = 0
    is_firm: bool = True


AGREES = Vote("agrees")
WITHOUT_STATUS = Vote("agrees", is_firm=False)


def receipt_of(key: str, answer: Any) -> Any:
    """Return a transaction's receipt from a single receipt, or those of its block by their ids."""
    return answer.get(key) if isinstance(answer, dict) else answer


def of_receipt(key: str, end: Ending, receipt: Any, others: Iterable[decode.Receipt] = ()) -> Vote:
    """Return the vote from a provider's receipt.

    Args:
        key: The transaction.
        end: End of the transaction.
        receipt: Receipt; ``None`` or an error if there is none. A receipt in another block is from
            another branch, or from another node behind the same address: it does not count.
        others: Receipts of the other providers.
    """
    if isinstance(receipt, SourceError):
        return _failed(receipt)
    if not isinstance(receipt, decode.Receipt) or receipt.id != key or receipt.block != end.block:
        return Vote("silent", "has no receipt of it", can_be_asked=True)
    if receipt.outcome is None:
        return _without_status(receipt, [other for other in others if other.block == end.block])
    outcome = details.detailed(receipt.outcome, receipt.raw)
    if outcome.succeeded != end.succeeded:
        return Vote("contradicts", f"has a receipt by which it {_ended(outcome)}", outcome)
    # What is reported with an end can never be taken back, like the end itself.
    conflicts = () if end.outcome is None else end.outcome.conflicts(outcome)
    if not conflicts:
        return AGREES
    return Vote("contradicts", f"has a receipt with other {' and '.join(conflicts)}", outcome)


def of_transaction(key: str, end: Ending, found: Any) -> Vote:
    """Return the vote from a transaction that is in a block, as a provider has it.

    A receipt does not contain the value: without this vote, one provider alone would say how much
    was paid.
    """
    if isinstance(found, SourceError):
        return _failed(found)
    if not isinstance(found, decode.Found) or found.id != key:
        return Vote("silent", "does not know it", can_be_asked=True)
    return _of_content(key, end, found.transaction)


def of_listing(key: str, end: Ending, block: FetchedBlock, profile: ChainProfile) -> Vote:
    """Return the vote from a transaction in a provider's own version of its block."""
    index = block.ids.get(key)
    item = None if index is None or block.link.ref != end.block else block.body[index]
    if not isinstance(item, dict):
        return Vote("silent", "does not show it in its block", can_be_asked=True)
    return _of_content(key, end, decode.transaction(item, profile))


def _of_content(key: str, end: Ending, ours: Transaction) -> Vote:
    """Return the vote from a transaction; unreadable fields contradict nothing."""
    if ours.slots and end.slots and ours.slots != end.slots:
        reason = f"says that it has {_named(ours.slots)}, not {_named(end.slots)}"
        return Vote("contradicts", reason, transaction=ours)
    unreadable = Content.unreadable(key).digest()
    if end.content is None or unreadable in (ours.content, end.content):
        return AGREES
    if ours.content != end.content:
        reason = "has it with another recipient, value or input"
        return Vote("contradicts", reason, transaction=ours)
    return AGREES


def combined(of_receipt: Vote, of_transaction: Vote) -> Vote:
    """Return the vote of a provider from its receipt and its transaction."""
    if of_transaction.stance == "agrees":
        return of_receipt
    if of_receipt.stance == "agrees":
        return of_transaction
    against = [vote for vote in (of_receipt, of_transaction) if vote.stance == "contradicts"]
    if len(against) < 2:
        return against[0] if against else of_receipt
    reason = f"{of_receipt.reason}, and {of_transaction.reason}"
    return replace(of_receipt, reason=reason, transaction=of_transaction.transaction)


def of_winner(end: Ending, winner: Any, loser: Any) -> Vote:
    """Return the vote from a provider's results about the winner and the loser of a slot.

    A provider can send a wrong sender or nonce of either transaction, or list the winner in a wrong
    block: so the results of several providers are compared.

    Args:
        end: End of the loser.
        winner: Result about the winner.
        loser: Result about the transaction that lost its slot. It is usually ``None``, because
            providers delete such a transaction, and then does not count.
    """
    if isinstance(loser, decode.Found):
        if _are_others(loser.transaction.slots, end):
            return Vote("contradicts", f"says that it has {_named(loser.transaction.slots)}")
        if loser.block is not None:
            return Vote("contradicts", f"has it in block {loser.block.number} ({loser.block.hash})")
    if isinstance(winner, SourceError):
        return _failed(winner)
    if not isinstance(winner, decode.Found) or winner.id != end.winner:
        return Vote("silent", f"does not know {end.winner}", can_be_asked=True)
    if _are_others(winner.transaction.slots, end):
        said = _named(winner.transaction.slots)
        return Vote("contradicts", f"says that {end.winner} has {said}, not {_named(end.slots)}")
    if winner.block != end.block:
        return Vote("silent", f"does not have {end.winner} in that block", can_be_asked=True)
    return AGREES


def of_block(key: str, end: Ending, block: Any, head: Any, profile: ChainProfile = UNKNOWN) -> Vote:
    """Return the vote from a provider's own version of the block that decides an end.

    A node without an index of transactions, or without old receipts, returns ``null`` for
    transactions in its blocks: but the block lists its transactions.

    Args:
        key: The transaction.
        end: End of the transaction.
        block: Block by its hash; ``None`` or an error if the provider does not send it.
        head: Height of the provider's head, or an error.
        profile: Profile of the chain.
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
        name = "it" if end.winner is None else end.winner
        return Vote("contradicts", f"does not list {name} in {place}")
    if end.winner is None:
        vote = of_listing(key, end, block, profile)
        if vote.stance == "contradicts":
            return vote
        return Vote("silent", f"lists it in {place}, and has no receipt of it", lists=True)
    taken = tuple(slot for slot, taker in block.slots.items() if taker == end.winner)
    if _are_others(taken, end):
        return Vote("contradicts", f"says that {end.winner} has {_named(taken)}")
    return AGREES


def height_of(value: Any) -> int:
    """Return the height of a head as an integer, or raise ``MalformedError``."""
    return fields.height(value, "head")


def _without_status(receipt: decode.Receipt, others: list[decode.Receipt]) -> Vote:
    """Return the vote from a receipt without a status, by comparing its use of gas.

    If all receipts lack the status, the end follows from the use of gas (see ``Statuses``).
    """
    known = [other for other in others if None not in (other.gas_used, receipt.gas_used)]
    if any(other.gas_used != receipt.gas_used for other in known):
        return Vote("contradicts", f"has a receipt with {receipt.gas_used} gas used")
    has_root = receipt.raw.get("root") is not None
    if has_root and any(other.outcome is not None for other in others):
        return Vote("silent", "has a receipt from before Byzantium, without a status")
    return WITHOUT_STATUS


def _failed(error: SourceError) -> Vote:
    # A provider that is unreachable or rate limited does not get more requests now.
    is_away = isinstance(error, TransportError | RateLimitedError)
    return Vote("silent", f"gives no answer about it: {error}", can_be_asked=not is_away)


def _ended(outcome: Outcome) -> str:
    return "succeeded" if outcome.succeeded else "reverted"


def _are_others(slots: tuple[str, ...], end: Ending) -> bool:
    """Return whether slots are known, and none of them is one of the slots of an end."""
    return bool(slots) and not set(slots).intersection(end.slots)


def _named(slots: tuple[str, ...]) -> str:
    return f"sender and nonce {', '.join(slots)}"
