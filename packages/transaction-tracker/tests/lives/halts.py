"""Whether the application itself says that its chain stands still."""

import asyncio
import time
from typing import TYPE_CHECKING

from transaction_tracker import TransactionTrackerApplication

if TYPE_CHECKING:
    from .life import Life

# Five block times or a minute, whichever is longer, and ten seconds to tell it (rule 11.4).
LIMIT_SECONDS, TELLING_SECONDS = 60.0, 10.0
BLOCK_SECONDS = 12.0


def condition(app: TransactionTrackerApplication) -> str | None:
    """Return what the application says of its chain; ``None`` where it cannot say anything."""
    status = getattr(app, "_status", None) or getattr(app, "_pulse", None)
    verdict = getattr(status, "verdict", None)
    return None if verdict is None else str(verdict(time.monotonic(), BLOCK_SECONDS).state)


class HaltWatch:
    """Checks each second that a chain that stands still is called so in time.

    Attributes:
        untold: When the application should have told a halt and did not.
    """

    def __init__(self, life: "Life") -> None:
        self.untold: list[str] = []
        self._life = life

    async def run(self) -> None:
        """Watch until cancelled."""
        watched = self._life.app
        tip, behind_since = watched.tip, time.monotonic()
        told_at = behind_since
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
                # An only provider that goes to another branch looks like a chain that moves.
                behind_since = max(behind_since, self._life.hostility.told_at)
            told = condition(app)
            if told in (None, "halted", "lagging"):
                told_at = now
            if told == "lagging":
                behind_since = now  # a block is due from the first head that advances again
            # The first answer after a halt ends it, and the block comes a moment later.
            if now - max(behind_since + LIMIT_SECONDS, told_at) > TELLING_SECONDS + 1.0:
                seconds = now - behind_since
                self.untold.append(f"{told} although nothing was applied for {seconds:.0f} s")
