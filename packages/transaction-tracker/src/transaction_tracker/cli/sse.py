"""Parse server-sent events."""

from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass

from transaction_tracker.cli.exits import CommandError

MAX_EVENT_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event of a stream.

    Attributes:
        id: Cursor to resume from; empty if the stream has not sent one.
        event: Type of the event.
        data: Content; empty if the stream sent only an id.
    """

    id: str
    event: str
    data: str


async def server_events(lines: AsyncIterable[bytes]) -> AsyncIterator[ServerEvent]:
    """Yield the events in ``lines``; skip comments and an incomplete event at the end.

    Source:
        HTML standard, section 9.2.6, interpreting an event stream. Differs: lines end in LF or
        CRLF, ``retry`` is ignored, and an id without data is an event too: it is the cursor to
        resume from if the stream ends before its first event.
    """
    last_id, yielded_id, event, size = "", "", "message", 0
    data: list[str] = []
    async for line in lines:
        text = line.decode(errors="replace").rstrip("\n").removesuffix("\r")
        size += len(line)
        if size > MAX_EVENT_BYTES:
            raise CommandError("an event of the stream is larger than 1 MiB")
        if not text:
            if data or last_id != yielded_id:
                yield ServerEvent(last_id, event, "\n".join(data))
                yielded_id = last_id
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
