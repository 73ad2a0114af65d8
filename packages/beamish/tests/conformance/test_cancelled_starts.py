"""A start that is cancelled ends the half-started server, never the process that started it."""

import asyncio

import pytest

from beamish import Continue, Down, GenServer, Pid, process


class CancelsItsStarter(GenServer):
    """Cancels ``starter`` between the end of its ``init`` and the moment the starter learns of it.

    An ``asyncio.timeout`` that expires just then does the same.
    """

    def __init__(self, starter: "asyncio.Task[None]") -> None:
        self.starter = starter

    async def init(self) -> Continue:
        await asyncio.sleep(0)
        return Continue("cancel")

    def handle_continue(self, arg: object) -> None:
        self.starter.cancel()


class Starter:
    """A process that starts `CancelsItsStarter`, and records what became of both."""

    def __init__(self, *, trap_exit: bool) -> None:
        self.trap_exit = trap_exit
        self.cancelled = False
        self.messages: list[object] = []

    async def main(self) -> None:
        process.flag(trap_exit=self.trap_exit)
        task = asyncio.current_task()
        assert task is not None
        try:
            await CancelsItsStarter.start_link(task, name="child")
        except asyncio.CancelledError:
            task.uncancel()
            self.cancelled = True
        while process.whereis("child") is not None:
            await asyncio.sleep(0)
        for _ in range(10):  # an exit signal would arrive in one of these rounds
            await asyncio.sleep(0)
        while process.info(process.current()).message_queue_len:  # type: ignore[union-attr]
            self.messages.append(await process.receive(0))


async def exit_reason(pid: Pid, ref: object) -> object:
    message = await process.receive(10, lambda m: isinstance(m, Down) and m.ref is ref)
    assert isinstance(message, Down)
    return message.reason


@pytest.mark.parametrize("trap_exit", [False, True], ids=["not trapping", "trapping"])
async def test_start_link_cancelled_as_init_returns_spares_its_caller(trap_exit: bool) -> None:
    """Contract: a cancelled ``start_link`` never kills its caller; the child is unlinked first."""
    starter = Starter(trap_exit=trap_exit)

    async with process.attach():
        pid, ref = process.spawn_monitor(starter.main)
        reason = await exit_reason(pid, ref)

    assert starter.cancelled
    assert reason == "normal"
    assert starter.messages == []
