"""Which provider to follow: a decision without a clock and without a process."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

OURS = "ours"
"""The label of the providers that hold the chain that we hold."""

# A reorganisation reaches providers one after another. Their answers are compared once they
# have had this long to settle: otherwise each reorganisation looks like a minority for a moment.
SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the choice depends on.

    Attributes:
        name: The provider.
        lag: Blocks behind the best known head of its chain.
        error_rate: Share of its last requests that failed by its fault.
        latency: Seconds to an answer.
        chain: The chain that it holds: ``OURS``, another label, or ``None`` where unknown.
        since: When it was first found on this side, in seconds of the caller's clock.
        seen: When it showed a head last.
        stuck: Whether it is behind and does not catch up.
    """

    name: str
    lag: int
    error_rate: float
    latency: float
    chain: str | None = None
    since: float = 0.0
    seen: float = 0.0
    stuck: bool = False

    def excess_lag(self, max_lag: int) -> int:
        """Return how many blocks more it is behind than it may be: none, when it is stuck."""
        return self.lag if self.stuck else max(0, self.lag - max_lag)


def choose(
    active: str | None,
    candidates: Sequence[Candidate],
    max_lag: int,
    settle: float = SETTLE_SECONDS,
) -> str | None:
    """Return the provider to follow.

    The chain that a strict majority of the providers holds is followed; lag, errors and latency
    decide only between providers of one chain. The active one stays for as long as it can: each
    switch may look like a reorganisation.

    Args:
        active: The provider that is followed now.
        candidates: Those that can be asked, in the order in which they were configured.
        max_lag: Blocks that it may be behind for a while, when another one is not.
        settle: Seconds after which providers that disagree are taken at their word.

    Returns:
        A name; ``None`` without candidates.
    """
    current = next((one for one in candidates if one.name == active), None)
    group = majority(candidates)
    if current is not None and _is_outvoted(current, group, settle):
        return best(group, max_lag)
    eligible = _eligible(current, candidates, group)
    keeping_up = [one for one in eligible if not one.excess_lag(max_lag)]
    if current is not None and (current in keeping_up or not keeping_up):
        return current.name
    if active is None and keeping_up:
        return keeping_up[0].name  # nothing is known against the one that is preferred
    return best(eligible, max_lag)


def majority(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return the candidates of the chain that a strict majority of them holds, at least two.

    Candidates whose chain is unknown count as voters: they could hold another chain.
    """
    votes = Counter(one.chain for one in candidates if one.chain is not None)
    chain, count = max(votes.items(), key=lambda vote: vote[1], default=(None, 0))
    if count < 2 or 2 * count <= len(candidates):
        return ()
    return [one for one in candidates if one.chain == chain]


def preferred(candidates: Sequence[Candidate]) -> Sequence[Candidate]:
    """Return the candidates to ask when none is followed.

    Those of the majority's chain; without a majority those that are not known to hold another
    chain than ours; without those all.
    """
    return _eligible(None, candidates, majority(candidates))


def best(
    candidates: Collection[Candidate], max_lag: int, *, but: Collection[str] = ()
) -> str | None:
    """Choose the best one that is not among ``but``: it keeps up, seldom fails, and is quick."""
    ranked = sorted(
        (one for one in candidates if one.name not in but),
        # Tenths: a failure long ago must not weigh more than being slow.
        key=lambda one: (one.excess_lag(max_lag), round(one.error_rate, 1), one.latency),
    )
    return ranked[0].name if ranked else None


def best_head(heads: Collection[int]) -> int | None:
    """Choose the height to measure lag by.

    Of three heads or more it is the second highest: one provider that boasts of a head that
    nobody else has seen must not make all the others look as if they lagged.
    """
    ordered = sorted(heads, reverse=True)
    if not ordered:
        return None
    return ordered[1] if len(ordered) > 2 else ordered[0]


def _is_outvoted(current: Candidate, group: Sequence[Candidate], settle: float) -> bool:
    """Return whether the majority holds another chain, and has for long enough."""
    if not group or current in group or (current.chain is None and group[0].chain == OURS):
        return False
    known = [one for one in (current, *group) if one.chain is not None]
    # An answer from before the last change of side may be out of date.
    return min(one.seen for one in known) >= max(one.since for one in known) + settle


def _eligible(
    current: Candidate | None, candidates: Sequence[Candidate], group: Sequence[Candidate]
) -> Sequence[Candidate]:
    if group and (current is None or current in group):
        return group
    # Without a majority nobody knows which chain is right: lag is no reason to change chains.
    home = OURS if current is None else current.chain or OURS
    return [one for one in candidates if one.chain in (home, None)] or candidates
