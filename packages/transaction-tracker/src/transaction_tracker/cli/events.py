"""``txtrack events``: print stored events, and new events as they are recorded."""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import orjson
from cyclopts import Parameter

from transaction_tracker.cli import output
from transaction_tracker.cli.client import PAGE_SIZE, Api
from transaction_tracker.cli.exits import NO_SOURCE, CommandError
from transaction_tracker.cli.flags import CONFIGURED, NoHeader, ServiceFlags, WholeNumber

_RECONNECT_SECONDS = 1.0
_COLUMNS = ("cursor", "recorded at", "transaction", "from", "to", "block", "flags")


async def events(
    *,
    after: str | None = None,
    transaction: str | None = None,
    limit: WholeNumber | None = None,
    follow: Annotated[bool, Parameter(negative=())] = False,
    no_header: NoHeader = False,
    service: ServiceFlags = CONFIGURED,
) -> None:
    """Print events: the state changes of transactions, in the order of recording.

    To resume without a gap, pass the cursor of the last event that you have handled as --after.

    Exit status: 0; 1 if the service refuses, 2 for bad input, 6 if no service responds.

    Args:
        after: Cursor of the event after which to start. Default: the first event; with --follow,
            only new events.
        transaction: Print only events of this transaction.
        limit: Maximum number of events. Default: all; with --follow, no limit. Without --follow, a
            note on standard error says if there are more.
        follow: Also print new events as they are recorded; reconnects after interruptions.
    """
    async with service.api() as api:
        if follow:
            found = _stream(api, after, transaction, math.inf if limit is None else limit)
        else:
            kept = partial(_kept, api, after, transaction)
            hint = "resume with --after and the cursor of the last event, in the first column"
            found = output.limited(kept, limit, hint)
        header = not no_header
        await output.lines(
            found, _COLUMNS, _row, as_json=service.as_json, header=header, live=follow
        )


async def _kept(
    api: Api, after: str | None, transaction: str | None, limit: int | None
) -> AsyncIterator[Mapping[str, Any]]:
    left, more = math.inf if limit is None else limit, True
    while left > 0 and more:
        size = int(min(left, PAGE_SIZE))
        page = await api.get("v1/events", after=after, transaction=transaction, limit=size)
        for event in page["events"]:
            yield event
        left -= len(page["events"])
        after, more = page["next"], page["more"]


async def _stream(
    api: Api, after: str | None, transaction: str | None, limit: float
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield events as they arrive; reconnect after the last one."""
    connected = False
    while True:
        try:
            async with api.stream("v1/stream", after=after, transaction=transaction) as lines:
                connected = True
                async for event in lines:
                    after = event.id
                    if not event.data:
                        continue
                    yield orjson.loads(event.data)
                    limit -= 1
                    if limit <= 0:
                        return
        except CommandError as error:
            if not connected or error.status != NO_SOURCE:
                raise
            output.note(f"{error}; reconnecting")
        await asyncio.sleep(_RECONNECT_SECONDS)


def _row(event: Mapping[str, Any]) -> Sequence[object]:
    block = event["block"]["number"] if event["block"] else None
    moment, flags = event["recorded_at"], ", ".join(event["flags"])
    move = event["previous"], event["state"]
    return [event["cursor"], moment, event["transaction"], *move, block, flags]
