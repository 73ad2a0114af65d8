"""``telemetry.carry``: what follows casts and messages."""

from contextvars import ContextVar

import pytest

from beamish import Continue, GenServer, call, cast, process, telemetry

TRACE: ContextVar[str] = ContextVar("trace", default="none")
OTHER: ContextVar[str] = ContextVar("other", default="none")


class Last(GenServer):
    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    def note(self) -> None:
        self.seen.append((TRACE.get(), OTHER.get()))

    @cast
    def poke(self) -> None:
        self.note()

    @cast
    async def poke_slowly(self) -> None:
        self.note()

    @cast
    def poke_twice(self) -> Continue:
        self.note()
        return Continue("again")

    def handle_continue(self, arg: object) -> None:
        self.note()

    def handle_info(self, message: object) -> None:
        self.note()

    @call
    def get(self) -> list[tuple[str, str]]:
        return self.seen


class First(GenServer):
    def __init__(self, last: object) -> None:
        self.last = last

    @cast
    def poke(self) -> None:
        Last.poke(self.last)


@pytest.fixture
def _carried():
    telemetry.carry("trace", TRACE.get, TRACE.set)
    yield
    telemetry.detach("trace")


@pytest.mark.usefixtures("_carried")
@pytest.mark.parametrize(
    "send",
    [Last.poke, Last.poke_slowly, lambda pid: process.send(pid, "hello")],
    ids=["cast", "async cast", "message"],
)
async def test_only_carried_variables_follow(send) -> None:
    pid = await Last.start()
    TRACE.set("mine")
    OTHER.set("mine")

    send(pid)
    TRACE.set("not mine")

    assert await Last.get(pid) == [("mine", "none")]


@pytest.mark.usefixtures("_carried")
async def test_it_follows_over_several_servers() -> None:
    last = await Last.start()
    first = await First.start(last)
    TRACE.set("mine")

    First.poke(first)
    await GenServer.stop(first)

    assert await Last.get(last) == [("mine", "none")]


@pytest.mark.usefixtures("_carried")
async def test_it_follows_to_the_continue() -> None:
    pid = await Last.start()
    TRACE.set("mine")

    Last.poke_twice(pid)

    assert await Last.get(pid) == [("mine", "none")] * 2


async def test_nothing_follows_a_cast_when_nothing_is_carried() -> None:
    pid = await Last.start()
    TRACE.set("mine")

    Last.poke(pid)

    assert await Last.get(pid) == [("none", "none")]


async def test_carrier_that_raises_is_detached_and_harms_nobody(caplog) -> None:
    def fail() -> None:
        raise ValueError("in the carrier")

    pid = await Last.start()
    telemetry.carry("failing", fail, print)

    Last.poke(pid)

    assert telemetry.enabled is False
    assert "'failing'" in caplog.records[0].getMessage()
    assert len(await Last.get(pid)) == 1
