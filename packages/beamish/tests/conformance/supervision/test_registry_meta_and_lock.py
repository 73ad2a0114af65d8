"""Data about a registry, and locks by key."""

import asyncio

import pytest

from beamish import GenServer, Registry, process

from .support import Actor, CrashError, Gated, down, kill, message, settle, until


async def test_meta_given_at_start() -> None:
    """Elixir ``Registry.meta/2``."""
    await Registry.start_link(keys="unique", name="registry", meta={"colour": "blue", ("a", 1): 2})

    assert Registry.meta("registry", "colour") == "blue"
    assert Registry.meta("registry", ("a", 1)) == 2


async def test_unknown_meta_is_the_default() -> None:
    """Elixir ``Registry.meta/2``: ``:error``."""
    await Registry.start_link(keys="unique", name="registry")

    assert Registry.meta("registry", "nothing") is None
    assert Registry.meta("registry", "nothing", "default") == "default"
    assert Registry.meta("registry", "nothing", default=1) == 1


async def test_put_meta_sets_and_replaces() -> None:
    """Elixir ``Registry.put_meta/3``."""
    await Registry.start_link(keys="duplicate", name="registry", meta={"colour": "blue"})

    Registry.put_meta("registry", "colour", "red")
    Registry.put_meta("registry", "size", None)

    assert Registry.meta("registry", "colour") == "red"
    assert Registry.meta("registry", "size", "default") is None


async def test_delete_meta_forgets() -> None:
    """Elixir ``Registry.delete_meta/2``: ``:ok`` also for what is not there."""
    await Registry.start_link(keys="unique", name="registry", meta={"colour": "blue"})

    Registry.delete_meta("registry", "colour")
    Registry.delete_meta("registry", "colour")

    assert Registry.meta("registry", "colour") is None


async def test_meta_belongs_to_the_registry_not_to_who_put_it() -> None:
    await Registry.start_link(keys="unique", name="registry")
    actor = await Actor.start()
    await Actor.run(actor, Registry.put_meta, "registry", "colour", "blue")

    await kill(actor)

    assert Registry.meta("registry", "colour") == "blue"
    assert Registry.count("registry") == 0


async def test_meta_given_is_copied() -> None:
    meta = {"colour": "blue"}
    await Registry.start_link(keys="unique", name="registry", meta=meta)

    Registry.put_meta("registry", "colour", "red")

    assert meta == {"colour": "blue"}


async def test_meta_is_reset_when_the_registry_restarts() -> None:
    for _ in range(2):
        await Registry.start_link(keys="unique", name="registry", meta={"n": 1})
        assert Registry.meta("registry", "n") == 1
        Registry.put_meta("registry", "n", 2)
        await GenServer.stop("registry")


async def hold(key: str, gate: asyncio.Event, label: str) -> None:
    """Hold the lock of ``key`` until ``gate`` is set; tells the test."""
    test = process.whereis("test")
    async with Registry.lock("registry", key):
        process.send(test, f"{label} holds")
        await gate.wait()
    process.send(test, f"{label} let go")


async def start_registry() -> None:
    process.register(process.current(), "test")
    await Registry.start_link(keys="unique", name="registry")


async def test_lock_is_held_by_one_process_at_a_time() -> None:
    """Elixir 1.18 ``Registry.lock/3``."""
    await start_registry()
    first, second = asyncio.Event(), asyncio.Event()

    process.spawn(hold, "key", first, "first")
    await message("first holds")
    process.spawn(hold, "key", second, "second")
    await settle()
    with pytest.raises(TimeoutError):
        await process.receive(timeout=0)

    first.set()
    await message("second holds")
    second.set()
    await message("second let go")


async def test_locks_of_different_keys_do_not_meet() -> None:
    await start_registry()
    gate = asyncio.Event()

    process.spawn(hold, "a", gate, "first")
    process.spawn(hold, "b", gate, "second")

    await message("first holds")
    await message("second holds")
    gate.set()
    await message("second let go")


async def test_lock_is_apart_from_registrations() -> None:
    """Elixir 1.18 ``Registry.lock/3``: out of band."""
    await start_registry()

    async with Registry.lock("registry", "key"):
        Registry.register("registry", "key", 1)
        assert Registry.lookup("registry", "key") == [(process.current(), 1)]
    assert Registry.count("registry") == 1


async def test_lock_is_let_go_when_the_block_raises() -> None:
    await start_registry()

    with pytest.raises(CrashError):
        async with Registry.lock("registry", "key"):
            raise CrashError("in the block")

    async with asyncio.timeout(50), Registry.lock("registry", "key"):
        pass


@pytest.mark.parametrize("reason", ["kill", "boom"])
async def test_lock_is_let_go_when_its_holder_dies(reason: str) -> None:
    await start_registry()
    holder = process.spawn(hold, "key", asyncio.Event(), "holder")
    await message("holder holds")
    gate = asyncio.Event()
    process.spawn(hold, "key", gate, "next")
    await settle()

    process.exit(holder, reason)

    await message("next holds")
    gate.set()
    await message("next let go")


async def test_waiter_that_dies_is_passed_over() -> None:
    await start_registry()
    first, last = asyncio.Event(), asyncio.Event()
    process.spawn(hold, "key", first, "first")
    await message("first holds")
    waiter = process.spawn(hold, "key", asyncio.Event(), "waiter")
    await settle()
    process.spawn(hold, "key", last, "last")
    await settle()

    await kill(waiter)
    first.set()

    await message("last holds")
    last.set()
    await message("last let go")


async def test_waiters_get_the_lock_in_the_order_they_asked() -> None:
    await start_registry()
    gate = asyncio.Event()
    process.spawn(hold, "key", gate, "first")
    await message("first holds")
    for label in ["second", "third", "fourth"]:
        process.spawn(hold, "key", gate, label)
        await settle()

    gate.set()

    for label in ["second", "third", "fourth"]:
        holder = await process.receive(timeout=5, match=lambda m: m.endswith("holds"))
        assert holder == f"{label} holds"


async def test_waiting_for_a_lock_of_a_dying_registry_ends() -> None:
    await start_registry()
    gate = asyncio.Event()
    process.spawn(hold, "key", gate, "holder")
    await message("holder holds")
    _, ref = process.spawn_monitor(hold, "key", asyncio.Event(), "waiter")
    await settle()

    await GenServer.stop("registry")

    reason = await down(ref)
    assert reason != "normal"
    gate.set()
    await until(lambda: set(process.processes()) == {process.current()})


async def test_lock_works_inside_an_async_callback() -> None:
    gate = asyncio.Event()

    class Locker(Gated):
        async def init(self) -> None:
            async with Registry.lock("registry", "key"):
                self.tell("locked")

    await start_registry()

    pid = await Locker.start("locker", process.current(), gate)

    await message("locked")
    await GenServer.stop(pid)
