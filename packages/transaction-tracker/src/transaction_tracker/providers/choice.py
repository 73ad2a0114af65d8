"""Which provider to follow: a decision without a clock and without a process."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the choice depends on.

    Attributes:
        name: Which provider.
        lag: Blocks behind the best known head.
        error_rate: Share of its last requests that failed by its fault.
        latency: Seconds to an answer.
    """

    name: str
    lag: int
    error_rate: float
    latency: float


def choose(active: str | None, candidates: Sequence[Candidate], max_lag: int) -> str | None:
    """Choose whom to follow.

    The active one stays for as long as it can: each switch may look like a reorganisation.

    Args:
        active: Who is followed now.
        candidates: Those that may be asked, in the order in which they were configured.
        max_lag: Blocks that it may be behind while another one is not.

    Returns:
        A name; ``None`` when nobody can be asked.
    """
    current = next((one for one in candidates if one.name == active), None)
    keeping_up = [one for one in candidates if one.lag <= max_lag]
    if current is not None and (current in keeping_up or not keeping_up):
        return current.name
    if active is None and keeping_up:
        return keeping_up[0].name  # nothing is known against the one that is preferred
    return best(candidates, max_lag)


def best(
    candidates: Collection[Candidate], max_lag: int, *, but: Collection[str] = ()
) -> str | None:
    """Choose the best one that is not among ``but``: it keeps up, seldom fails, and is quick."""
    ranked = sorted(
        (one for one in candidates if one.name not in but),
        # Tenths: a failure long ago must not weigh more than being slow.
        key=lambda one: (max(0, one.lag - max_lag), round(one.error_rate, 1), one.latency),
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
