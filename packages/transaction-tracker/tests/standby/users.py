"""The users of a service on several machines: they repeat each command until it is done."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ..kill.operating import Command  # noqa: TID252
from ..kill.world import World  # noqa: TID252
from .machine import Machine

_RETRY_SECONDS = 0.1


class Users:
    """Send the commands of a world to the machine that accepts them.

    Args:
        world: The world, which learns the results.
        machines: All machines, in the order in which they are tried.

    Attributes:
        outstanding: Number of commands that are not acknowledged.
        refusals: Responses other than success, by their status; 0 for none.
    """

    def __init__(self, world: World, machines: Sequence[Machine]) -> None:
        self._world = world
        self._machines = machines
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self.refusals: Counter[int] = Counter()

    @property
    def outstanding(self) -> int:
        return len(self._tasks)

    def send(self, action: str, *ids: str, deadline: float | None = None) -> None:
        """Send a command; do not wait for its result."""
        command = Command(next(self._numbers), action, ids, deadline)
        task = asyncio.create_task(self._do(command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Cancel all commands."""
        for task in self._tasks:
            task.cancel()

    async def add_endpoint(self, url: str) -> None:
        """Add an endpoint for webhooks."""
        await self._repeat("POST", "/v1/endpoints", {"url": url}, "endpoint")

    async def _do(self, command: Command) -> None:
        if command.action == "untrack":
            (key,) = command.ids
            reply = await self._repeat("DELETE", f"/v1/transactions/{key}", None, command.number)
        else:
            wanted = [_registration(key, command.deadline) for key in command.ids]
            reply = await self._repeat("POST", "/v1/transactions", wanted, command.number)
        result = reply["state"] if command.action == "untrack" else None
        self._world.record_result(self, command, result)  # type: ignore[arg-type]

    async def _repeat(self, method: str, path: str, body: Any, key: object) -> Any:
        headers = {} if body is None else {"Idempotency-Key": str(key)}
        while True:
            for machine in self._machines:
                status, _, reply = await machine.request(method, path, json=body, headers=headers)
                if 200 <= status < 300:
                    return reply
                assert status in (0, 409, 429, 503), (method, path, status, reply)
                self.refusals[status] += 1
            await asyncio.sleep(_RETRY_SECONDS)


def _registration(key: str, deadline: float | None) -> dict[str, Any]:
    registration: dict[str, Any] = {"id": key, "metadata": {"payment": key}}
    if deadline is not None:
        registration["deadline"] = datetime.fromtimestamp(deadline, UTC).isoformat()
    return registration
