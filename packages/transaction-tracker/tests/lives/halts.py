"""Whether the application reports that its chain does not move."""

import asyncio
import time
from typing import TYPE_CHECKING

from transaction_tracker import TransactionTrackerApplication
from transaction_tracker.follower.status import FollowerStatus

if TYPE_CHECKING:
    from .life import Life

# The longer of five block times and a minute, and ten seconds for the report (rule 11.4).
LIMIT_SECONDS, REPORT_SECONDS = 60.0, 10.0
BLOCK_SECONDS = 12.0


def condition(app: TransactionTrackerApplication) -> str | None:
    """Return the state that the application reports for its chain; ``None`` if there is none."""
    status = getattr(app, "_status", None)
    if not isinstance(status, FollowerStatus):
        return None
    return str(status.verdict(status.now(), BLOCK_SECONDS).state)


class HaltWatch:
    """Checks each second that a chain that does not move is reported in time.

    Attributes:
        unreported: Descriptions of the halts that were not reported in time.
    """

    def __init__(self, life: "Life") -> None:
        self.unreported: list[str] = []
        self._life = life

    async def run(self) -> None:
        """Watch until cancelled."""
        watched = self._life.app
        tip, behind_since = watched.tip, time.monotonic()
        reported_at = behind_since
        while True:
            await asyncio.sleep(1.0)
            app, now = self._life.app, time.monotonic()
            followed = app.tip is not None and app.tip.hash == self._life.chain.head.hash
            is_restarted, watched = app is not watched, app
            if (
                is_restarted
                or followed
                or app.tip != tip
                or app.tip is None
                or not self._life.running
            ):
                tip, behind_since = app.tip, now
            if self._life.world.providers == 1:
                # A single provider that changes to another branch looks like a chain that moves.
                behind_since = max(behind_since, self._life.adversary.branch_changed_at)
            state = condition(app)
            if state in (None, "halted", "lagging"):
                reported_at = now
            if state == "lagging":
                behind_since = now  # a block is due only when a head advances again
            # The first response after a halt ends it, and the block is applied a moment later.
            if now - max(behind_since + LIMIT_SECONDS, reported_at) > REPORT_SECONDS + 1.0:
                seconds = now - behind_since
                self.unreported.append(f"{state} although no block was applied for {seconds:.0f} s")
