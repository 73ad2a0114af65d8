"""A server that only returns `Continue`, and so never takes a message, is named in the log."""

import asyncio
import logging
from unittest.mock import Mock

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

    @call
    def rests(self) -> None:
        """Return once it rests: a call is handled after all Continues."""


async def test_server_that_has_continued_and_rests_is_not_named(
    until, caplog, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.WARNING, logger="beamish")
    with monkeypatch.context() as patch:
        # On a busy machine, its Continues can take longer than the limit.
        patch.setattr(continuing, "CONTINUE_SECONDS", 1_000.0)
        await Stops.start(name="stops")
        for _ in range(2):  # one more could be the message that the watchdog reads too early
            await Stops.rests("stops")
    loops = await Loops.start()

    await until(lambda: reports(caplog))

    assert all("Stops" not in message for message in reports(caplog))
    await GenServer.stop("stops")
    process.exit(loops, "kill")


class Observed:
    """A server as the watchdog's thread sees it."""

    kind = class_name = queue_length = Mock(return_value=0)

    def __init__(self) -> None:
        self.pid = self
        self._process = self
        self.continued = self.handled = 1  # it has continued once, at its start
        self.state = "waiting"

    def status(self) -> str:
        return self.state

    def handle(self, *, continues: int = 0, others: int = 0) -> None:
        self.continued += continues
        self.handled += continues + others


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """A clock that only the test moves."""
    now = Mock()
    now.monotonic.return_value = 0.0
    monkeypatch.setattr(continuing, "time", now)
    monkeypatch.setattr(continuing, "CONTINUE_SECONDS", 5.0)
    return now


def check_for(seconds: float, server: Observed, clock: Mock, **handled: int) -> None:
    """Check ``server`` every second; it handles these messages before each check."""
    for _ in range(int(seconds)):
        server.handle(**handled)
        clock.monotonic.return_value += 1.0
        continuing.check(server)


@pytest.mark.parametrize("continues", [0, 1, 2])
@pytest.mark.parametrize("others", [0, 1, 2])
def test_server_that_handles_messages_or_rests_is_not_named(
    continues: int, others: int, clock: Mock, caplog
) -> None:
    server = Observed()
    check_for(60, server, clock, continues=continues, others=others)

    only_continues = continues > 0 and others == 0
    assert len(reports(caplog)) == only_continues


def test_quiet_server_that_handles_one_message_is_not_named(clock: Mock, caplog) -> None:
    server = Observed()
    check_for(60, server, clock)
    check_for(1, server, clock, continues=2, others=1)
    check_for(60, server, clock)

    assert not reports(caplog)


def test_long_silence_is_not_part_of_a_continue_loop(clock: Mock, caplog) -> None:
    server = Observed()
    check_for(1, server, clock)
    clock.monotonic.return_value += 3600.0
    check_for(4, server, clock, continues=1)
    assert not reports(caplog)

    check_for(1, server, clock, continues=1)
    assert len(reports(caplog)) == 1


def test_one_long_continue_is_not_a_rest(clock: Mock, caplog) -> None:
    server = Observed()
    server.state = "running"
    for _ in range(3):
        check_for(2, server, clock)
        check_for(1, server, clock, continues=1)

    assert len(reports(caplog)) == 1


def test_first_continue_that_lasts_is_not_a_loop(clock: Mock, caplog) -> None:
    server = Observed()
    server.state = "running"
    check_for(60, server, clock)
    check_for(1, server, clock, continues=1)

    assert not reports(caplog)
