"""The base of the library's own servers: its subclasses can use any public name.

Source: in Elixir, a module that uses ``DynamicSupervisor`` defines its own ``start_child``.
"""

import logging
from typing import Any, ClassVar

import pytest

from beamish import CallTimeoutError, From, GenServer, NoReply, Pid, call, cast, debug, telemetry
from beamish._server.base import Server, behaviour


@behaviour
class Box(Server, shutdown=1.0):
    """Keeps a value, as a server of the library."""

    ended: ClassVar[list[Any]] = []

    def __init__(self, value: Any) -> None:
        self._value = value

    def _init(self) -> None:
        self._started = True

    def _terminate(self, reason: Any) -> None:
        self.ended.append(reason)

    def _format_status(self, status: dict[str, Any]) -> Any:
        return {**status, "state": "hidden"}

    @call
    def get(self) -> Any:
        return self._value

    @call
    def _get_later(self, *, from_: From) -> NoReply:
        return NoReply()

    @cast
    def _put(self, value: Any) -> None:
        self._value = value


class Own(Box):
    """Uses the names of callbacks and requests for itself."""

    def init(self) -> None:
        raise AssertionError("not called")

    def terminate(self, reason: Any) -> None:
        raise AssertionError("not called")

    def handle_cast(self, request: Any) -> None:
        raise AssertionError("not called")

    def handle_info(self, message: Any) -> None:
        raise AssertionError("not called")

    def format_status(self, status: Any) -> None:
        raise AssertionError("not called")

    @staticmethod
    async def get(box: Pid) -> str:
        return f"a box of {await Box.get(box)}"


async def test_subclass_with_callbacks_and_requests_of_its_own_changes_nothing() -> None:
    Box.ended.clear()
    pid = await Own.start("value")

    assert await Own.get(pid) == "a box of value"
    assert await Box.get(pid) == "value"
    assert (await debug.get_status(pid)).state == "hidden"
    await Own.stop(pid, "shutdown")
    assert Box.ended == ["shutdown"]


async def test_unknown_call_is_refused_and_the_server_goes_on() -> None:
    class Other(GenServer):
        @call
        def weigh(self) -> int:
            return 1

    pid = await Box.start("value")

    with pytest.raises(TypeError, match="Box takes no such call; got 'request'"):
        await GenServer.call(pid, "request")
    with pytest.raises(TypeError, match="Box got the call 'weigh' but has no such @call method"):
        await Other.weigh(pid)

    assert await Box.get(pid) == "value"
    await Box.stop(pid)


async def test_unknown_casts_and_messages_are_logged_and_the_server_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Other(GenServer):
        @cast
        def shake(self, times: int) -> None: ...

    caplog.set_level(logging.ERROR, "beamish")
    pid = await Box.start("value")

    GenServer.cast(pid, "request")
    Other.shake(pid, 3)

    assert await Box.get(pid) == "value"
    assert caplog.messages == [
        f"Box {pid!r} got the unexpected cast 'request'",
        f"Box {pid!r} got the unexpected cast shake(3)",
    ]
    await Box.stop(pid)


async def test_private_requests_are_shown_without_underscore() -> None:
    pid = await Box.start("value")
    seen: list[Any] = []
    telemetry.attach(
        "test", ("beamish", "call", "start"), lambda *event: seen.append(event[2]["request"])
    )

    try:
        with pytest.raises(CallTimeoutError, match=r"no reply from .* to get_later\(\) within"):
            await Box._get_later.timeout(0)(pid)
        Box._put(pid, "other")
        assert await Box.get(pid) == "other"
    finally:
        telemetry.detach("test")

    assert seen == ["get_later", "get"]
    await Box.stop(pid)


@pytest.mark.parametrize("name", ["get", "_get_later", "get_later", "_put", "handle_call"])
@pytest.mark.parametrize("decorate", [call, cast])
def test_subclass_must_not_redefine_a_request(name: str, decorate: Any) -> None:
    def method(self: object) -> None: ...

    with pytest.raises(TypeError, match="must not redefine the request"):
        type("Redefining", (Box,), {name: decorate(method)})


async def test_subclass_can_add_requests() -> None:
    class More(Box):
        @call
        def twice(self) -> Any:
            return 2 * self._value

    pid = await More.start(2)

    assert (await More.twice(pid), await More.get(pid)) == (4, 2)
    await More.stop(pid)


async def test_child_spec_has_the_options_of_the_class() -> None:
    spec = Own.child_spec("value", name="own")

    assert (spec.id, spec.shutdown, spec.restart) == ("own", 1.0, "permanent")
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Own.child_spec()
