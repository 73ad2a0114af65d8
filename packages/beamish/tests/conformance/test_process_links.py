"""``link`` and ``unlink``.

Sources: Elixir ``Process.link/1``, ``unlink/1``; Erlang reference manual, "Processes", Links.
"""

import asyncio
import itertools

import pytest

from beamish import Down, Exit, ExitError, GenServer, Pid, Stop, process


class Node(GenServer):
    """Links itself to what it is told, and stops with the reason it is told."""

    def handle_call(self, request: object, from_: object) -> object:
        match request:
            case ("link", Pid() as pid):
                process.link(pid)
            case ("unlink", Pid() as pid):
                process.unlink(pid)
        return "ok"

    def handle_cast(self, request: object) -> Stop:
        return Stop(request)


class Trapper(Node, trap_exit=True):
    def __init__(self, watcher: Pid) -> None:
        self.watcher = watcher

    def handle_info(self, message: object) -> None:
        process.send(self.watcher, message)


@pytest.mark.parametrize("dying", [0, 1])
async def test_link_works_in_both_directions(dying: int) -> None:
    async with process.attach():
        pair = [await Node.start(), await Node.start()]
        await GenServer.call(pair[0], ("link", pair[1]))
        ref = process.monitor(pair[1 - dying])

        process.exit(pair[dying], "boom")

        assert await process.receive(timeout=50) == Down(ref, pair[1 - dying], "boom")


async def test_exit_runs_through_a_chain_of_links_with_its_exception() -> None:
    async with process.attach():
        problem = ValueError("origin")
        chain = [await Node.start() for _ in range(20)]
        for first, second in itertools.pairwise(chain):
            await GenServer.call(first, ("link", second))
        ref = process.monitor(chain[-1])

        process.exit(chain[0], problem)

        down = await process.receive(timeout=50)
        assert down.ref == ref
        assert down.reason is problem


async def test_ring_of_links_dies_once() -> None:
    async with process.attach():
        ring = [await Node.start() for _ in range(5)]
        for first, second in zip(ring, ring[1:] + ring[:1], strict=True):
            await GenServer.call(first, ("link", second))
        refs = {process.monitor(pid) for pid in ring}

        process.exit(ring[2], "boom")

        downs = [await process.receive(timeout=50) for _ in ring]
        assert {down.ref for down in downs} == refs
        assert {down.reason for down in downs} == {"boom"}


async def test_thousands_of_links_in_a_row_do_not_overflow_the_stack() -> None:
    async with process.attach():
        chain = [await Node.start() for _ in range(3000)]
        for first, second in itertools.pairwise(chain):
            await GenServer.call(first, ("link", second))
        ref = process.monitor(chain[-1])

        process.exit(chain[0], "boom")

        assert await process.receive(timeout=50) == Down(ref, chain[-1], "boom")


async def test_linking_twice_is_one_link() -> None:
    """Erlang ``link/1``: at most one link between two processes; one unlink takes it away."""
    async with process.attach() as me:
        pid = await Node.start()
        process.link(pid)
        process.link(pid)

        process.unlink(pid)
        ref = process.monitor(pid)
        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Down(ref, pid, "boom")
        assert process.is_alive(me)


async def test_one_death_is_one_exit_message_however_often_linked() -> None:
    async with process.attach() as me:
        process.flag(trap_exit=True)
        pid = await Node.start_link()
        process.link(pid)
        await GenServer.call(pid, ("link", me))

        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Exit(pid, "boom")
        process.send(me, "end")
        assert await process.receive(timeout=50) == "end"


async def test_unlink_from_the_other_side_works_too() -> None:
    async with process.attach() as me:
        pid = await Node.start_link()

        await GenServer.call(pid, ("unlink", me))
        ref = process.monitor(pid)
        process.exit(pid, "boom")

        assert await process.receive(timeout=50) == Down(ref, pid, "boom")


async def test_unlink_of_what_is_not_linked_is_harmless() -> None:
    async with process.attach():
        pid = await Node.start()

        process.unlink(pid)

        assert process.is_alive(pid)


async def test_link_to_a_dead_process_delivers_noproc_to_a_trapping_one() -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        pid = await Node.start()
        await GenServer.stop(pid)

        process.link(pid)

        assert await process.receive(timeout=50) == Exit(pid, "noproc")


async def test_link_to_a_dead_process_ends_the_linking_one_with_noproc() -> None:
    dead = await Node.start()
    await GenServer.stop(dead)

    with pytest.raises(ExitError) as caught:
        async with process.attach():
            process.link(dead)
            await asyncio.Event().wait()

    assert caught.value.reason == "noproc"


async def test_link_to_itself_is_harmless() -> None:
    """Erlang ``link/1`` of oneself does nothing."""
    async with process.attach() as me:
        process.link(me)

        assert process.is_alive(me)
        assert me not in process.info(me).links


async def test_trapping_server_gets_the_exit_in_handle_info() -> None:
    async with process.attach() as me:
        trapper, other = await Trapper.start(me), await Node.start()
        await GenServer.call(trapper, ("link", other))

        process.exit(other, "boom")

        assert await process.receive(timeout=50) == Exit(other, "boom")
        assert process.is_alive(trapper)


@pytest.mark.parametrize("reason", ["normal", "shutdown", ("shutdown", 1), "boom"])
async def test_trapping_process_is_told_of_every_reason(reason: object) -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        pid = await Node.start_link()

        GenServer.cast(pid, reason)

        assert await process.receive(timeout=50) == Exit(pid, reason)


async def test_normal_exit_leaves_the_linked_process_alone(settle) -> None:
    async with process.attach():
        stays, goes = await Node.start(), await Node.start()
        await GenServer.call(stays, ("link", goes))

        await GenServer.stop(goes)
        await settle()

        assert process.is_alive(stays)


async def test_killed_process_arrives_as_killed_at_its_links() -> None:
    async with process.attach():
        process.flag(trap_exit=True)
        pid = await Node.start_link()

        process.exit(pid, "kill")

        assert await process.receive(timeout=50) == Exit(pid, "killed")


async def test_killed_reason_takes_untrapped_links_along_as_killed() -> None:
    async with process.attach():
        first, second = await Node.start(), await Node.start()
        await GenServer.call(first, ("link", second))
        ref = process.monitor(second)

        process.exit(first, "kill")

        assert await process.receive(timeout=50) == Down(ref, second, "killed")


async def test_own_reason_kill_reaches_links_unchanged_and_can_be_trapped() -> None:
    """OTP 25: only ``exit/2`` with ``kill`` is untrappable, an exit *of reason* kill is not."""
    async with process.attach():
        process.flag(trap_exit=True)
        pid = await Node.start_link()

        GenServer.cast(pid, "kill")

        assert await process.receive(timeout=50) == Exit(pid, "kill")


async def test_link_is_gone_from_both_sides_after_a_death() -> None:
    async with process.attach() as me:
        process.flag(trap_exit=True)
        pid = await Node.start_link()
        assert pid in process.info(me).links
        assert me in process.info(pid).links

        process.exit(pid, "boom")
        await process.receive(timeout=50)

        assert pid not in process.info(me).links


async def test_link_needs_a_process() -> None:
    pid = await Node.start()

    with pytest.raises(LookupError):
        process.link(pid)
