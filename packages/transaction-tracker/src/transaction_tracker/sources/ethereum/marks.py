"""Whether most providers have their own safe or finalized block at or above an end's block."""

from collections.abc import Mapping, Sequence
from typing import Any

from transaction_tracker.domain import KeptChain, Link, Tag
from transaction_tracker.sources.answers import Ending, Objection
from transaction_tracker.sources.ethereum import decode
from transaction_tracker.sources.ethereum.rpc import Request


def mark_requests(endings: Mapping[str, Ending]) -> list[Request]:
    """Return the requests for the marks that ends need.

    A single provider is asked too: it has sent its mark once, and one response is not enough.
    """
    tags: set[Tag] = {end.tag for end in endings.values() if end.tag is not None}
    return [_request(tag) for tag in sorted(tags)]


def objection_to_mark(
    end: Ending, answers: Sequence[Mapping[Request, Any]], chain: KeptChain
) -> Objection | None:
    """Return why an end that a tag confirms cannot be reported now.

    Most of the providers with a mark must have it at or above the block. A provider without a mark
    does not count. If only one of several providers has a mark, the end is held back and the
    objection is reported, because no other provider can confirm that mark.

    Args:
        end: The end. Providers whose chains do not contain its block are found by other code.
        answers: Results of ``mark_requests``, and of other requests, for each healthy provider.
        chain: Our chain.
    """
    if end.tag is None:
        return None
    results = [of_provider.get(_request(end.tag)) for of_provider in answers]
    marks = [mark for mark in results if isinstance(mark, Link)]
    reached = [mark for mark in marks if mark.number >= end.block.number and _is_ours(mark, chain)]
    if not marks:
        return Objection(f"no provider has a {end.tag} block", contradicts=False)
    if len(marks) == 1 < len(results):
        why = f"only 1 of {len(results)} providers has a {end.tag} block, so nothing confirms it"
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


def _is_ours(mark: Link, chain: KeptChain) -> bool:
    """Return whether a mark can be on our chain: no kept block of its height differs."""
    tip, bottom = chain.tip, chain.bottom
    if tip is None or bottom is None:
        return False
    return chain.holds(mark.ref) or not bottom.number <= mark.number <= tip.number
