"""``debug``: looking into a running server.

Source: OTP ``sys``: ``get_state/1``, ``replace_state/2``, ``suspend/1``, ``resume/1``, ...
"""

import asyncio

import pytest

from beamish import CallTimeoutError, Down, From, GenServer, NoProcessError, debug, process


class Server(GenServer):
    def __init__(self) -> None:
        self.count = 1
        self.items = ["a"]

    def handle_call(self, request: object, from_: From) -> object:
        return self.count if request == "count" else request

    def handle_cast(self, request: int) -> None:
        self.count += request


class Secretive(GenServer):
    def __init__(self) -> None:
        self.password = "hunter2"

    def format_status(self, status: object) -> object:
        return {"state": "hidden by format_status"}


async def test_state_is_a_dict_of_the_instances_attributes() -> None:
    pid = await Server.start()

    state = await debug.get_state(pid)

    assert isinstance(state, dict)
    assert state["count"] == 1
    assert state["items"] == ["a"]


async def test_state_is_a_snapshot() -> None:
    pid = await Server.start()
    state = await debug.get_state(pid)

    state["count"] = 99
    GenServer.cast(pid, 1)

    assert await GenServer.call(pid, "count") == 2


async def test_state_comes_after_what_was_sent_before() -> None:
    pid = await Server.start()

    GenServer.cast(pid, 1)
    GenServer.cast(pid, 1)

    assert (await debug.get_state(pid))["count"] == 3


async def test_replaced_state_is_what_the_server_goes_on_with() -> None:
    pid = await Server.start()

    new = await debug.replace_state(pid, lambda state: {**state, "count": 10})

    assert new["count"] == 10
    assert await GenServer.call(pid, "count") == 10
    assert (await debug.get_state(pid))["items"] == ["a"]


async def test_attribute_left_out_of_the_new_state_is_gone() -> None:
    pid = await Server.start()

    await debug.replace_state(pid, lambda state: {"count": state["count"]})

    assert "items" not in await debug.get_state(pid)
    assert await GenServer.call(pid, "count") == 1


async def test_failing_replacement_is_the_callers_error_and_changes_nothing() -> None:
    """OTP ``sys:replace_state/2``: the old state stays, the caller gets the error."""
    pid = await Server.start()

    def fail(state: dict[str, object]) -> dict[str, object]:
        state["count"] = 99
        raise ValueError("no")

    with pytest.raises(Exception, match="no"):
        await debug.replace_state(pid, fail)

    assert await GenServer.call(pid, "count") == 1


async def test_suspended_server_handles_nothing_until_resumed(settle) -> None:
    pid = await Server.start()

    await debug.suspend(pid)
    GenServer.cast(pid, 1)
    calling = asyncio.create_task(GenServer.call(pid, "count"))
    await settle()

    assert not calling.done()
    assert (await debug.get_state(pid))["count"] == 1
    await debug.resume(pid)
    assert await calling == 2


async def test_messages_before_a_suspend_are_handled_and_later_ones_wait(settle) -> None:
    """All of it stands in one mailbox while the server is busy."""
    order: list[object] = []

    class Busy(GenServer):
        async def handle_call(self, request: asyncio.Event, from_: From) -> None:
            await request.wait()

        def handle_cast(self, request: object) -> None:
            order.append(request)

    pid = await Busy.start()
    gate = asyncio.Event()
    calling = asyncio.create_task(GenServer.call(pid, gate))
    await settle()
    for word in ("before", "before, too"):
        GenServer.cast(pid, word)
    suspending = asyncio.create_task(debug.suspend(pid))
    await settle()
    for word in ("after", "after, too"):
        GenServer.cast(pid, word)

    gate.set()
    await calling
    await suspending
    await settle()

    assert order == ["before", "before, too"]
    await debug.resume(pid)
    await settle()
    assert order == ["before", "before, too", "after", "after, too"]
    await GenServer.stop(pid)


