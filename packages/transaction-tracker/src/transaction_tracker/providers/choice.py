"""Which provider to follow: pure functions, without a clock or a process."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

FOLLOWED_CHAIN = "followed"
"""The label of the providers that hold the followed chain."""

# A reorganisation reaches providers one after another. A majority on another chain counts only if
# the oldest head of these providers is at least this much newer than their last change of side.
# Otherwise, the first provider to reorganise would be outvoted by heads from before.
SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the choice depends on.

    Attributes:
        name: Name of the provider.
        lag: Blocks behind the best known head of its chain.
        error_rate: Share of its last requests that failed through its own fault.
        latency: Average latency in seconds.
        chain: Label of the chain that it holds: ``FOLLOWED_CHAIN``, another label, or ``None``
            if unknown.
        side_since: When it was first seen on its present side, in seconds of the caller's clock.
        head_at: When its last head arrived, on the same clock.
        stuck: Whether it is behind and does not catch up.
    """

    name: str
    lag: int
    error_rate: float
    latency: float
    chain: str | None = None
    side_since: float = 0.0
    head_at: float = 0.0
    stuck: bool = False

    def excess_lag(self, max_lag: int) -> int:
        """Return by how many blocks the lag exceeds what is allowed: ``max_lag``, 0 if stuck."""
        return self.lag if self.stuck else max(0, self.lag - max_lag)


def choose(
    active: str | None,
    candidates: Sequence[Candidate],
    max_lag: int,
    settle: float = SETTLE_SECONDS,
) -> str | None:
    """Return the provider to follow.

    The chain that a strict majority of the providers holds is followed; lag, errors and latency
    decide only between providers of one chain. The active provider stays as long as possible,
    because each switch can look like a reorganisation.

    Args:
        active: Name of the provider that is followed now.
        candidates: The usable providers, in the configured order.
        max_lag: Largest lag in blocks with which the active provider stays although another
            provider keeps up.
        settle: Seconds after the last change of side from which views of different chains count.

    Returns:
        The name of the provider; ``None`` without candidates.
    """
    current = next((candidate for candidate in candidates if candidate.name == active), None)
    group = majority(candidates)
    if current is not None and _is_outvoted(current, group, settle):
        return best(group, max_lag)
    eligible = _eligible(current, candidates, group)
    keeping_up = [candidate for candidate in eligible if not candidate.excess_lag(max_lag)]
    if current is not None and (current in keeping_up or not keeping_up):
        return current.name
    if active is None and keeping_up:
        return keeping_up[0].name  # at the start, the configured order decides
    return best(eligible, max_lag)


def majority(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return the candidates of the chain that a strict majority of them holds, at least two.

    Candidates whose chain is unknown count as voters: they could hold another chain.
    """
    votes = Counter(candidate.chain for candidate in candidates if candidate.chain is not None)
    chain, count = max(votes.items(), key=lambda vote: vote[1], default=(None, 0))
    if count < 2 or 2 * count <= len(candidates):
        return ()
    return [candidate for candidate in candidates if candidate.chain == chain]


def preferred(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return the candidates to ask when no provider is followed.

    These are the candidates of the majority's chain; without a majority, the candidates that are
    not known to hold another chain than the followed one; without these, all candidates.
    """
    return _eligible(None, candidates, majority(candidates))


def best(
    candidates: Collection[Candidate], max_lag: int, *, exclude: Collection[str] = ()
) -> str | None:
    """Return the name of the best candidate not in ``exclude``: by lag, error rate and latency."""
    ranked = sorted(
        (candidate for candidate in candidates if candidate.name not in exclude),
        # In tenths: a failure long ago must not weigh more than a high latency.
        key=lambda candidate: (
            candidate.excess_lag(max_lag),
            round(candidate.error_rate, 1),
            candidate.latency,
        ),
    )
    return ranked[0].name if ranked else None


def best_head(heads: Collection[int]) -> int | None:
    """Return the height from which lag is measured.

    Of three heads or more it is the second highest: otherwise, one provider that claims a head
    that no other provider has seen would make all other providers look behind.
    """
    ordered = sorted(heads, reverse=True)
    if not ordered:
        return None
    return ordered[1] if len(ordered) > 2 else ordered[0]


def _is_outvoted(current: Candidate, group: Sequence[Candidate], settle: float) -> bool:
    """Return whether the majority holds another chain, and has for at least ``settle`` seconds."""
    if not group or current in group:
        return False
    if current.chain is None and group[0].chain == FOLLOWED_CHAIN:
        return False
    known = [candidate for candidate in (current, *group) if candidate.chain is not None]
    # A head from before the last change of side can be out of date.
    oldest_head = min(candidate.head_at for candidate in known)
    return oldest_head >= max(candidate.side_since for candidate in known) + settle


def _eligible(
    current: Candidate | None, candidates: Sequence[Candidate], group: Sequence[Candidate]
) -> Sequence[Candidate]:
    if group and (current is None or current in group):
        return group
    # Without a majority, it is unknown which chain is right: lag is not a reason to change chains.
    chain = FOLLOWED_CHAIN if current is None else current.chain or FOLLOWED_CHAIN
    same = [candidate for candidate in candidates if candidate.chain in (chain, None)]
    return same or candidates
