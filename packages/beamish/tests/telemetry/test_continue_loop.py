"""A server that only returns `Continue`, and so never takes a message, is named in the log."""

import asyncio
import logging

import pytest

from beamish import Continue, GenServer, call, process
from beamish._diagnostics import continuing

pytestmark = pytest.mark.usefixtures("quick_watchdog")


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(continuing, "CONTINUE_SECONDS", 0.05)


class Loops(GenServer):
    def init(self) -> Continue:
        return Continue("again")

    def handle_continue(self, arg: object) -> Continue:
        return Continue(arg)


class LoopsAsync(Loops):
    async def handle_continue(self, arg: object) -> Continue:  # type: ignore[override]
        await asyncio.sleep(0)
        return Continue(arg)


class InTurns(GenServer):
    """Continues after each message, and takes the next one then."""

    def __init__(self) -> None:
        self.count = 0

    def handle_info(self, message: object) -> Continue:
        self.count += 1
        return Continue("then")

    def handle_continue(self, arg: object) -> None:
        process.send(self.pid, "next")

    @call
    def counted(self) -> int:
        return self.count


def reports(caplog: pytest.LogCaptureFixture) -> list[str]:
    messages = [record.getMessage() for record in caplog.records]
    return [message for message in messages if message.startswith("continue loop")]


@pytest.mark.parametrize("server", [Loops, LoopsAsync])
async def test_server_that_only_continues_is_named_once(server, until, caplog) -> None:
    caplog.set_level(logging.WARNING, logger="beamish")
    pid = await server.start()
    for _ in range(3):
        process.send(pid, "starved")

    await until(lambda: reports(caplog))

    (message,) = reports(caplog)
    assert f"{server.__qualname__} {pid!r}" in message
    assert "3 messages" in message or "4 messages" in message  # its Continue can be one of them
    handled = process.info(pid).messages_handled
    await until(lambda: process.info(pid).messages_handled > handled + 1000)
    assert len(reports(caplog)) == 1
    process.exit(pid, "kill")


async def test_server_that_takes_messages_in_between_is_not_named(until, caplog) -> None:
    caplog.set_level(logging.WARNING, logger="beamish")
    pid = await InTurns.start()
    loops = await Loops.start()
    process.send(pid, "first")

    await until(lambda: reports(caplog))  # of the other one: so long has this one run, too

    assert all("InTurns" not in message for message in reports(caplog))
    assert await InTurns.counted(pid) > 1
    for server in (pid, loops):
        process.exit(server, "kill")


class Stops(GenServer):
    """Continues for a while, then rests."""

    def __init__(self) -> None:
        self.left = 100

    def init(self) -> Continue:
        return Continue("work")

    def handle_continue(self, arg: object) -> Continue | None:
        self.left -= 1
        return Continue(arg) if self.left else None


async def test_server_that_has_continued_and_rests_is_not_named(until, caplog) -> None:
    caplog.set_level(logging.WARNING, logger="beamish")
    await Stops.start(name="stops")
    loops = await Loops.start()

    await until(lambda: reports(caplog))

    assert all("Stops" not in message for message in reports(caplog))
    await GenServer.stop("stops")
    process.exit(loops, "kill")
