"""Reading many answers, of which some may be none."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from transaction_tracker.sources.errors import NotYetError, RateLimitedError, SourceError

T = TypeVar("T")

# A node announces a block a moment before it can tell what is in it.
NOT_YET_WAITS = (0.05, 0.1, 0.2)

logger = logging.getLogger("transaction_tracker")


def read(answer: Any, reader: Callable[[Any], T]) -> T | SourceError | None:
    """Read one answer of a batch: a value, no answer (``SourceError``), or ``null``.

    Raises:
        RateLimitedError: The node wants fewer requests; the rest of the batch says the same.
    """
    if isinstance(answer, RateLimitedError):
        raise answer
    if answer is None or isinstance(answer, SourceError):
        return answer
    try:
        return reader(answer)
    except SourceError as error:
        return error


def readable(answers: list[Any], reader: Callable[[Any], T]) -> list[T]:
    """Read the answers that tell something; one that is bad does not spoil the others."""
    found: list[T] = []
    for answer in answers:
        value = read(answer, reader)
        # ``null`` and an error are both no fact, and neither is "there is none".
        if value is None or isinstance(value, NotYetError):
            continue
        if isinstance(value, SourceError):
            logger.warning("an answer was left out: %s", value)
        else:
            found.append(value)
    return found


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask again a few times when the node does not know it yet."""
    for wait in NOT_YET_WAITS:
        try:
            return await ask()
        except NotYetError:
            await asyncio.sleep(wait)
    return await ask()
