"""Following a source, and telling the trackers that its news concern."""

from transaction_tracker.follower.poller import Poller
from transaction_tracker.follower.process import Follower
from transaction_tracker.follower.pulse import Pulse

__all__ = ["Follower", "Poller", "Pulse"]
