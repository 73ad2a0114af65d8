"""Which chain the providers of a first start are on: most of them decide."""

from collections import Counter
from collections.abc import Hashable, Mapping
from typing import TypeVar

from transaction_tracker.domain import BlockRef
from transaction_tracker.sources import WrongChainError
from transaction_tracker.sources.ethereum.rpc import Identity

K = TypeVar("K", bound=Hashable)

_WAY_OUT = (
    "as many providers say one as the other, so nothing tells which chain this is: remove the "
    "provider that is wrong, or add another one"
)


def elected(
    identities: Mapping[str, Identity], at: int | None, expected: BlockRef | None
) -> Identity | None:
    """Return the identity by which all providers are judged.

    The first provider's word must not be enough: it would have all others refused.

    Args:
        identities: What each provider says, by name, in the order in which they are preferred.
        at: The height at which they are compared; ``None`` for the height at which most of them
            have a block, of several the highest: a node that has pruned its old blocks has all
            above its first one.
        expected: The block there, where the database knows it. It decides if a provider has it.

    Raises:
        WrongChainError: Two chains have as many providers each.
    """
    if not identities:
        return None
    ours = [one for one in identities.values() if expected is not None and one.anchor == expected]
    if ours:
        return ours[0]
    if expected is not None:
        # The database refuses them all: its error says more than that they also differ.
        return next(iter(identities.values()))
    chain_id = _most({name: one.chain_id for name, one in identities.items()}, "chain id")
    anchors = {
        name: one.anchor
        for name, one in identities.items()
        if one.anchor is not None and one.chain_id == chain_id
    }
    heights = Counter(anchor.number for anchor in anchors.values())
    height = max(heights, key=lambda height: (heights[height], height), default=None)
    height = height if at is None else at
    hashes = {name: one.hash for name, one in anchors.items() if one.number == height}
    if height is None or not hashes:
        return Identity(chain_id, None)
    return Identity(chain_id, BlockRef(height, _most(hashes, f"block {height}")))


def is_decided(identities: Mapping[str, Identity], voters: int, expected: BlockRef | None) -> bool:
    """Return whether providers that have not answered yet cannot change the choice.

    Args:
        identities: What each provider says that has answered.
        voters: How many providers are asked.
        expected: The block that the database knows.
    """
    if any(expected is not None and one.anchor == expected for one in identities.values()):
        return True
    votes = Counter(identities.values())
    return 2 * max(votes.values(), default=0) > voters


def _most(votes: Mapping[str, K], what: str) -> K:
    """Return what most say, or raise ``WrongChainError`` if as many say something else."""
    counted = Counter(votes.values()).most_common()
    (first, count), others = counted[0], counted[1:]
    if others and others[0][1] == count:
        names = {value: _names(votes, value) for value, same in counted if same == count}
        said = ", and ".join(f"{value} at {found}" for value, found in names.items())
        raise WrongChainError(f"the {what} is {said}; {_WAY_OUT}")
    return first


def _names(votes: Mapping[str, K], value: K) -> str:
    return ", ".join(name for name, said in votes.items() if said == value)
