"""Whether most providers have their own safe or finalized block at or above an end's block."""

from collections.abc import Mapping, Sequence
from typing import Any

from transaction_tracker.domain import Chain, Link, Tag
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.rpc import Request
from transaction_tracker.sources.protocol import Ending, Objection


def mark_requests(endings: Mapping[str, Ending]) -> list[Request]:
    """Return the requests for the marks that ends need.

    A single provider is asked too: it has told its mark once, and one answer is not enough.
    """
    tags = {end.tag for end in endings.values() if end.tag is not None}
    return [_request(tag) for tag in sorted(tags)]


def objection_to_mark(
    end: Ending, answers: Sequence[Mapping[Request, Any]], chain: Chain
) -> Objection | None:
    """Return why an end by the chain's own word cannot be told now.

    Most of the providers that tell a mark must have theirs at or above the block. A provider that
    tells none does not count either way. If of several providers one alone tells a mark, the end is
    held back and reported: nobody can confirm that mark.

    Args:
        end: The end. Providers whose chains do not contain its block are found elsewhere.
        answers: What each healthy provider answered to ``mark_requests``, and to other requests.
        chain: Our chain.
    """
    if end.tag is None:
        return None
    told = [of_provider.get(_request(end.tag)) for of_provider in answers]
    marks = [mark for mark in told if isinstance(mark, Link)]
    reached = [mark for mark in marks if mark.number >= end.block.number and _is_ours(mark, chain)]
    if not marks:
        return Objection(f"no provider tells its {end.tag} block", contradicts=False)
    if len(marks) == 1 < len(told):
        why = f"1 of {len(told)} providers alone tells a {end.tag} block, which nothing confirms"
        return Objection(why, contradicts=True, passes=True)
    if 2 * len(reached) > len(marks):
        return None
    why = (
        f"the {end.tag} block of {len(marks) - len(reached)} of {len(marks)} providers has not "
        f"reached block {end.block.number}"
    )
    return Objection(why, contradicts=True, passes=True)


def _request(tag: Tag) -> Request:
    return Request("eth_getBlockByNumber", (tag, False), decode.link)


def _is_ours(mark: Link, chain: Chain) -> bool:
    """Return whether a mark can be on our chain: it is not another block than a kept one."""
    tip, bottom = chain.tip, chain.bottom
    if tip is None or bottom is None:
        return False
    return chain.holds(mark.ref) or not bottom.number <= mark.number <= tip.number
