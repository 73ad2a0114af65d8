"""``debug`` of servers that are stuck, and of states that cannot be replaced.

Source: OTP ``sys``: every function takes a time limit, 5 s unless said otherwise.
"""

import asyncio
from collections.abc import Callable

import pytest

from beamish import CallTimeoutError, From, GenServer, Supervisor, cast, debug, process

ASK: list[Callable[..., object]] = [
    debug.get_state,
    debug.get_status,
    debug.suspend,
    debug.resume,
    debug.statistics,
    debug.log,
    lambda dest, timeout: debug.replace_state(dest, lambda state: state, timeout),
    lambda dest, timeout: debug.trace(dest, True, timeout),
]


class Stuck(GenServer):
    def __init__(self) -> None:
        self.release = asyncio.Event()

    @cast
    async def fetch(self) -> None:
        await self.read()

    async def read(self) -> None:
        await self.release.wait()

    def handle_call(self, request: object, from_: From) -> object:
        return request


@pytest.fixture
async def stuck():
    pid = await Stuck.start()
    server = pid._process.server
    Stuck.fetch(pid)
    while pid._process.task is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    yield pid
    server.release.set()
    await GenServer.stop(pid)


@pytest.mark.parametrize("ask", ASK)
async def test_stuck_server_is_a_time_out_that_says_where(stuck, ask) -> None:
    with pytest.raises(CallTimeoutError) as raised:
        await ask(stuck, timeout=0.005)

    assert "busy with fetch" in str(raised.value)
    assert "Event.wait" in str(raised.value)  # what it waits for in the end


async def test_question_that_timed_out_is_not_answered_later(stuck) -> None:
    def fail(state: dict[str, object]) -> dict[str, object]:
        raise AssertionError("nobody waits for this")

    with pytest.raises(CallTimeoutError):
        await debug.replace_state(stuck, fail, timeout=0.005)

    stuck._process.server.release.set()
    assert await GenServer.call(stuck, "still here") == "still here"


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize("timeout", ["1", True])
async def test_time_limit_that_is_none_is_refused(ask, timeout) -> None:
    pid = await Stuck.start()

    with pytest.raises(TypeError, match="timeout must be a number of seconds"):
        await ask(pid, timeout=timeout)


async def test_supervisor_that_is_stuck_in_a_start_says_so() -> None:
    """Their async callbacks take the first step outside of a task."""
    begun = asyncio.Event()

    class Slow(GenServer):
        async def init(self) -> None:
            begun.set()
            await asyncio.Event().wait()

    async with process.attach():
        sup = await Supervisor.start_link([])
        starting = asyncio.create_task(Supervisor.start_child(sup, Slow))
        await begun.wait()
        with pytest.raises(CallTimeoutError, match="busy with start_child, waiting in "):
            await debug.get_state(sup, timeout=0.005)
        starting.cancel()
        process.unlink(sup)
        process.exit(sup, "kill")


class Slotted(GenServer):
    __slots__ = ("__dict__", "__private", "public")

    def __init__(self) -> None:
        self.public = 1
        self.__private = 2
        self.free = 3

    @property
    def derived(self) -> int:
        return self.public * 2


class OneSlot(GenServer):
    __slots__ = "only"  # a string is allowed, too

    def __init__(self) -> None:
        self.only = 1


async def test_state_in_slots_is_seen_and_replaced() -> None:
    pid = await Slotted.start()
    expected = {"public": 1, "_Slotted__private": 2, "free": 3}

    assert await debug.get_state(pid) == expected
    await debug.replace_state(pid, lambda state: {**state, "_Slotted__private": 5})

    assert await debug.get_state(pid) == {**expected, "_Slotted__private": 5}
    assert await debug.get_state(await OneSlot.start()) == {"only": 1}


@pytest.mark.parametrize(
    ("new", "error"),
    [
        ({"derived": 1}, AttributeError),  # a property that cannot be set
        ({1: 1}, ValueError),
        ({"pid": None}, ValueError),
        (["public"], TypeError),
    ],
)
async def test_state_that_cannot_be_set_is_the_callers_error_and_changes_nothing(
    new: object, error: type[Exception]
) -> None:
    pid = await Slotted.start()
    before = await debug.get_state(pid)

    with pytest.raises(error):
        await debug.replace_state(pid, lambda _: new)

    assert await debug.get_state(pid) == before


async def test_process_that_is_not_a_server_raises() -> None:
    pid = process.spawn(asyncio.Event().wait)

    with pytest.raises(TypeError, match="is not a server"):
        await debug.get_state(pid)

    process.exit(pid, "kill")