async def test_suspended_server_answers_state_questions() -> None:
    pid = await Server.start()
    await debug.suspend(pid)

    await debug.replace_state(pid, lambda state: {**state, "count": 5})

    assert (await debug.get_state(pid))["count"] == 5
    await debug.resume(pid)
    assert await GenServer.call(pid, "count") == 5


async def test_call_of_a_suspended_server_times_out() -> None:
    pid = await Server.start()
    await debug.suspend(pid)

    with pytest.raises(CallTimeoutError):
        await GenServer.call(pid, "count", timeout=0.005)

    await debug.resume(pid)
    assert await GenServer.call(pid, "count") == 1


async def test_suspending_and_resuming_twice_is_harmless() -> None:
    """OTP ``sys``: both answer ``ok`` again."""
    pid = await Server.start()

    await debug.suspend(pid)
    await debug.suspend(pid)
    await debug.resume(pid)
    await debug.resume(pid)

    assert await GenServer.call(pid, "count") == 1


async def test_suspended_server_can_be_killed() -> None:
    async with process.attach():
        pid = await Server.start()
        ref = process.monitor(pid)
        await debug.suspend(pid)

        process.exit(pid, "kill")

        assert await process.receive(timeout=50) == Down(ref, pid, "killed")


async def test_order_is_kept_over_a_suspension() -> None:
    seen: list[object] = []

    class Log(GenServer):
        def handle_info(self, message: object) -> None:
            seen.append(message)

        def handle_call(self, request: object, from_: From) -> None:
            seen.append(request)

    pid = await Log.start()
    process.send(pid, 1)
    await debug.suspend(pid)
    process.send(pid, 2)
    process.send(pid, 3)
    await debug.resume(pid)
    await GenServer.call(pid, 4)

    assert seen == [1, 2, 3, 4]


async def test_status_tells_the_state_and_who() -> None:
    pid = await Server.start()

    status = repr(await debug.get_status(pid))

    assert "Server" in status
    assert repr(pid) in status
    assert "count" in status


async def test_status_is_what_format_status_made_of_it() -> None:
    pid = await Secretive.start()

    status = repr(await debug.get_status(pid))

    assert "hidden by format_status" in status
    assert "hunter2" not in status


async def test_format_status_that_fails_harms_nobody() -> None:
    class Clumsy(GenServer):
        def format_status(self, status: object) -> object:
            raise ValueError("in format_status")

        def handle_call(self, request: object, from_: From) -> object:
            return request

    pid = await Clumsy.start()

    await debug.get_status(pid)

    assert await GenServer.call(pid, "still here") == "still here"


@pytest.mark.parametrize(
    "ask",
    [
        debug.get_state,
        debug.get_status,
        debug.suspend,
        debug.resume,
        lambda dest: debug.replace_state(dest, lambda state: state),
    ],
)
async def test_unknown_destination_is_noproc(ask) -> None:
    pid = await Server.start()
    await GenServer.stop(pid)

    for dest in (pid, "nobody"):
        with pytest.raises(NoProcessError):
            await ask(dest)


async def test_names_are_understood() -> None:
    await Server.start(name="server")

    assert (await debug.get_state("server"))["count"] == 1
    await debug.suspend("server")
    await debug.resume("server")


async def test_statistics_count_messages() -> None:
    """OTP ``sys:statistics/2``: switched on, then asked for."""
    pid = await Server.start()
    await debug.statistics(pid, True)

    for _ in range(3):
        GenServer.cast(pid, 1)

    assert "3" in repr(await debug.statistics(pid))


async def test_log_keeps_the_last_events() -> None:
    """OTP ``sys:log/2``: switched on, then asked for."""
    pid = await Server.start()
    await debug.log(pid, True)

    GenServer.cast(pid, 123456)

    assert "123456" in repr(await debug.log(pid))


async def test_traced_server_works_as_before() -> None:
    """OTP ``sys:trace/2``."""
    pid = await Server.start()

    await debug.trace(pid, True)
    GenServer.cast(pid, 1)
    assert await GenServer.call(pid, "count") == 2
    await debug.trace(pid, False)

    assert await GenServer.call(pid, "count") == 2
