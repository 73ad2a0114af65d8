"""Following the head of a chain, and telling the trackers that it concerns."""

from transaction_tracker.follower.process import Follower

__all__ = ["Follower"]
