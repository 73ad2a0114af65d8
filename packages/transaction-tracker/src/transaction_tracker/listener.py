"""Telling the program's own code of each transition, without ever waiting for it."""

import inspect
import logging
from collections.abc import Awaitable, Callable

from beamish import GenServer
from transaction_tracker.domain import Event

LISTENER = "TransactionTracker.Listener"

OnEvent = Callable[[Event], Awaitable[None] | None]

logger = logging.getLogger("transaction_tracker")


class Listener(GenServer):
    """Call a function for each event, in order, one at a time.

    The function may be ``async``; it may be slow, and it may fail: events wait here, and
    blocks go on. Events that were not told when the program ends are in the store.
    """

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event

    async def handle_cast(self, request: Event) -> None:
        """Tell one event."""
        try:
            told = self._on_event(request)
            if inspect.isawaitable(told):
                await told
        except Exception:  # the user's code: its mistakes are not ours
            logger.exception("on_event failed for %s", request.id)
