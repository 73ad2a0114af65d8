"""Names in registries and in other name services: ``Registry.via`` and ``Via``."""

import pytest

from beamish import (
    AlreadyRegisteredError,
    AlreadyStartedError,
    BeamishError,
    DynamicSupervisor,
    ExitError,
    GenServer,
    NoProcessError,
    Pid,
    Registry,
    StartError,
    Via,
    call,
    process,
)

from .support import (
    CrashError,
    Scripted,
    Worker,
    crash,
    down,
    dynamic_pids,
    kill,
    mailbox,
    started,
)


async def start_registry() -> None:
    await Registry.start_link(keys="unique", name="registry")


async def test_process_started_with_a_via_is_registered(worker: type[Worker]) -> None:
    """Elixir Registry, "Using in :via"."""
    await start_registry()

    pid = await worker.start("tag", name=Registry.via("registry", "key"))

    assert Registry.lookup("registry", "key") == [(pid, None)]
    assert Registry.keys("registry", pid) == ["key"]
    await GenServer.stop(pid)


class Registrant(GenServer):
    """Changes its own entries in the registry."""

    @call
    def unregister(self) -> None:
        Registry.unregister("registry", "key")

    @call
    def register(self) -> Pid:
        return Registry.register("registry", "key")

    @call
    def update(self, value: object) -> object:
        return Registry.update_value("registry", "key", lambda _: value)


async def started_by_name() -> Pid:
    await start_registry()
    return await Registrant.start(name=Registry.via("registry", "key"))


async def test_server_can_unregister_its_own_name_and_register_it_again() -> None:
    """Elixir ``Registry.unregister/2``: of the calling process, however it was registered."""
    pid = await started_by_name()

    await Registrant.unregister(pid)
    assert Registry.lookup("registry", "key") == []
    assert Registry.keys("registry", pid) == []
    assert process.info(pid).names == ()
    assert Registry.count("registry") == 0

    await Registrant.register(pid)
    assert Registry.whereis("registry", "key") is pid
    await GenServer.stop(pid)
    assert Registry.count("registry") == 0


async def test_server_can_set_the_value_under_its_own_name() -> None:
    """Elixir ``Registry.update_value/3``."""
    pid = await started_by_name()

    assert await Registrant.update(pid, 5) == (5, None)
    assert await Registrant.update(pid, 6) == (6, 5)

    assert Registry.lookup("registry", "key") == [(pid, 6)]
    assert Registry.keys("registry", pid) == ["key"]
    assert process.info(pid).names == ("key",)
    await GenServer.stop(pid)
    assert Registry.lookup("registry", "key") == []


async def test_second_registration_of_the_own_name_is_refused() -> None:
    """Elixir ``Registry.register/3``: a key of a unique registry has one process."""
    pid = await started_by_name()

    with pytest.raises(ExitError) as caught:
        await Registrant.register(pid)

    assert isinstance(caught.value.reason, AlreadyRegisteredError)
    assert Registry.lookup("registry", "key") == []


async def test_name_is_released_when_its_registry_has_lost_its_own_name() -> None:
    """The entries go with their process, however the registry is found."""
    await start_registry()
    registry = process.whereis("registry")
    assert registry is not None
    pid = await Worker.start(name=Registry.via("registry", "key"))

    process.unregister("registry")
    await GenServer.stop(pid)

    assert Registry.lookup(registry, "key") == []
    assert Registry.count(registry) == 0


async def test_server_outlives_a_registry_that_it_has_left() -> None:
    """Elixir Registry: the registry is linked with the processes that are registered in it."""
    pid = await started_by_name()
    registry = process.whereis("registry")
    assert registry is not None

    await Registrant.unregister(pid)
    await Registry.stop(registry)

    assert process.is_alive(pid)
    assert process.info(pid).links == ()
    await GenServer.stop(pid)


async def test_via_may_carry_a_value() -> None:
    """Elixir Registry: ``{:via, Registry, {registry, key, value}}``."""
    await start_registry()

    pid = await Worker.start(name=Registry.via("registry", "key", "value"))

    assert Registry.lookup("registry", "key") == [(pid, "value")]
    assert Registry.values("registry", "key", pid) == ["value"]
    await GenServer.stop(pid)


async def test_via_is_a_destination_everywhere(worker: type[Worker]) -> None:
    """Elixir GenServer, "Name registration": all functions take the name."""
    await start_registry()
    via = Registry.via("registry", "key")
    pid = await worker.start("tag", process.current(), name=via)
    await started("tag")

    assert await worker.ping(via) == "tag"
    assert GenServer.whereis(via) == pid
    ref = process.monitor(via)
    worker.finish(via)
    assert await down(ref) == "normal"


