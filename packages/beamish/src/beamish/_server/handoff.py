"""The state that the last process of a name has handed over, on its way to the next ``init``."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# A list with one state: contexts are copied, and only the first ``init`` must get it.
_offer: ContextVar[list[bytes] | None] = ContextVar("beamish.handoff", default=None)


@contextmanager
def offered(state: bytes | None) -> Iterator[None]:
    """Pass ``state`` to the ``init`` of the server that this block starts.

    Only that ``init`` gets it: not the servers that it starts, nor the restart if it fails.
    """
    offer = [] if state is None else [state]
    token = _offer.set(offer)
    try:
        yield
    finally:
        _offer.reset(token)
        offer.clear()


def accept() -> bytes | None:
    """Return the state for the server whose ``init`` runs next, if there is one."""
    offer = _offer.get()
    return offer.pop() if offer else None
