"""Which chain the providers are on at the first start: the majority decides."""

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TypeVar

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources import WrongChainError
from transaction_tracker.sources.ethereum.rpc import Identity

K = TypeVar("K", bound=Hashable)

_WAY_OUT = (
    "as many providers report the one as the other, so the right chain is unknown: remove the "
    "provider that is wrong, or add another one"
)


def elect(
    identities: Mapping[str, Identity], height: int | None, expected: BlockRef | None
) -> Identity | None:
    """Return the identity that all providers must have.

    The first provider alone must not decide: if it is on the wrong chain, all other providers
    would be refused.

    Args:
        identities: The identity of each provider, by name, in the configured order.
        height: The height at which providers are compared. ``None`` takes the height at which
            most of them have a block, and the highest of several such heights: a node that has
            pruned its old blocks has all blocks above its first one.
        expected: The block at that height, if the database knows it. It decides if a provider
            has it.

    Raises:
        WrongChainError: Two chains have equally many providers.
    """
    if not identities:
        return None
    matching = [
        identity
        for identity in identities.values()
        if expected is not None and identity.anchor == expected
    ]
    if matching:
        return matching[0]
    if expected is not None:
        # None of them matches the database. The caller raises that error, which says more than
        # that the providers also differ.
        return next(iter(identities.values()))
    chain_id = _most_common(
        {name: identity.chain_id for name, identity in identities.items()}, "chain id"
    )
    anchors = {
        name: identity.anchor
        for name, identity in identities.items()
        if identity.anchor is not None and identity.chain_id == chain_id
    }
    heights = Counter(anchor.number for anchor in anchors.values())
    common = max(heights, key=lambda height: (heights[height], height), default=None)
    height = common if height is None else height
    hashes = {name: anchor.hash for name, anchor in anchors.items() if anchor.number == height}
    if height is None or not hashes:
        return Identity(chain_id, None)
    return Identity(chain_id, BlockRef(height, _most_common(hashes, f"block {height}")))


def is_decided(identities: Mapping[str, Identity], voters: int, expected: BlockRef | None) -> bool:
    """Return whether providers that have not answered yet cannot change the result.

    Args:
        identities: The identity of each provider that has answered.
        voters: Number of providers that are asked.
        expected: The block that the database knows.
    """
    if any(
        expected is not None and identity.anchor == expected for identity in identities.values()
    ):
        return True
    votes = Counter(identities.values())
    return 2 * max(votes.values(), default=0) > voters


def _most_common(votes: Mapping[str, K], label: str) -> K:
    """Return the most common value; raise ``WrongChainError`` if another one is as common."""
    counted = Counter(votes.values()).most_common()
    (first, count), others = counted[0], counted[1:]
    if others and others[0][1] == count:
        names = {value: _names(votes, value) for value, same in counted if same == count}
        listed = ", and ".join(f"{value} at {voters}" for value, voters in names.items())
        raise WrongChainError(f"the {label} is {listed}; {_WAY_OUT}")
    return first


def _names(votes: Mapping[str, K], value: K) -> str:
    return ", ".join(name for name, vote in votes.items() if vote == value)