async def test_send_to_a_via() -> None:
    await start_registry()
    Registry.register("registry", "me")

    process.send(Registry.via("registry", "me"), "hello")

    assert await mailbox() == ["hello"]


async def test_value_of_a_via_does_not_matter_for_finding() -> None:
    """OTP 25."""
    await start_registry()
    pid = await Worker.start(name=Registry.via("registry", "key", "one"))

    assert GenServer.whereis(Registry.via("registry", "key", "other")) == pid
    assert GenServer.whereis(Registry.via("registry", "key")) == pid
    await GenServer.stop(pid)


async def test_name_is_registered_before_init(worker: type[Worker]) -> None:
    """Contract: the name is registered before ``__init__`` runs."""
    found: list[Pid | None] = []

    class Curious(worker):  # type: ignore[valid-type, misc]
        def __init__(self) -> None:
            super().__init__()
            found.append(Registry.whereis("registry", "key"))

    await start_registry()

    pid = await Curious.start(name=Registry.via("registry", "key"))

    assert found == [pid]
    await GenServer.stop(pid)


async def test_taken_via_is_already_started_and_starts_nothing() -> None:
    """OTP 25: ``{:error, {:already_started, pid}}``."""
    await start_registry()
    via = Registry.via("registry", "key")
    first = await Worker.start(name=via)

    with pytest.raises(AlreadyStartedError) as caught:
        await Worker.start("second", process.current(), name=via)

    assert caught.value.pid == first
    assert await mailbox() == []
    await GenServer.stop(first)


async def test_key_taken_by_register_is_taken_for_via_too() -> None:
    await start_registry()
    Registry.register("registry", "key")

    with pytest.raises(AlreadyStartedError) as caught:
        await Worker.start(name=Registry.via("registry", "key"))

    assert caught.value.pid == process.current()


async def test_normal_end_removes_the_name(worker: type[Worker]) -> None:
    await start_registry()
    pid = await worker.start(name=Registry.via("registry", "key"))

    await GenServer.stop(pid)

    assert Registry.lookup("registry", "key") == []
    assert Registry.count("registry") == 0


async def test_failed_start_removes_the_name(scripted: type[Scripted]) -> None:
    await start_registry()

    with pytest.raises(StartError) as caught:
        await scripted.start("a", None, ["raise"], name=Registry.via("registry", "key"))

    assert isinstance(caught.value.__cause__, CrashError)
    assert Registry.lookup("registry", "key") == []
    assert Registry.count("registry") == 0


async def test_process_may_give_its_via_name_away() -> None:
    """A via name is an entry like any other: its owner may unregister it."""

    class Generous(GenServer):
        def handle_call(self, request: object, from_: object) -> None:
            Registry.unregister("registry", request)

    await start_registry()
    pid = await Generous.start(name=Registry.via("registry", "key"))

    await GenServer.call(pid, "key")

    assert Registry.whereis("registry", "key") is None
    assert process.is_alive(pid)
    await GenServer.stop(pid)


@pytest.mark.parametrize("ask", ["start", "whereis"])
async def test_via_needs_unique_keys(ask: str) -> None:
    """Elixir Registry: ``:via`` is not supported for duplicate registries."""
    await Registry.start_link(keys="duplicate", name="topics")

    with pytest.raises(TypeError):
        via = Registry.via("topics", "key")
        if ask == "start":
            await Worker.start(name=via)
        else:
            GenServer.whereis(via)

    assert Registry.count("topics") == 0


async def test_via_may_be_made_before_its_registry_runs() -> None:
    """Child specifications of a tree are made before its registry has started."""
    via = Registry.via("registry", "key")

    await start_registry()

    pid = await Worker.start(name=via)
    assert Registry.whereis("registry", "key") == pid
    await GenServer.stop(pid)


async def test_via_with_an_unknown_registry_raises_no_process_error() -> None:
    """Contract: an unknown registry is ``NoProcessError`` everywhere; Elixir raises, too."""
    via = Registry.via("nowhere", "key")

    with pytest.raises(NoProcessError):
        await Worker.start(name=via)
    with pytest.raises(NoProcessError):
        await Worker.ping(via)
    with pytest.raises(NoProcessError):
        GenServer.whereis(via)
    with pytest.raises(NoProcessError):
        process.send(via, "hello")


async def test_cast_to_an_unknown_registry_or_key_is_lost() -> None:
    """Elixir ``GenServer.cast/2`` always returns ``:ok``."""
    await start_registry()

    assert GenServer.cast(Registry.via("nowhere", "key"), "hello") is None
    assert GenServer.cast(Registry.via("registry", "nobody"), "hello") is None


