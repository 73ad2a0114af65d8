"""Listeners: named processes that are told who registers and unregisters."""

import pytest

from beamish import GenServer, Pid, Registered, Registry, Unregistered, process

from .support import Actor, Worker, kill, mailbox, settle

KEYS = ["unique", "duplicate"]


async def listen(keys: str = "unique") -> Pid:
    """A registry that tells the test."""
    me = process.current()
    process.register(me, "listener")
    await Registry.start_link(keys=keys, name="registry", listeners=["listener"])
    return me


@pytest.mark.parametrize("keys", KEYS)
async def test_listener_is_told_of_registrations(keys: str) -> None:
    """Elixir ``Registry.start_link/1``, ``:listeners``."""
    me = await listen(keys)

    Registry.register("registry", "key", "value")

    assert await mailbox() == [Registered("registry", "key", me, "value")]


@pytest.mark.parametrize("keys", KEYS)
async def test_listener_is_told_of_unregistrations(keys: str) -> None:
    me = await listen(keys)
    Registry.register("registry", "key")
    await mailbox()

    Registry.unregister("registry", "key")

    assert await mailbox() == [Unregistered("registry", "key", me)]


async def test_messages_tell_their_facts_by_name() -> None:
    me = await listen()

    Registry.register("registry", "key", "value")
    Registry.unregister("registry", "key")

    registered, unregistered = await mailbox()
    assert (registered.registry, registered.key, registered.pid, registered.value) == (
        "registry",
        "key",
        me,
        "value",
    )
    assert (unregistered.registry, unregistered.key, unregistered.pid) == ("registry", "key", me)


async def test_listener_is_told_of_servers_started_by_via() -> None:
    await listen()

    pid = await Worker.start(name=Registry.via("registry", "key", "value"))

    assert await mailbox() == [Registered("registry", "key", pid, "value")]
    await GenServer.stop(pid)


async def test_failed_registration_and_changed_value_send_no_events() -> None:
    """OTP 25."""
    await listen()
    Registry.register("registry", "key", 1)
    await mailbox()
    other = await Actor.start()

    await Actor.run(other, Registry.register, "registry", "key", 2)
    Registry.update_value("registry", "key", lambda value: 3)

    assert await mailbox() == []
    await GenServer.stop(other)


async def test_unregister_match_that_removes_the_entry_is_told() -> None:
    """OTP 25."""
    me = await listen()
    Registry.register("registry", "key", 1)
    await mailbox()

    Registry.unregister_match("registry", "key", lambda value: value == 2)
    assert await mailbox() == []

    Registry.unregister_match("registry", "key", lambda value: value == 1)
    assert await mailbox() == [Unregistered("registry", "key", me)]


async def test_every_registration_of_a_duplicate_key_is_told() -> None:
    """OTP 25."""
    me = await listen("duplicate")

    Registry.register("registry", "key", 1)
    Registry.register("registry", "key", 2)

    assert await mailbox() == [
        Registered("registry", "key", me, 1),
        Registered("registry", "key", me, 2),
    ]


async def test_unregistering_all_entries_of_a_duplicate_key_is_one_event() -> None:
    """OTP 25: one ``:unregister`` for the key, however many entries go."""
    me = await listen("duplicate")
    Registry.register("registry", "key", 1)
    Registry.register("registry", "key", 2)
    await mailbox()

    Registry.unregister("registry", "key")

    assert await mailbox() == [Unregistered("registry", "key", me)]


async def test_death_sends_no_event() -> None:
    """Elixir ``Registry.start_link/1``: who wants to know of crashes monitors the process."""
    await listen()
    other = await Actor.start()
    await Actor.run(other, Registry.register, "registry", "key")
    await mailbox()

    await kill(other)

    assert await mailbox() == []
    assert Registry.lookup("registry", "key") == []


async def test_all_listeners_are_told() -> None:
    me = process.current()
    process.register(me, "one")

    async def forward() -> None:
        process.register(process.current(), "two")
        process.send(me, ("two", await process.receive()))

    process.spawn(forward)
    await settle()
    await Registry.start_link(keys="unique", name="registry", listeners=["one", "two"])

    Registry.register("registry", "key", 1)

    event = Registered("registry", "key", me, 1)
    assert sorted(await mailbox(), key=str) == sorted([event, ("two", event)], key=str)


async def test_absent_listener_keeps_nobody_from_registering() -> None:
    """Elixir raises after the entry was made; ours registers and goes on."""
    me = process.current()
    process.register(me, "present")
    await Registry.start_link(keys="unique", name="registry", listeners=["absent", "present"])

    Registry.register("registry", "key", 1)

    assert Registry.lookup("registry", "key") == [(me, 1)]
    assert await mailbox() == [Registered("registry", "key", me, 1)]


async def test_listener_that_comes_later_is_told_from_then_on() -> None:
    """Listeners are names, looked up at each event."""
    me = process.current()
    await Registry.start_link(keys="unique", name="registry", listeners=["late"])
    Registry.register("registry", "early", 1)

    process.register(me, "late")
    Registry.register("registry", "key", 2)

    assert await mailbox() == [Registered("registry", "key", me, 2)]


async def test_events_come_in_the_order_they_happened() -> None:
    await listen()

    for number in range(10):
        Registry.register("registry", "key", number)
        Registry.unregister("registry", "key")

    heard = await mailbox()
    assert [type(event) for event in heard] == [Registered, Unregistered] * 10
    assert [event.value for event in heard[::2]] == list(range(10))


async def test_listener_may_be_a_server() -> None:
    heard: list[object] = []

    class Listener(GenServer):
        def handle_info(self, message: object) -> None:
            heard.append(message)

    listener = await Listener.start(name="listener")
    await Registry.start_link(keys="unique", name="registry", listeners=["listener"])

    Registry.register("registry", "key", 1)
    await mailbox()

    assert heard == [Registered("registry", "key", process.current(), 1)]
    await GenServer.stop(listener)
