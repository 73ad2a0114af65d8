"""The registry's death: who is registered in it dies with it, and registers again."""

import pytest

from beamish import (
    Exit,
    GenServer,
    Pid,
    Registry,
    Supervisor,
    call,
    process,
)

from .support import Actor, Worker, down, expect, kill, mailbox, started


class Trapping(Actor, trap_exit=True):
    """Notes the exits it gets, instead of dying of them."""

    def __init__(self) -> None:
        self.exits: list[Exit] = []

    def handle_info(self, message: Exit) -> None:
        self.exits.append(message)

    @call
    def heard(self) -> list[Exit]:
        return self.exits


async def start_registry(keys: str = "unique") -> Pid:
    process.flag(trap_exit=True)
    return await Registry.start_link(keys=keys, name="registry")


async def registered(cls: type[Actor] = Actor, *keys: str) -> Pid:
    """A process with these keys."""
    actor = await cls.start()
    for key in keys:
        await Actor.run(actor, Registry.register, "registry", key)
    return actor


@pytest.mark.parametrize("keys", ["unique", "duplicate"])
async def test_registered_processes_die_with_the_registry(keys: str) -> None:
    """Contract: they are linked to it; OTP 25 the same."""
    registry = await start_registry(keys)
    refs = [process.monitor(await registered(Actor, key)) for key in "abc"]

    process.exit(registry, "kill")

    assert [await down(ref) for ref in refs] == ["killed"] * 3
    assert (await expect(Exit, pid=registry)).reason == "killed"


async def test_servers_named_by_via_die_with_the_registry(worker: type[Worker]) -> None:
    registry = await start_registry()
    pid = await worker.start(name=Registry.via("registry", "key"))
    ref = process.monitor(pid)

    process.exit(registry, "kill")

    assert await down(ref) == "killed"


async def test_stopped_registry_takes_them_along_too() -> None:
    """OTP 25: its processes get ``:shutdown`` when the registry stops normally."""
    await start_registry()
    pid = await registered(Actor, "key")
    ref = process.monitor(pid)

    await GenServer.stop("registry", "shutdown")

    assert await down(ref) == "shutdown"


async def test_trapping_process_is_told_and_lives() -> None:
    """OTP 25: the exit arrives as a message."""
    registry = await start_registry()
    pid = await registered(Trapping, "key")

    process.exit(registry, "kill")
    await mailbox()

    assert await Trapping.heard(pid) == [Exit(registry, "killed")]
    await GenServer.stop(pid)


async def test_process_without_entries_is_no_longer_linked() -> None:
    """Elixir ``Registry.unregister/2``: unlinks when no keys are left."""
    registry = await start_registry()
    pid = await registered(Actor, "a", "b")
    assert registry in process.info(pid).links

    await Actor.run(pid, Registry.unregister, "registry", "a")
    assert registry in process.info(pid).links
    await Actor.run(pid, Registry.unregister, "registry", "b")
    assert registry not in process.info(pid).links

    await kill(registry)
    assert process.is_alive(pid)
    await GenServer.stop(pid)


async def test_unregister_match_of_the_last_entry_unlinks_too() -> None:
    registry = await start_registry()
    pid = await registered(Actor, "a")

    await Actor.run(pid, Registry.unregister_match, "registry", "a", lambda value: True)

    assert registry not in process.info(pid).links
    await GenServer.stop(pid)


async def test_death_of_a_registered_process_does_not_hurt_the_registry() -> None:
    """The registry traps exits."""
    registry = await start_registry()

    for reason in ["boom", "kill", "shutdown"]:
        pid = await registered(Actor, "key")
        ref = process.monitor(pid)
        process.exit(pid, reason)
        await down(ref)

    assert process.is_alive(registry)
    assert Registry.count("registry") == 0
    assert set(process.info(registry).links) == {process.current()}


async def test_registered_process_is_told_nothing_while_the_registry_lives() -> None:
    await start_registry()
    pid = await registered(Trapping, "key")

    await kill(await registered(Actor, "other"))

    assert await Trapping.heard(pid) == []
    await GenServer.stop(pid)


async def test_supervised_processes_register_again_with_the_new_registry(
    worker: type[Worker],
) -> None:
    """Contract: they die with it, so that they register again under a supervisor."""
    me = process.current()
    await Supervisor.start_link(
        [
            Registry.child_spec(keys="unique", name="registry"),
            worker.child_spec("a", me, name=Registry.via("registry", "a")),
            worker.child_spec("b", me, name=Registry.via("registry", "b")),
        ],
        max_restarts=100,
    )
    before = {Registry.whereis("registry", key) for key in "ab"}
    await mailbox()

    await kill(process.whereis("registry"))
    await mailbox()

    after = {Registry.whereis("registry", key) for key in "ab"}
    assert None not in after
    assert not before & after


async def test_entries_of_the_old_registry_are_gone() -> None:
    await Supervisor.start_link([Registry.child_spec(keys="unique", name="registry")])
    process.flag(trap_exit=True)
    Registry.register("registry", "key", 1)
    old = process.whereis("registry")

    await kill(old)
    await mailbox()

    assert process.whereis("registry") not in (None, old)
    assert Registry.lookup("registry", "key") == []
    assert Registry.keys("registry", process.current()) == []
    Registry.register("registry", "key", 2)
    assert Registry.lookup("registry", "key") == [(process.current(), 2)]


async def test_spawned_process_dies_with_the_registry() -> None:
    registry = await start_registry()
    me = process.current()

    async def member() -> None:
        Registry.register("registry", "key")
        process.send(me, "in")
        await process.receive()

    _, ref = process.spawn_monitor(member)
    await process.receive(timeout=5, match=lambda m: m == "in")

    await kill(registry)

    assert await down(ref) == "killed"


async def test_name_is_free_at_once_for_the_restarted_process() -> None:
    """Crash, restart, register: no step in between sees the dead one."""
    me = process.current()
    await Registry.start_link(keys="unique", name="registry")
    await Supervisor.start_link(
        [Worker.child_spec("a", me, name=Registry.via("registry", "a"))], max_restarts=1_000
    )
    await started("a")

    for _ in range(100):
        old = Registry.whereis("registry", "a")
        await kill(old)
        assert Registry.whereis("registry", "a") != old
        assert await started("a") == Registry.whereis("registry", "a")
