"""``process.send`` and local names.

Sources: Elixir ``Process.send/3``, ``register/2``, ``unregister/1``, ``whereis/1``.
"""

import pytest

from beamish import AlreadyRegisteredError, AlreadyStartedError, GenServer, NoProcessError, process


class Collector(GenServer):
    def __init__(self) -> None:
        self.seen: list[object] = []

    def handle_info(self, message: object) -> None:
        self.seen.append(message)

    def handle_call(self, request: object, from_: object) -> list[object]:
        return list(self.seen)


async def test_server_gets_a_sent_message_in_handle_info() -> None:
    pid = await Collector.start()

    process.send(pid, "hello")

    assert await GenServer.call(pid, "seen") == ["hello"]


async def test_send_by_name_reaches_the_registered_process() -> None:
    pid = await Collector.start(name="collector")

    process.send("collector", "hello")

    assert await GenServer.call(pid, "seen") == ["hello"]


async def test_send_to_a_dead_pid_is_silent() -> None:
    pid = await Collector.start()
    await GenServer.stop(pid)

    process.send(pid, "hello")


async def test_send_to_an_unknown_name_is_an_error() -> None:
    with pytest.raises(NoProcessError) as caught:
        process.send("nobody", "hello")

    assert caught.value.reason == "noproc"
    assert caught.value.dest == "nobody"


async def test_send_works_outside_a_process() -> None:
    pid = await Collector.start()

    process.send(pid, "from nowhere")

    assert await GenServer.call(pid, "seen") == ["from nowhere"]


async def test_send_does_not_run_the_receiver_on_the_spot() -> None:
    """Sending is asynchronous: nothing of the receiver runs before the sender waits."""
    order: list[str] = []

    class Recorder(GenServer):
        def handle_info(self, message: object) -> None:
            order.append("handled")

    pid = await Recorder.start()

    process.send(pid, "hello")
    order.append("sent")

    await GenServer.stop(pid)
    assert order == ["sent", "handled"]


async def test_registered_name_is_found() -> None:
    pid = await Collector.start()

    process.register(pid, "desk")

    assert process.whereis("desk") == pid
    assert GenServer.whereis("desk") == pid
    assert "desk" in process.registered()


async def test_unknown_name_is_not_found() -> None:
    assert process.whereis("nobody") is None
    assert "nobody" not in process.registered()


async def test_unregistered_name_is_free_and_the_process_lives() -> None:
    pid = await Collector.start()
    process.register(pid, "desk")

    process.unregister("desk")

    assert process.whereis("desk") is None
    assert process.is_alive(pid)
    process.register(await Collector.start(), "desk")


async def test_taken_name_keeps_its_holder() -> None:
    holder, other = await Collector.start(), await Collector.start()
    process.register(holder, "desk")

    with pytest.raises(AlreadyRegisteredError):
        process.register(other, "desk")

    assert process.whereis("desk") == holder


async def test_server_cannot_start_with_a_name_given_by_register() -> None:
    holder = await Collector.start()
    process.register(holder, "desk")

    with pytest.raises(AlreadyStartedError) as caught:
        await Collector.start(name="desk")

    assert caught.value.pid == holder


async def test_register_refuses_the_name_of_a_started_server() -> None:
    holder, other = await Collector.start(name="desk"), await Collector.start()

    with pytest.raises(AlreadyRegisteredError) as caught:
        process.register(other, "desk")

    assert caught.value.pid == holder


async def test_register_refuses_a_dead_process() -> None:
    """Elixir ``Process.register/2`` fails if the pid is not alive."""
    pid = await Collector.start()
    await GenServer.stop(pid)

    with pytest.raises(NoProcessError):
        process.register(pid, "desk")

    assert process.whereis("desk") is None


async def test_unregister_of_an_unknown_name_is_an_error() -> None:
    """Elixir ``Process.unregister/1`` fails if the name is not registered."""
    with pytest.raises(NoProcessError):
        process.unregister("nobody")


@pytest.mark.parametrize("name", [42, None, b"desk", ("desk",), object()])
async def test_local_name_is_a_string(name: object) -> None:
    pid = await Collector.start()

    with pytest.raises(TypeError):
        process.register(pid, name)


async def test_name_is_free_once_its_process_is_dead() -> None:
    async with process.attach():
        pid = await Collector.start()
        process.register(pid, "desk")
        process.monitor(pid)

        process.exit(pid, "kill")
        await process.receive(timeout=50)

        assert process.whereis("desk") is None
        assert "desk" not in process.registered()


async def test_attached_task_can_have_a_name() -> None:
    async with process.attach() as me:
        process.register(me, "tester")

        process.send("tester", "hello")

        assert await process.receive(timeout=50) == "hello"
    assert process.whereis("tester") is None
