"""`Port`: the requests that a member sends to the host of a shard.

The engine of the cluster carries them: Ray, or the network of a simulation. A request that raises
`HostLostError` can have run.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from beamish.cluster._node.identity import Identity


class Events(NamedTuple):
    """What a host has sent to a member.

    Args:
        first: The number of the first event.
        content: The events: the number of the request that each answers, 0 for a message to a
            process of the program; and its pickled content.
        leaving: Whether the host leaves its shard, so that the member must stop sending to it.
    """

    first: int
    content: list[tuple[int, bytes]]
    leaving: bool


class Item(NamedTuple):
    """One message to a shard.

    Args:
        number: Its number, which answers carry.
        kind: ``"call"``, ``"cast"``, ``"message"``, ``"exit"``, ``"stop"``, ``"monitor"``,
            ``"demonitor"``, ``"whereis"``, ``"start"`` or ``"terminate"``.
        identity: The process, or the name of the child to start.
        data: The pickled rest.
    """

    number: int
    kind: str
    identity: Identity
    data: bytes


class Port(Protocol):
    """The requests to the host of one shard; ``None`` means that nothing of one has run."""

    async def hello(self, program: str) -> tuple[int, str]:
        """Open a session, which ends the program's last one; return the epoch and its id."""
        ...

    async def messages(self, session: str, items: Sequence[Item]) -> Events | None:
        """Handle messages in order; return the events until now."""

    async def events(self, session: str, expected: int, quiet: bool) -> Events | None:
        """Return the next events; wait for the first one, but not longer than 20 s.

        Args:
            session: The id of the session.
            expected: The number of the next event: all before it have arrived.
            quiet: Whether the member knows that the host is leaving, and has no batch in flight.
        """

    async def query(self, question: str, arguments: bytes) -> bytes:
        """Return the pickled answer to a question, such as ``"info"``."""
        ...

    async def leave(self) -> None:
        """Stop the children in order, and give the lease back."""


class RemotePort(ABC):
    """A `Port` that sends each request by its name. An engine implements ``_request``."""

    @abstractmethod
    async def _request(self, method: str, *arguments: Any) -> Any:
        """Call a method of the host, and return its result; raise `HostLostError` without one."""

    async def hello(self, program: str) -> tuple[int, str]:
        """Open a session."""
        opened: tuple[int, str] = await self._request("hello", program)
        return opened

    async def messages(self, session: str, items: Sequence[Item]) -> Events | None:
        """Handle messages."""
        events: Events | None = await self._request("messages", session, items)
        return events

    async def events(self, session: str, expected: int, quiet: bool) -> Events | None:
        """Return the next events."""
        events: Events | None = await self._request("events", session, expected, quiet)
        return events

    async def query(self, question: str, arguments: bytes) -> bytes:
        """Return the answer to a question."""
        answer: bytes = await self._request("query", question, arguments)
        return answer

    async def leave(self) -> None:
        """Stop the children, and give the lease back."""
        await self._request("leave")
