"""``info``, ``is_alive``, ``processes``, ``set_label`` and what a pid is."""

import asyncio
import re

import pytest

from beamish import GenServer, Pid, process


class Family(GenServer):
    """Starts children on demand."""

    async def handle_call(self, request: object, from_: object) -> object:
        match request:
            case "child":
                return await Family.start_link()
            case "stranger":
                return await Family.start()
            case ("label", label):
                process.set_label(label)
        return request


async def test_unknown_process_has_no_info() -> None:
    pid = await Family.start()
    await GenServer.stop(pid)

    assert process.info(pid) is None


async def test_info_tells_names() -> None:
    pid = await Family.start(name="first")
    process.register(pid, "second")

    assert set(process.info(pid).names) == {"first", "second"}


async def test_info_tells_links_and_monitors() -> None:
    async with process.attach() as me:
        pid = await Family.start_link()
        process.monitor(pid)

        assert me in process.info(pid).links
        assert pid in process.info(me).links
        assert me in process.info(pid).monitored_by
        assert pid in process.info(me).monitors


async def test_info_tells_how_many_messages_wait() -> None:
    async with process.attach() as me:
        process.send(me, 1)
        process.send(me, 2)

        assert process.info(me).message_queue_len == 2


async def test_info_tells_whether_it_traps_exits() -> None:
    async with process.attach() as me:
        assert process.info(me).trap_exit is False
        process.flag(trap_exit=True)
        assert process.info(me).trap_exit is True


async def test_parent_is_the_caller_of_start_link() -> None:
    async with process.attach() as me:
        pid = await Family.start_link()

        assert process.info(pid).parent == me


async def test_start_makes_no_parent() -> None:
    async with process.attach():
        pid = await Family.start()

        assert process.info(pid).parent is None


async def test_info_tells_the_class_somewhere() -> None:
    pid = await Family.start()

    assert "Family" in repr(process.info(pid))


async def test_info_tells_when_it_started() -> None:
    first, second = await Family.start(), await Family.start()

    assert process.info(first).started_at <= process.info(second).started_at


@pytest.mark.parametrize("start", ["child", "stranger"])
async def test_ancestors_are_the_starter_and_who_started_it(start: str) -> None:
    """OTP ``proc_lib``: ``$ancestors``, nearest first, also for an unlinked start."""
    async with process.attach() as me:
        parent = await Family.start_link()
        child = await GenServer.call(parent, start)

        ancestors = list(process.info(child).ancestors)

        assert ancestors[:2] == [parent, me]


async def test_label_is_what_was_set() -> None:
    pid = await Family.start()

    await GenServer.call(pid, ("label", "row 7"))

    assert process.info(pid).label == "row 7"


async def test_processes_lists_the_living() -> None:
    stays, goes = await Family.start(), await Family.start()

    await GenServer.stop(goes)

    assert stays in process.processes()
    assert goes not in process.processes()


async def test_attached_and_spawned_processes_are_listed() -> None:
    async with process.attach() as me:
        pid = process.spawn(process.receive)

        assert {me, pid} <= set(process.processes())
        assert process.info(me) is not None
        assert process.info(pid) is not None


async def test_is_alive_follows_the_process() -> None:
    pid = await Family.start()
    assert process.is_alive(pid)

    await GenServer.stop(pid)

    assert not process.is_alive(pid)


async def test_pid_prints_as_in_erlang() -> None:
    pid = await Family.start()

    assert re.fullmatch(r"#PID<0\.\d+\.0>", repr(pid))
    assert str(pid) == repr(pid)


async def test_pids_are_distinct_hashable_and_equal_to_themselves() -> None:
    pids = [await Family.start() for _ in range(100)]

    assert len(set(pids)) == 100
    assert len({repr(pid) for pid in pids}) == 100
    assert {pid: number for number, pid in enumerate(pids)}[pids[42]] == 42


async def test_pids_are_ordered_by_creation() -> None:
    pids = [await Family.start() for _ in range(12)]

    assert sorted(pids[6:] + pids[:6]) == pids
    assert pids[0] < pids[1]
    assert pids[1] > pids[0]
    assert pids[0] <= pids[0]


async def test_pid_is_equal_to_nothing_else() -> None:
    pid = await Family.start()

    assert pid != repr(pid)
    assert pid != 1
    assert pid is not None


async def test_pid_of_a_dead_process_is_not_used_again() -> None:
    seen: set[Pid] = set()

    for _ in range(200):
        pid = await Family.start()
        assert pid not in seen
        seen.add(pid)
        await GenServer.stop(pid)


async def test_info_counts_the_messages_handled() -> None:
    pid = await Family.start()
    before = process.info(pid).messages_handled

    for _ in range(5):
        await GenServer.call(pid, "ping")

    assert process.info(pid).messages_handled == before + 5


async def test_start_is_not_counted_as_a_message() -> None:
    class SlowFamily(Family):
        async def init(self) -> None:
            await asyncio.sleep(0)

    for kind in (Family, SlowFamily):
        assert process.info(await kind.start()).messages_handled == 0


async def test_info_tells_the_callback_that_runs(settle) -> None:
    gate = asyncio.Event()

    class Busy(GenServer):
        async def handle_cast(self, request: object) -> None:
            await gate.wait()

    pid = await Busy.start()
    assert process.info(pid).current_callback is None
    GenServer.cast(pid, "go")
    await settle()

    assert process.info(pid).current_callback == "handle_cast"
    gate.set()


async def test_info_of_the_own_process_in_a_callback_is_complete() -> None:
    class Looks(GenServer):
        def handle_call(self, request: object, from_: object) -> object:
            return process.info(self.pid)

    pid = await Looks.start()

    info = await GenServer.call(pid, "look")

    assert info.id == pid
    assert info.current_callback == "handle_call"
