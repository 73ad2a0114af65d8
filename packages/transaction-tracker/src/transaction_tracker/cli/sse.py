"""Server-sent events, as they come over the wire."""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from transaction_tracker.cli.exits import CommandError

MAX_EVENT_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream.

    Attributes:
        id: Where to go on from; empty when the stream named none yet.
        event: Its kind.
        data: What it says; empty when only an id came.
    """

    id: str
    event: str
    data: str


async def server_events(lines: AsyncIterable[bytes]) -> AsyncIterator[ServerEvent]:
    """Give the events in ``lines``; comments and half an event at the end are left out.

    Source:
        HTML standard, section 9.2.6, interpreting an event stream. Differs: lines end in LF or
        CRLF, as services write them, ``retry`` is ignored, and an id that comes without data is
        given, too: it is where to go on from when the stream ends before its first event.
    """
    last_id, given, event, size = "", "", "message", 0
    data: list[str] = []
    async for line in lines:
        text = line.decode(errors="replace").rstrip("\n").removesuffix("\r")
        size += len(line)
        if size > MAX_EVENT_BYTES:
            raise CommandError("an event of the stream is larger than 1 MiB")
        if not text:
            if data or last_id != given:
                yield ServerEvent(last_id, event, "\n".join(data))
                given = last_id
            event, data, size = "message", [], 0
            continue
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            last_id = value
        elif name == "event":
            event = value
        elif name == "data":
            data.append(value)