async def test_unknown_key_raises_no_process_error() -> None:
    """Elixir ``GenServer.call/3`` exits with ``:noproc``, ``send`` raises."""
    await start_registry()
    via = Registry.via("registry", "nobody")

    assert GenServer.whereis(via) is None
    for ask in [Worker.ping, GenServer.stop]:
        with pytest.raises(NoProcessError):
            await ask(via)
    with pytest.raises(NoProcessError):
        process.send(via, "hello")


async def test_unknown_registry_fails_the_child_and_not_its_supervisor() -> None:
    sup = await DynamicSupervisor.start_link(max_restarts=0)

    with pytest.raises(BeamishError) as caught:
        await DynamicSupervisor.start_child(
            sup, Worker.child_spec(name=Registry.via("nowhere", "key"))
        )

    assert NoProcessError in [type(caught.value), type(caught.value.__cause__)]
    assert await dynamic_pids(sup) == set()


async def test_restart_registers_the_new_process(worker: type[Worker]) -> None:
    await start_registry()
    sup = await DynamicSupervisor.start_link()
    spec = worker.child_spec("a", process.current(), name=Registry.via("registry", "key", "value"))
    old = await DynamicSupervisor.start_child(sup, spec)
    await started("a")

    await crash(old)

    new = await started("a")
    assert Registry.lookup("registry", "key") == [(new, "value")]


def test_vias_are_equal_by_what_they_name() -> None:
    assert Registry.via("registry", "key") == Registry.via("registry", "key")
    assert Registry.via("registry", "key") != Registry.via("registry", "other")
    assert hash(Registry.via("registry", "key")) == hash(Registry.via("registry", "key"))
    assert "key" in repr(Registry.via("registry", "key"))


class PhoneBook:
    """A name service written by a user."""

    def __init__(self) -> None:
        self.entries: dict[object, Pid] = {}

    def register_name(self, name: object, pid: Pid) -> bool:
        if name in self.entries and process.is_alive(self.entries[name]):
            return False
        self.entries[name] = pid
        return True

    def unregister_name(self, name: object) -> None:
        self.entries.pop(name, None)

    def whereis_name(self, name: object) -> Pid | None:
        pid = self.entries.get(name)
        return pid if pid is not None and process.is_alive(pid) else None


async def test_other_name_service_registers_and_finds(worker: type[Worker]) -> None:
    """Elixir GenServer, "Name registration": ``{:via, module, term}``."""
    book = PhoneBook()
    via = Via(book, "ada")

    pid = await worker.start("tag", name=via)

    assert book.entries == {"ada": pid}
    assert await worker.ping(via) == "tag"
    assert GenServer.whereis(via) == pid
    await GenServer.stop(via)


async def test_other_name_service_may_refuse() -> None:
    """OTP 25: ``no`` from ``register_name`` is ``already_started``."""
    book = PhoneBook()
    first = await Worker.start(name=Via(book, "ada"))

    with pytest.raises(AlreadyStartedError) as caught:
        await Worker.start(name=Via(book, "ada"))

    assert caught.value.pid == first
    await GenServer.stop(first)


async def test_other_name_service_is_told_of_a_failed_start(scripted: type[Scripted]) -> None:
    """OTP 25 unregisters the name when ``init`` fails."""
    book = PhoneBook()

    with pytest.raises(StartError):
        await scripted.start("a", None, ["raise"], name=Via(book, "ada"))

    assert book.entries == {}


@pytest.mark.parametrize("end", ["normal", "kill"])
async def test_other_name_service_is_told_of_an_end(end: str) -> None:
    """No orphan: a dead process's names are gone."""
    book = PhoneBook()
    pid = await Worker.start(name=Via(book, "ada"))

    if end == "kill":
        await kill(pid)
    else:
        await GenServer.stop(pid)

    assert book.entries == {}


async def test_unknown_name_of_another_service_raises_no_process_error() -> None:
    via = Via(PhoneBook(), "nobody")

    assert GenServer.whereis(via) is None
    with pytest.raises(NoProcessError):
        await Worker.ping(via)
    with pytest.raises(NoProcessError):
        process.send(via, "hello")
    assert GenServer.cast(via, "hello") is None


async def test_supervised_child_named_by_another_service_is_found_after_a_restart() -> None:
    book = PhoneBook()
    sup = await DynamicSupervisor.start_link()
    spec = Worker.child_spec("a", process.current(), name=Via(book, "ada"))
    old = await DynamicSupervisor.start_child(sup, spec)
    await started("a")

    await crash(old)

    assert book.entries == {"ada": await started("a")}


@pytest.mark.parametrize(
    "name", [42, b"bytes", ("registry", "key"), object()], ids=lambda bad: type(bad).__name__
)
async def test_other_names_are_refused_with_what_is_allowed(name: object) -> None:
    """Contract: ``TypeError`` that lists what is allowed and shows what it got."""
    with pytest.raises(TypeError, match="Via"):
        await Worker.start(name=name)
