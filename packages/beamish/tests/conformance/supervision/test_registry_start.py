"""Starting a registry: its options, its name, its place in a tree, unknown registries."""

import asyncio
import contextvars
import pickle

import pytest

from beamish import (
    AlreadyStartedError,
    GenServer,
    NoProcessError,
    Registry,
    Supervisor,
    process,
)

from .support import Actor, children, mailbox


@pytest.mark.parametrize("keys", ["unique", "duplicate"])
async def test_registry_is_a_process_with_its_name(keys: str) -> None:
    pid = await Registry.start_link(keys=keys, name="registry")

    assert process.whereis("registry") == pid
    assert pid in process.info(process.current()).links
    assert Registry.count("registry") == 0


async def test_registries_are_apart() -> None:
    await Registry.start_link(keys="unique", name="one")
    await Registry.start_link(keys="unique", name="two")

    Registry.register("one", "key", 1)
    Registry.register("two", "key", 2)

    me = process.current()
    assert Registry.lookup("one", "key") == [(me, 1)]
    assert Registry.lookup("two", "key") == [(me, 2)]


async def test_taken_name_gives_the_running_registry() -> None:
    """OTP 25: ``already_started``."""
    pid = await Registry.start_link(keys="unique", name="registry")

    with pytest.raises(AlreadyStartedError) as caught:
        await Registry.start_link(keys="duplicate", name="registry")

    assert caught.value.pid == pid


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"keys": "single", "name": "registry"}, "keys"),
        ({"keys": None, "name": "registry"}, "keys"),
        ({"name": "registry"}, "keys"),
        ({"keys": "unique"}, "name"),
        ({"keys": "unique", "name": 1}, "name"),
        ({"keys": "unique", "name": "registry", "listeners": [1]}, "listeners"),
        ({"keys": "unique", "name": "registry", "listeners": "listener"}, "listeners"),
        ({"keys": "unique", "name": "registry", "meta": 1}, "meta"),
    ],
    ids=str,
)
async def test_bad_options_are_refused(options: dict[str, object], word: str) -> None:
    """OTP 25 refuses the same, each with the option's name."""
    with pytest.raises((ValueError, TypeError), match=word):
        await Registry.start_link(**options)

    assert process.whereis("registry") is None


async def test_runs_under_a_supervisor() -> None:
    """Elixir ``Registry.child_spec/1``: the id is the name."""
    spec = Registry.child_spec(keys="unique", name="registry", meta={"a": 1})

    sup = await Supervisor.start_link([spec])

    assert set(await children(sup)) == {"registry"}
    assert Registry.meta("registry", "a") == 1


async def test_registry_stops_with_its_parent() -> None:
    async def parent() -> None:
        await Registry.start_link(keys="unique", name="registry")
        assert process.whereis("registry") is not None

    _, ref = process.spawn_monitor(parent)

    down = await process.receive(timeout=50)
    assert (down.ref, down.reason) == (ref, "normal")
    await mailbox()
    assert process.whereis("registry") is None


UNKNOWN = [
    pytest.param(lambda: Registry.register("nowhere", "key"), id="register"),
    pytest.param(lambda: Registry.unregister("nowhere", "key"), id="unregister"),
    pytest.param(
        lambda: Registry.unregister_match("nowhere", "key", lambda value: True),
        id="unregister_match",
    ),
    pytest.param(lambda: Registry.lookup("nowhere", "key"), id="lookup"),
    pytest.param(lambda: Registry.whereis("nowhere", "key"), id="whereis"),
    pytest.param(lambda: Registry.keys("nowhere", process.current()), id="keys"),
    pytest.param(lambda: Registry.values("nowhere", "key", process.current()), id="values"),
    pytest.param(
        lambda: Registry.update_value("nowhere", "key", lambda value: value), id="update_value"
    ),
    pytest.param(lambda: Registry.match("nowhere", "key", lambda value: True), id="match"),
    pytest.param(
        lambda: Registry.count_match("nowhere", "key", lambda value: True), id="count_match"
    ),
    pytest.param(lambda: Registry.select("nowhere", lambda k, p, v: True), id="select"),
    pytest.param(lambda: Registry.count_select("nowhere", lambda k, p, v: True), id="count_select"),
    pytest.param(lambda: Registry.count("nowhere"), id="count"),
    pytest.param(lambda: Registry.dispatch("nowhere", "key", print), id="dispatch"),
    pytest.param(lambda: Registry.meta("nowhere", "key"), id="meta"),
    pytest.param(lambda: Registry.put_meta("nowhere", "key", 1), id="put_meta"),
    pytest.param(lambda: Registry.delete_meta("nowhere", "key"), id="delete_meta"),
]


@pytest.mark.parametrize("ask", UNKNOWN)
async def test_unknown_registry_raises_no_process_error(ask: object) -> None:
    """Contract; Elixir raises ``ArgumentError``: unknown registry."""
    with pytest.raises(NoProcessError, match="nowhere"):
        ask()  # type: ignore[operator]


@pytest.mark.parametrize("ask", UNKNOWN)
async def test_name_of_another_process_is_not_a_registry(ask: object) -> None:
    """A server that happens to have the name is not asked things it does not know."""
    other = await Actor.start(name="nowhere")

    with pytest.raises(NoProcessError):
        ask()  # type: ignore[operator]

    assert process.is_alive(other)
    await GenServer.stop(other)


async def test_lock_of_an_unknown_registry_raises_no_process_error() -> None:
    with pytest.raises(NoProcessError):
        async with Registry.lock("nowhere", "key"):
            pytest.fail("the block must not run")


@pytest.mark.parametrize("ask", UNKNOWN)
async def test_dead_registry_raises_no_process_error(ask: object) -> None:
    await Registry.start_link(keys="unique", name="nowhere")
    await GenServer.stop("nowhere")

    with pytest.raises(NoProcessError):
        ask()  # type: ignore[operator]


async def test_register_outside_a_process_raises_no_process_error() -> None:
    await Registry.start_link(keys="unique", name="registry")

    async def outside() -> None:
        with pytest.raises(NoProcessError):
            Registry.register("registry", "key")
        assert Registry.lookup("registry", "key") == []

    await asyncio.create_task(outside(), context=contextvars.Context())

    assert Registry.count("registry") == 0


async def test_registry_can_start_without_a_link() -> None:
    pid = await Registry.start(keys="unique", name="unlinked")

    assert pid not in process.info(process.current()).links
    assert Registry.count("unlinked") == 0
    await Registry.stop(pid)


async def test_subclass_of_a_registry_changes_nothing() -> None:
    class Names(Registry):
        def terminate(self, reason: object) -> None:
            raise AssertionError("not called")

        def handle_info(self, message: object) -> None:
            raise AssertionError("not called")

    top = await Supervisor.start_link([Names.child_spec(keys="unique", name="names")])
    Registry.register("names", "key", 1)
    process.send("names", "a message")

    assert Registry.values("names", "key", process.current()) == [1]
    assert process.info("names").class_name.endswith("Names")
    process.flag(trap_exit=True)
    await Supervisor.stop(top)


async def test_unknown_request_of_a_registry_is_an_error_of_the_caller_only() -> None:
    pid = await Registry.start_link(keys="unique", name="registry")

    with pytest.raises(TypeError, match="Registry takes no such call"):
        await GenServer.call(pid, "request")

    assert process.is_alive(pid)


def test_child_spec_of_a_registry_can_be_pickled() -> None:
    spec = Registry.child_spec(keys="duplicate", name="registry", meta={"key": "value"})

    assert pickle.loads(pickle.dumps(spec)) == spec
